# SPDX-License-Identifier: MIT
"""The service manager's end of sd_notify(3): a datagram socket that keeps what it is told."""

from __future__ import annotations

import contextlib
import os
import socket

_LARGEST = 65536


class NotifySocket:
    """Pass `path` as NOTIFY_SOCKET. What was said is a list of fields, one dictionary a message."""

    def __init__(self, path: str) -> None:
        self.path = path
        self.messages: list[dict[str, str]] = []
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK)
        self._socket.bind(path)

    def has(self, name: str, value: str | None = None) -> bool:
        """Whether a field was said, with this value or any."""
        self._receive()
        return any(name in message and value in (None, message[name]) for message in self.messages)

    def all(self, name: str) -> list[str]:
        """The values that a field was given, in order."""
        self._receive()
        return [message[name] for message in self.messages if name in message]

    def forget(self) -> None:
        self._receive()
        self.messages.clear()

    def _receive(self) -> None:
        with contextlib.suppress(BlockingIOError):
            while True:
                text = self._socket.recv(_LARGEST).decode()
                self.messages.append(dict(line.split("=", 1) for line in text.splitlines()))

    def close(self) -> None:
        self._socket.close()
        with contextlib.suppress(FileNotFoundError):
            os.unlink(self.path)
