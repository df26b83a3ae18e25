# SPDX-License-Identifier: MIT
"""What goes wrong between us and a server at a socket, beside what goes wrong with the socket itself."""

from __future__ import annotations

from hwinfod.errors import HwinfodError

NOT_FOUND, UNIMPLEMENTED = "NOT_FOUND", "UNIMPLEMENTED"


class CallFailed(HwinfodError):
    """The server answered with an error, or with what is no answer. `status` is gRPC's word for it, or what stands for
    it in HTTP; "" for the latter."""

    def __init__(self, message: str, status: str = "") -> None:
        super().__init__(message)
        self.status = status


class Ended(HwinfodError):
    """The server ended the stream."""
