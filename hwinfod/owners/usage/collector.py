# SPDX-License-Identifier: MIT
"""What owners use of the host: processor, memory, io and network of containers, jobs and of units that matter."""

from __future__ import annotations

import os
import resource
from collections import Counter
from typing import TYPE_CHECKING

from hwinfod.core.collector import Collector, beat
from hwinfod.core.owner import LABELS
from hwinfod.core.table import Groups
from hwinfod.errors import Absent, ParseError
from hwinfod.owners.identity import POD, SESSION, UNIT
from hwinfod.owners.names.book import NameBook
from hwinfod.owners.naming import labels_of
from hwinfod.owners.usage import families
from hwinfod.owners.usage.accounts import Accounts, Budget, fold
from hwinfod.owners.usage.families import (
    DETAIL_COUNTERS,
    DETAIL_GAUGES,
    DROPPED,
    MAIN_COUNTERS,
    MAIN_GAUGES,
    NETWORK_COUNTERS,
)
from hwinfod.owners.usage.member import MOST_FILES, Member
from hwinfod.owners.usage.network import Networks
from hwinfod.owners.usage.tree import Tree
from hwinfod.settings import Integer, Setting
from hwinfod.sources.cgroupfs import find_hierarchies

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from hwinfod.core.codec import Value
    from hwinfod.core.metric import Metric
    from hwinfod.core.table import Column
    from hwinfod.owners.usage.accounts import Figures, Labels, Sums

MOST_OWNERS = Setting(
    "collector.owner_usage.most_owners",
    Integer(1, 10_000),
    500,
    "Owners with series of what they use. Beyond, gauges are summed as `other` and counters are left out.",
)

_YOUNGEST_SECONDS = 60  # owners that come and go within a minute have no series
_LARGE_BYTES = 256 << 20  # a unit that never used as much memory, nor a fiftieth of a processor, has none either
_LARGE_RATIO = 0.02
_TICKS_TO_LOOK_AGAIN = 12
_OTHER = ("other", "other", *("" for _ in LABELS[2:]))


