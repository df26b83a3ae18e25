# SPDX-License-Identifier: MIT
"""How much of the daemon one listener's clients may take. Sizes of a request are in `guard`."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Limits:
    """Seconds are measured by a sweep once a second, so that a deadline is met up to one second late."""

    connections: int = 128
    idle_seconds: float = 60.0
    head_seconds: float = 10.0
    """From the first byte of a head to its last (slow-loris)."""
    body_seconds: float = 10.0
    write_seconds: float = 10.0
    """The longest time in which the client takes no byte of what is being sent to it."""
    catch_up_seconds: float = 1.0
    """How long a stream's client may have more than `unsent_bytes` before it."""
    linger_seconds: float = 2.0
    """How long a refused client is listened to, so that it reads the refusal before it sees a reset."""
    unsent_bytes: int = 256 << 10
    """What is held for a client that does not read, piece by piece; never more."""
