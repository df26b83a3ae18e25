# SPDX-License-Identifier: MIT
"""One link from second to second: is it up, did it flap, do its errors rise."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hwinfod.core.event import EventKind, Severity
from hwinfod.errors import ReadError
from hwinfod.sources.net_interface import OPERSTATES, LinkState, read_is_enabled

if TYPE_CHECKING:
    from hwinfod.core.codec import Value
    from hwinfod.core.host import Host
    from hwinfod.sources.proc_net_dev import InterfaceCounters

ABSENT: tuple[Value, ...] = (None, None, None)
_UP = {"up": 1, "unknown": None}
_STATES = {state: number for number, state in enumerate(OPERSTATES)}


def link_row(state: str, changes: int | None) -> tuple[Value, ...]:
    """The columns of families LINK. `unknown` is what a driver says that does not know."""
    return (_UP.get(state, 0), changes, _STATES[state])


class LinkWatch:
    """What happens to the link of one interface, told as events."""

    def __init__(self, host: Host, name: str, device: str) -> None:
        self._host = host
        self._name = name
        self._device = device
        self._state = LinkState(host.roots, name)
        self._link: tuple[Value, ...] = ABSENT
        self._counters: InterfaceCounters | None = None

    def follow(self, counters: InterfaceCounters) -> tuple[Value, ...]:
        """The row of LINK for now. None of it where the interface has just left."""
        try:
            link = link_row(*self._state.read())
        except ReadError:
            return ABSENT
        self._tell_link(self._link, link)
        self._tell_errors(self._counters, counters)
        self._link, self._counters = link, counters
        return link

    def close(self) -> None:
        self._state.close()

    def _tell_link(self, before: tuple[Value, ...], now: tuple[Value, ...]) -> None:
        (was_up, changes_before, _), (is_up, changes, _) = before, now
        if was_up and is_up == 0:
            # nobody is woken for what somebody did with `ip link set down`
            wanted = read_is_enabled(self._host.roots, self._name)
            self._add(EventKind.LINK_DOWN, Severity.WARNING if wanted else Severity.INFO, "is down")
        elif was_up == 0 and is_up:
            self._add(EventKind.LINK_UP, Severity.INFO, "is up")
        elif was_up and is_up and changes is not None and changes_before is not None and changes >= changes_before + 2:
            self._add(EventKind.LINK_DOWN, Severity.WARNING, "lost its carrier and found it again")

    def _tell_errors(self, before: InterfaceCounters | None, now: InterfaceCounters) -> None:
        if before is None:
            return
        received = now.receive_errors - before.receive_errors
        sent = now.transmit_errors - before.transmit_errors
        if received > 0 or sent > 0:
            counts = {"receive_errors": str(max(received, 0)), "transmit_errors": str(max(sent, 0))}
            self._add(EventKind.ERRORS_ROSE, Severity.WARNING, "has errors", counts)

    def _add(self, kind: EventKind, severity: Severity, what: str, attributes: dict[str, str] | None = None) -> None:
        self._host.events.add(
            kind, severity, f"interface {self._name} {what}", device=self._device, attributes=attributes
        )  # fmt: skip
