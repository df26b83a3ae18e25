# SPDX-License-Identifier: MIT
"""Who holds which RDMA objects: all of them, device by device, read in steps and summed by process.

A node with a large training job has 100,000 objects. The kernel makes the next part of a list when the last one
was taken, so that a scan stops when it has used its time and goes on at the next tick.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from hwinfod.errors import HwinfodError, NotProvided
from hwinfod.sources.nldev.attributes import NUMBERS
from hwinfod.sources.nldev.client import Interrupted
from hwinfod.sources.nldev.enums import QP_STATES, QP_TYPES
from hwinfod.sources.nldev.resources import KINDS, parse_resources

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from hwinfod.sources.nldev.client import Client

_DEV_INDEX = NUMBERS["DEV_INDEX"]
_TRIES = 3
_MOST_PEERS = 64  # of one holder
_NEWER_KINDS = frozenset({"ctx", "srq"})  # of Linux 5.13 and 5.14
_ERROR = 6  # enums.QP_STATES
_LISTEN = 8  # enums.CM_STATES

# What a holding calls the objects of each kind.
AMOUNTS = {"qp": "qps", "cq": "cqs", "mr": "mrs", "cm_id": "cm_ids", "pd": "pds", "ctx": "contexts", "srq": "srqs"}

_STATE_AMOUNTS = {number: f"qps_state_{state.lower()}" for number, state in enumerate(QP_STATES)}
_TYPE_AMOUNTS = {number: f"qps_type_{kind.lower()}" for number, kind in QP_TYPES.items()}

Holder = tuple[int, str]  # pid and "", or 0 and the kernel user's name
NOBODY: Holder = (0, "")  # whom we may not see


@dataclass(slots=True)
class DeviceScan:
    """What one device's objects add up to. `amounts` and `peers` (far ends of connections) by holder, `qps` by type
    and state, `failed` the queue pairs in the error state by holder, `bound_qps` who holds those that are wanted.
    `listed` are the kinds that were read, `unread` those that could not be: nothing is known of these, which is
    not that there are none."""

    name: str
    index: int
    wanted_qps: frozenset[int] = frozenset()
    totals: Counter[str] = field(default_factory=Counter)
    amounts: dict[Holder, Counter[str]] = field(default_factory=dict)
    peers: dict[Holder, set[str]] = field(default_factory=dict)
    qps: Counter[tuple[int | None, int | None]] = field(default_factory=Counter)
    failed: dict[Holder, set[int]] = field(default_factory=dict)
    bound_qps: dict[int, Holder] = field(default_factory=dict)
    listed: set[str] = field(default_factory=set)
    unread: dict[str, HwinfodError] = field(default_factory=dict)

    @property
    def is_blank(self) -> bool:
        """Whether all was asked for in vain."""
        return bool(self.unread) and not self.listed

    def add(self, kind: str, records: Sequence[Any]) -> None:
        name = AMOUNTS[kind]
        for record in records:
            holder = (record.pid or 0, record.kernel_name or "")
            counts = self.amounts.get(holder)
            if counts is None:
                counts = self.amounts[holder] = Counter()
            counts[name] += 1
            if kind == "qp":
                self._add_qp(record, holder, counts)
            elif kind == "mr":
                counts["mr_bytes"] += record.length_bytes or 0
            elif kind == "cm_id" and record.destination and record.state != _LISTEN:
                peers = self.peers.setdefault(holder, set())
                if len(peers) < _MOST_PEERS:
                    peers.add(record.destination)

    def _add_qp(self, record: Any, holder: Holder, counts: Counter[str]) -> None:
        counts[_STATE_AMOUNTS.get(record.state, "qps_state_other")] += 1
        counts[_TYPE_AMOUNTS.get(record.type, "qps_type_other")] += 1
        self.qps[(record.type, record.state)] += 1
        if record.number in self.wanted_qps:
            self.bound_qps[record.number] = holder
        if record.state == _ERROR:
            counts["qp_errors"] += 1
            self.failed.setdefault(holder, set()).add(record.number)

    def merge(self, part: DeviceScan) -> None:
        """Takes in a list that was read to its end."""
        for holder, counts in part.amounts.items():
            self.amounts.setdefault(holder, Counter()).update(counts)
            self.totals.update(counts)
        for holder, peers in part.peers.items():
            self.peers.setdefault(holder, set()).update(peers)
        for holder, numbers in part.failed.items():
            self.failed.setdefault(holder, set()).update(numbers)
        self.qps.update(part.qps)
        self.bound_qps.update(part.bound_qps)


@dataclass(slots=True)
class Scan:
    """One look at all objects of all devices; `trouble` is what went wrong beside the lists."""

    begun_boottime_ns: int
    devices: list[DeviceScan]
    trouble: dict[str, HwinfodError] = field(default_factory=dict)


def list_objects(client: Client, device: DeviceScan, counts: Mapping[str, int]) -> Iterator[None]:
    """Reads the lists of a device, one step a message. `counts` are the kernel's totals by kind: what is zero there
    need not be listed. A list that is being read bars the client from all else."""
    for kind in KINDS:
        if not counts.get(kind, 1):
            continue
        try:
            yield from _list(client, device, kind)
        except HwinfodError as error:  # mlx5 lists no queue pair while one is of receive side scaling
            device.unread[kind] = error


def _list(client: Client, device: DeviceScan, kind: str) -> Iterator[None]:
    """All objects of one kind, listed again where they changed meanwhile."""
    of_kind = KINDS[kind]
    for attempt in range(_TRIES):
        part = DeviceScan(device.name, device.index, device.wanted_qps)
        try:
            for payload in client.iter_dump(of_kind.command, (_DEV_INDEX, device.index)):
                part.add(kind, parse_resources(payload, of_kind))
                yield
        except Interrupted:
            if attempt == _TRIES - 1:
                raise
            continue
        except NotProvided:
            if kind in _NEWER_KINDS:
                return
            raise
        device.merge(part)
        device.listed.add(kind)
        return
