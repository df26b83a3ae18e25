# SPDX-License-Identifier: MIT
"""What goes wrong between us and a server at a socket, beside what goes wrong with the socket itself."""

from __future__ import annotations

from hwinfod.errors import HwinfodError

UNAVAILABLE, UNIMPLEMENTED = "UNAVAILABLE", "UNIMPLEMENTED"


class CallFailed(HwinfodError):
    """The server answered with an error, or with what is no answer. `status` is gRPC's word for it, or HTTP's
    number; "" for the latter."""

    def __init__(self, message: str, status: str = "") -> None:
        super().__init__(message)
        self.status = status

    @property
    def is_of_what_was_asked(self) -> bool:
        """Whether the server is there, and only what it was asked about is not to be had."""
        return self.status not in ("", UNAVAILABLE)


class Ended(HwinfodError):
    """The server ended the stream."""
