# SPDX-License-Identifier: MIT
"""One pass of attribution: processes in, owners out."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from hwinfod.core.owner import Holder, NodeHolder, OwnerRecord
from hwinfod.errors import HwinfodError
from hwinfod.owners.identity import KERNEL_THREAD, NOBODY, Owner
from hwinfod.owners.naming import dispute, id_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from hwinfod.core.device import Device
    from hwinfod.core.holding import Holding, NodeUser
    from hwinfod.owners.ages import Ages
    from hwinfod.owners.names.book import NameBook
    from hwinfod.owners.process import Process, Processes

_TICKS_A_SECOND = os.sysconf("SC_CLK_TCK")
_MOST_CONFLICTS = 16  # of one owner, that are told


class _Found:
    """What was found of one owner. Steps of a job are one: `owner` is what they have in common."""

    __slots__ = ("cgroups", "conflicts", "holders", "owner", "since_ticks", "uids")

    def __init__(self, owner: Owner, since_ticks: int) -> None:
        self.owner = owner
        self.since_ticks = since_ticks
        self.holders: list[Holder] = []
        self.uids: set[int] = set()
        self.cgroups: dict[str, None] = {}
        self.conflicts: dict[str, None] = {}


class Roster:
    """Owners by what their processes hold. Each process is looked at once a pass, however much it holds."""

    def __init__(self, processes: Processes, book: NameBook, ages: Ages) -> None:
        self._processes = processes
        self._book = book
        self._ages = ages
        self._seen: dict[tuple[int, int], Process | None] = {}
        self._found: dict[str, _Found] = {}
        self._ids: dict[Owner, str] = {}
        self.node_holders: list[NodeHolder] = []

    def add(self, device: str, holding: Holding, amounts: Mapping[str, float]) -> None:
        """A part of a device. A process that is gone and was never seen belongs to nobody in sight."""
        pid, start = holding.pid, holding.start_time_ticks
        if not pid:
            holder = Holder(device, 0, 0, holding.kernel, 0, amounts)
            self._take(KERNEL_THREAD, 0, 0).holders.append(holder)
            return
        process = self._look(pid, start)
        if process is None:
            holder = Holder(device, pid, start, "", -1, amounts)
            self._take(NOBODY, start, -1).holders.append(holder)
            return
        start = process.start_time_ticks
        holder = Holder(device, pid, start, process.name, process.uid, amounts)
        self._take_process(process).holders.append(holder)

    def add_node_user(self, user: NodeUser, nodes: Mapping[str, str]) -> None:
        """A process with device nodes. `nodes` are the devices by node. One that is gone has none open."""
        try:
            process = self._processes.look_alive(user.pid, user.start_time_ticks)
        except HwinfodError:
            return
        self._take_process(process)
        devices = dict.fromkeys(nodes[node] for node in user.nodes if node in nodes)
        self.node_holders.append(
            NodeHolder(
                self._id(process.owner),
                process.pid,
                process.start_time_ticks,
                process.name,
                process.uid,
                user.nodes,
                tuple(devices),
            )
        )

    def records(self, now_ns: int) -> dict[str, OwnerRecord]:
        """All owners by id, at that time since boot."""
        return {id_: self._record(id_, found, now_ns) for id_, found in self._found.items()}

    def _look(self, pid: int, start_time_ticks: int) -> Process | None:
        key = (pid, start_time_ticks)
        if key not in self._seen:
            try:
                self._seen[key] = self._processes.look(pid, start_time_ticks)
            except HwinfodError:
                self._seen[key] = None
        return self._seen[key]

    def _take_process(self, process: Process) -> _Found:
        found = self._take(process.owner, process.start_time_ticks, process.uid)
        found.cgroups[process.cgroup.path] = None
        for conflict in process.conflicts if len(found.conflicts) < _MOST_CONFLICTS else ():
            found.conflicts[dispute(conflict)] = None
        return found

    def _take(self, owner: Owner, start_ticks: int, uid: int) -> _Found:
        id_ = self._id(owner)
        found = self._found.get(id_)
        if found is None:
            found = self._found[id_] = _Found(owner, start_ticks)
        elif found.owner != owner:
            found.owner = _common(found.owner, owner)
        found.since_ticks = min(found.since_ticks, start_ticks)
        found.uids.add(uid)
        return found

    def _id(self, owner: Owner) -> str:
        id_ = self._ids.get(owner)
        if id_ is None:
            id_ = self._ids[owner] = id_of(owner)
        return id_

    def _record(self, id_: str, found: _Found, now_ns: int) -> OwnerRecord:
        start_ns = found.since_ticks * 1_000_000_000 // _TICKS_A_SECOND
        labels, identity, conflicts = self._book.title_of(found.owner)
        return OwnerRecord(
            id=id_,
            label=labels[0],
            labels=labels,
            identity=identity,
            uid=found.uids.pop() if len(found.uids) == 1 else -1,
            since_boottime_ns=self._ages.since(id_, start_ns, now_ns),
            holders=tuple(found.holders),
            cgroups=tuple(found.cgroups),
            conflicts=(*found.conflicts, *conflicts),
        )


def _common(one: Owner, other: Owner) -> Owner:
    """What two views of one owner agree in."""
    differing = [name for name, a, b in zip(Owner._fields, one, other, strict=True) if a != b]
    return one._replace(**dict.fromkeys(differing))


def nodes_of(devices: Iterable[Device]) -> dict[str, str]:
    """Device id by the nodes that lead to it, as the collectors of GPUs and RDMA devices tell them. The node of a
    part of a GPU leads to the whole."""
    nodes = {}
    for device in devices:
        id_ = device.parent if device.kind == "gpu partition" else device.id
        for fact in ("device_node", "card_node", "render_node"):
            node = device.facts.get(fact)
            if node:
                nodes[node] = id_
        for name in device.facts.get("nodes", "").split():
            nodes[f"/dev/infiniband/{name}"] = id_
    return nodes
