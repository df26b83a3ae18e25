# SPDX-License-Identifier: MIT
"""Traffic of owners that have a network namespace, read once a namespace from one of its processes.

Nothing is kept open: a descriptor of /proc/PID/net/dev keeps the namespace, and its interfaces, alive when all its
processes are gone (fs/proc/proc_net.c, seq_open_net()).
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, NamedTuple

from hwinfod.errors import ParseError, ReadError
from hwinfod.owners.identity import SESSION, UNIT
from hwinfod.sources.files import link_name, list_directory, read_file, read_optional
from hwinfod.sources.proc_net_dev import parse_net_dev

if TYPE_CHECKING:
    from collections.abc import Container, Hashable, Iterable, Iterator

    from hwinfod.core.collector import Skip
    from hwinfod.core.host import RootPaths
    from hwinfod.owners.budget import Labels
    from hwinfod.owners.usage.accounts import Figures
    from hwinfod.owners.usage.member import Member
    from hwinfod.sources.proc_net_dev import InterfaceCounters

_LOOKED_INTO = 32
_TICKS_TO_LOOK_AGAIN = 12
_FIRST_LINE = 32
_SERVICES = (UNIT, SESSION)  # on the host's network, and they stay there, but for a few


class _Seat(NamedTuple):
    """A process of a cgroup and its network namespace: pid 0 where none was found, "" where it may not be seen. `tick`
    is when it was looked at last."""

    pid: int
    namespace: str
    tick: int


class Networks:
    """Which process tells of which namespace. For one thread. `hidden` counts the containers, jobs and machines whose
    namespace may not be seen (CAP_SYS_PTRACE) in the latest pass: services have one of their own rarely."""

    def __init__(self, roots: RootPaths, trees: Iterable[str]) -> None:
        self._roots = roots
        self._trees = tuple(trees)
        self._seats: dict[Member, _Seat] = {}
        self._host = ""
        self._tick = 0
        self.hidden = 0

    def read(self, members: Iterable[Member], skip: Skip) -> Iterator[tuple[Labels, Hashable, Figures, Figures]]:
        """In the order of families.NETWORK, by owner and interface. Of owners that share a namespace the first has it;
        each is told whose traffic is counted as its own."""
        self._tick += 1
        self.hidden = 0
        self._host = self._namespace(1)
        taken = {self._host}
        seats: dict[Member, _Seat] = {}
        for member in members:
            seat = seats[member] = self._seat(member)
            network = _network(seat, self._host, taken)
            self.hidden += network == "hidden" and member.owner.kind not in _SERVICES
            if network == "own":
                taken.add(seat.namespace)
                yield from self._interfaces(member, seat, skip)
            else:
                member.take_network(network, None)
        self._seats = seats

    def _interfaces(
        self, member: Member, seat: _Seat, skip: Skip
    ) -> Iterator[tuple[Labels, Hashable, Figures, Figures]]:
        try:
            interfaces = parse_net_dev(read_file(self._roots.proc(str(seat.pid), "net", "dev")))
        except (ReadError, ParseError) as error:
            skip(f"network of {member.path}", error)
            member.take_network("own", None)
            return
        readings = {name: _amounts(counters) for name, counters in interfaces.items() if name != "lo"}
        member.take_network("own", tuple(map(sum, zip(*readings.values(), strict=True))) if readings else None)
        for name, amounts in readings.items():
            yield member.network_labels, (seat.namespace, name), amounts, ()

    def _seat(self, member: Member) -> _Seat:
        """The process that told last time while it is there, in the same namespace; else another one."""
        seat = self._seats.get(member)
        if seat is not None:
            is_new = self._tick - seat.tick < _TICKS_TO_LOOK_AGAIN
            if is_new and (not seat.namespace or (seat.namespace == self._host and member.owner.kind in _SERVICES)):
                return seat
            if seat.namespace and self._namespace(seat.pid) == seat.namespace:
                return seat._replace(tick=self._tick)
        pid = self._first_process(member.path)
        return _Seat(pid, self._namespace(pid) if pid else "", self._tick)

    def _namespace(self, pid: int) -> str:
        return link_name(f"{self._roots.procfs}/{pid}/ns/net")

    def _first_process(self, path: str) -> int:
        """Any process of a cgroup or of those in it: in v2 only leaves have processes."""
        for tree in self._trees:
            directories = [tree + path]
            for directory in directories:
                line = (read_optional(f"{directory}/cgroup.procs", _FIRST_LINE) or b"").split(b"\n", 1)[0]
                if line.isdigit() and int(line):
                    return int(line)
                below = [f"{directory}/{name}" for name in list_directory(directory)]
                directories += [d for d in below if os.path.isdir(d)][: _LOOKED_INTO - len(directories)]
        return 0


def _network(seat: _Seat, host: str, taken: Container[str]) -> str:
    """Whose traffic is counted, in the words of core.account.Account."""
    if not seat.pid:
        return ""
    if not seat.namespace:
        return "hidden"
    if seat.namespace == host:
        return "host"
    return "shared" if seat.namespace in taken else "own"


def _amounts(counters: InterfaceCounters) -> tuple[int, ...]:
    """In the order of families.NETWORK."""
    return counters.receive_bytes, counters.transmit_bytes, counters.receive_packets, counters.transmit_packets
