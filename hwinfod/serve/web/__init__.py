# SPDX-License-Identifier: MIT
"""TLS, passwords, headers and a rate limit for the TCP listeners: the file of --web.config.file.

The grammar is the one of every Prometheus exporter (exporter-toolkit, docs/web-configuration.md), so that a fleet
keeps one file. Nothing here is imported without the flag: ssl, bcrypt and ruamel.yaml cost memory.
"""
