# SPDX-License-Identifier: MIT
"""What runtimes and the kubelet tell at their sockets, which are root's: names, life and devices of containers.

Each API is a collector with a lane and an event loop of its own (`loop`), each socket a coroutine that follows it for
ever (`link`). What is told twice is told once (`ledger`), and becomes an event (`teller`).
"""
