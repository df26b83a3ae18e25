# SPDX-License-Identifier: MIT
# What hwinfod uses of sdnotify 0.3, which ships no types.
import socket

class SystemdNotifier:
    socket: socket.socket | None
    def __init__(self, debug: bool = ...) -> None: ...
    def notify(self, state: str) -> None: ...