class OwnerUsage(Collector):
    name = "owner_usage"
    summary = "processor, memory, io and network of owners, from their cgroups"
    lane = "owner_usage"
    settings = (MOST_OWNERS,)

    def open(self) -> None:
        self.hierarchies = find_hierarchies(self.roots)
        bases = self.hierarchies.trees()
        if not bases:
            raise Absent("no cgroup file system with figures is mounted")
        self.trees = [Tree(base) for base in bases]
        self.networks = Networks(self.roots, bases)
        self.members: dict[tuple[str, int], Member] = {}
        self.book = NameBook()
        self.budget = Budget(self.context.settings[MOST_OWNERS])
        self.lasting: dict[Labels, float] = {}
        self.shown: list[Labels] = []
        self.tick = 0
        self.most_kept = resource.getrlimit(resource.RLIMIT_NOFILE)[0] // 2 // MOST_FILES
        self.stacked: dict[str, bool] = {}
        self.accounts = {method: Accounts() for method in self.tables}
        self.state = self.table.bind((DROPPED,))
        self.rows = {
            "sample": Groups(self.table, lambda key: _columns(key, MAIN_COUNTERS, MAIN_GAUGES)),
            "detail": Groups(self.tables["detail"], lambda key: _columns(key, DETAIL_COUNTERS, DETAIL_GAUGES)),
            "network": Groups(self.tables["network"], lambda key: _columns(key, NETWORK_COUNTERS, ())),
        }

    @beat(seconds=5)
    def sample(self) -> None:
        self._find_members()
        self._name_members()
        sums = self.accounts["sample"].update(self._usage())
        youngest = self.host.clock.monotonic() - _YOUNGEST_SECONDS
        since: dict[Labels, float] = {}
        for member in self.members.values():
            if member.labels in sums:
                since[member.labels] = min(member.since, since.get(member.labels, member.since))
        self.lasting = {labels: first for labels, first in since.items() if first <= youngest}
        self.shown = self.budget.choose(self.lasting)
        self._fill("sample", sums, MAIN_COUNTERS)
        self.state.set((self.budget.dropped,))

    @beat(seconds=15)
    def detail(self) -> None:
        """Files that are dearer to read: io.stat, memory.stat and pressure make the kernel sum over all processors."""
        sums = self.accounts["detail"].update(self._details())
        several = Counter(member.labels for member in self.members.values() if member.is_large)
        peak = DETAIL_GAUGES.index(families.MEMORY_PEAK)
        for labels, found in sums.items():
            if several[labels] > 1:  # highest points and limits of several do not add up
                found.gauges[peak : peak + 2] = [None, None]
        self._fill("detail", sums, DETAIL_COUNTERS)

    @beat(seconds=5)
    def network(self) -> None:
        members = [member for member in self.members.values() if member.labels in self.lasting]
        members.sort(key=lambda member: member.since)
        sums = self.accounts["network"].update(self.networks.read(members, self.skip))
        if not self.budget.is_over:
            for labels, found in sums.items():
                self.rows["network"].set("\0".join(labels), list(found.counters))
        self.rows["network"].sweep()
        if self.networks.hidden:
            self.skip("network", f"namespaces of {self.networks.hidden} owners may not be seen: CAP_SYS_PTRACE")

    def _find_members(self) -> None:
        now = self.host.clock.monotonic()
        since = now if self.tick else now - _YOUNGEST_SECONDS  # whoever was here before us is not young
        self.tick += 1
        found: dict[tuple[str, int], Member] = {}
        paths: set[str] = set()
        for tree in self.trees:
            for cgroup, owner in tree.rescan().items():
                if cgroup.path not in paths:
                    paths.add(cgroup.path)
                    known = self.members.get(cgroup)
                    keeps = len(found) < self.most_kept  # half of the descriptors that the daemon may have
                    found[cgroup] = known or Member(self.hierarchies, cgroup.path, owner, since, keeps=keeps)
            if tree.left_out:
                self.skip("cgroups", f"{tree.left_out} directories beyond the limit are not walked")
        self.members = found
        for number, member in enumerate(found.values()):
            if (number + self.tick) % _TICKS_TO_LOOK_AGAIN == 0:
                member.look_again()

    def _name_members(self) -> None:
        news = self.book.learn(self.host.names.current)
        for member in self.members.values():
            if news or not member.labels:
                owner = member.owner
                member.labels = labels_of(owner, self.book.name_of(owner))
                if owner.kind == POD and owner.within is None:
                    owner = owner._replace(container_id=None)
                member.network_labels = labels_of(owner, self.book.name_of(owner))

    def _usage(self) -> Iterator[tuple[Labels, Member, Figures, Figures]]:
        enough = _LARGE_RATIO * 1_000_000 * self.table.interval_seconds
        for member in self.members.values():
            try:
                counters, gauges = member.usage()
            except ParseError as error:
                self.skip(member.path, error)
                continue
            if not member.is_large:
                used, memory = counters[0] or 0, gauges[0] or 0
                grown = used - (used if member.last_cpu is None else member.last_cpu)
                member.last_cpu = used
                is_unit = member.owner.kind in (UNIT, SESSION)
                member.is_large = not is_unit or memory >= _LARGE_BYTES or grown >= enough
            if member.is_large:
                yield member.labels, member, counters, gauges

    def _details(self) -> Iterator[tuple[Labels, Member, Figures, Figures]]:
        for member in self.members.values():
            if member.is_large and member.labels in self.lasting:
                try:
                    yield member.labels, member, *member.detail(self._is_counted)
                except ParseError as error:
                    self.skip(member.path, error)

    def _is_counted(self, device: str) -> bool:
        """Bytes of a volume (dm, md) are counted where its disks are. Source: /sys/dev/block/*/slaves."""
        stacked = self.stacked.get(device)
        if stacked is None:
            slaves = self.roots.sys("dev", "block", device, "slaves")
            stacked = self.stacked[device] = os.path.isdir(slaves) and bool(os.listdir(slaves))
        return not stacked

    def _fill(self, method: str, sums: dict[Labels, Sums], counters: Sequence[Metric]) -> None:
        rows = self.rows[method]
        nothing: list[Value] = [None] * len(counters)
        for labels in self.shown:
            found = sums.get(labels)
            if found is not None:
                counts = nothing if self.budget.is_over else list(map(_shown, counters, found.counters))
                rows.set("\0".join(labels), [*counts, *found.gauges])
        kept = set(self.shown)
        rest = [found for labels, found in sums.items() if labels in self.lasting and labels not in kept]
        if rest:
            rows.set("\0".join(_OTHER), [*nothing, *fold(rest)])
        rows.sweep()


def _shown(metric: Metric, count: int | None) -> Value:
    return count / 1_000_000 if count is not None and metric.unit == "seconds" else count


def _columns(key: str, counters: Sequence[Metric], gauges: Sequence[Metric]) -> list[Column]:
    labels = tuple(key.split("\0"))
    resources = iter(families.RESOURCES)
    return [
        (metric, (*labels, next(resources)) if metric is families.STALLED else labels)
        for metric in (*counters, *gauges)
    ]
