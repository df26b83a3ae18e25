# SPDX-License-Identifier: MIT
"""When to look whether a lost GPU came back, and when to let go of GPUs for others."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hwinfod.core.event import EventKind, Severity

if TYPE_CHECKING:
    from collections.abc import Sequence

    from hwinfod.core.clock import Clock
    from hwinfod.core.host import Host

_RETRY_SECONDS = 60.0  # a lost GPU comes back, if at all, after all of NVML was shut down
_MOST_RETRY_SECONDS = 3600.0
_LET_GO_SECONDS = 60.0
_LET_GO_AGAIN_SECONDS = 600.0  # a mode may stay pending for days: nobody must be blind for as long


class Retry:
    """When all of NVML is shut down to see whether a lost GPU came back: rarely, because it costs the others."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._at: float | None = None
        self._wait = _RETRY_SECONDS

    def plan(self) -> None:
        if self._at is None:
            self._at = self._clock.monotonic() + self._wait

    def is_due(self, *, trouble: bool) -> bool:
        """Whether it is time. Without trouble there is nothing to see, and the next time the wait is short again."""
        if not trouble:
            self._at, self._wait = None, _RETRY_SECONDS
            return False
        if self._at is None or self._clock.monotonic() < self._at:
            return False
        self._at = None
        self._wait = min(2 * self._wait, _MOST_RETRY_SECONDS)
        return True


class LetGo:
    """Lets go of the driver by itself, where a change waits for that."""

    def __init__(self, host: Host) -> None:
        self._host = host
        self._again_at = 0.0

    def for_mode_change(self, gpus: Sequence[str]) -> None:
        """MIG is switched when nobody has the GPU open, or it is reset."""
        now = self._host.clock.monotonic()
        if now < self._again_at:
            return
        self._again_at = now + _LET_GO_AGAIN_SECONDS
        reason = f"a change of the MIG mode of GPU {', '.join(gpus)} is pending"
        self._host.hold.take(_LET_GO_SECONDS, reason)
        self._host.events.add(
            EventKind.GPU_RELEASED,
            Severity.INFO,
            f"let go of the GPUs for {_LET_GO_SECONDS:.0f} s: {reason}",
            key=reason,
            attributes={"reason": reason},
        )
