# SPDX-License-Identifier: MIT
"""What owners use of the host: processor, memory, io and network of containers, jobs and of units that matter."""

from __future__ import annotations

import resource
from collections import Counter
from itertools import chain, islice, zip_longest
from typing import TYPE_CHECKING

from hwinfod.core.account import Accounting
from hwinfod.core.collector import Collector, beat
from hwinfod.errors import Absent, ParseError
from hwinfod.owners.budget import YOUNGEST_SECONDS, Budget
from hwinfod.owners.identity import JOB, SESSION, UNIT
from hwinfod.owners.names.book import NameBook
from hwinfod.owners.usage import families
from hwinfod.owners.usage.accounts import Accounts
from hwinfod.owners.usage.counted import CountedDevices
from hwinfod.owners.usage.families import DROPPED, METRICS
from hwinfod.owners.usage.figures import MOST_FILES, detail_sources, main_sources
from hwinfod.owners.usage.member import Member
from hwinfod.owners.usage.network import Networks
from hwinfod.owners.usage.report import accounting_of
from hwinfod.owners.usage.rows import Rows
from hwinfod.owners.usage.tree import Tree
from hwinfod.settings import Integer, Setting
from hwinfod.sources.cgroupfs import find_hierarchies

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from hwinfod.owners.budget import Labels
    from hwinfod.owners.identity import Owner
    from hwinfod.owners.usage.accounts import Figures, Sums
    from hwinfod.owners.usage.tree import Accounted

__all__ = ["DROPPED", "METRICS", "MOST_OWNERS", "OwnerUsage"]

MOST_OWNERS = Setting(
    "collector.owner_usage.most_owners",
    Integer(1, 10_000),
    500,
    "Owners with series of what they use. Beyond, gauges are summed as `other` and counters are left out.",
)

# A unit that never used as much memory, nor a fiftieth of a processor, nor a device has no series either.
_LARGE_BYTES = 256 << 20
_LARGE_RATIO = 0.02
_TICKS_TO_LOOK_AGAIN = 12
_TICKS_TO_BE_THOROUGH = 4


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
        self.sources = main_sources(self.hierarchies)
        self.detail_sources = detail_sources(CountedDevices(self.roots))
        self.members: dict[tuple[str, int], Member] = {}
        self.accounted: list[Mapping[Accounted, Owner]] = []
        self.book = NameBook()
        self.budget = Budget(self.context.settings[MOST_OWNERS])
        self.lasting: dict[Labels, float] = {}
        self.shown: list[Labels] = []
        self.tick = 0
        self.has_lost = False
        self.most_kept = resource.getrlimit(resource.RLIMIT_NOFILE)[0] // 2 // MOST_FILES
        self.accounts = {method: Accounts() for method in self.tables}
        self.state = self.table.bind((DROPPED,))
        self.rows = Rows(self.tables)

    @beat(seconds=5)
    def sample(self) -> None:
        self._find_members()
        self._name_members()
        sums = self.accounts["sample"].update(self._usage())
        youngest = self.host.clock.monotonic() - YOUNGEST_SECONDS
        since: dict[Labels, float] = {}
        for member in self.members.values():
            if member.labels in sums:
                since[member.labels] = min(member.since, since.get(member.labels, member.since))
        self.lasting = {labels: first for labels, first in since.items() if first <= youngest}
        self.shown = self.budget.choose(self.lasting)
        self._choose_exported()
        self._fill("sample", sums)
        self.state.set((self.budget.dropped,))
        self.host.accounting = accounting_of(self.members.values(), self.host.clock.boottime_ns())

    def close(self) -> None:
        self.host.accounting = Accounting()

    @beat(seconds=15)
    def detail(self) -> None:
        """Files that are dearer to read: io.stat, memory.stat and pressure make the kernel sum over all processors."""
        sums = self.accounts["detail"].update(self._details())
        several = Counter(member.labels for member in self.members.values() if member.is_large)
        peak = [metric for metric, _ in families.DETAIL.gauges].index(families.MEMORY_PEAK)
        for labels, found in sums.items():
            if several[labels] > 1:  # highest points and limits of several do not add up
                found.gauges[peak : peak + 2] = [None, None]
        self._fill("detail", sums)
        self.rows.fill_rdma(
            (member.labels, used.device, used.handles, used.objects)
            for member in self.members.values()
            if member.labels in self.lasting
            for used in member.rdma
        )

    @beat(seconds=15)
    def network(self) -> None:
        """Of everybody it is told whose traffic is counted, for the API. Those who have series come first where several
        are in one namespace, and no others have series of it."""
        youngest = self.host.clock.monotonic() - YOUNGEST_SECONDS
        members = [m for m in self.members.values() if m.labels in self.lasting or m.since <= youngest]
        members.sort(key=lambda member: (member.labels not in self.lasting, member.since))
        shown = {member.network_labels for member in members if member.labels in self.lasting}
        readings = (reading for reading in self.networks.read(members, self.skip) if reading[0] in shown)
        sums = self.accounts["network"].update(readings)
        self.rows.fill("network", () if self.budget.is_over else sums, sums, with_counters=True)
        if self.networks.hidden:
            self.skip("network", f"namespaces of {self.networks.hidden} owners may not be seen: CAP_SYS_PTRACE")

    def _find_members(self) -> None:
        now = self.host.clock.monotonic()
        since = now if self.tick else now - YOUNGEST_SECONDS  # whoever was here before us is not young
        thorough = self.has_lost or self.tick % _TICKS_TO_BE_THOROUGH == 0 or len(self.members) > self.most_kept
        self.tick += 1
        accounted = [tree.rescan(thorough=thorough) for tree in self.trees]
        for tree in self.trees:
            if tree.left_out:
                self.skip("cgroups", f"{tree.left_out} directories beyond the limit are not walked")
        if any(one is not other for one, other in zip_longest(accounted, self.accounted)):
            self.accounted = accounted
            self.members = self._members(since)
        for member in islice(self.members.values(), self.tick % _TICKS_TO_LOOK_AGAIN, None, _TICKS_TO_LOOK_AGAIN):
            member.look_again()

    def _members(self, since: float) -> dict[tuple[str, int], Member]:
        """Each cgroup once, whichever hierarchy it is in; half of the descriptors that the daemon may have are for
        them."""
        found: dict[tuple[str, int], Member] = {}
        paths: set[str] = set()
        for cgroup, owner in chain.from_iterable(each.items() for each in self.accounted):
            if cgroup.path not in paths:
                paths.add(cgroup.path)
                known, keeps = self.members.get(cgroup), len(found) < self.most_kept
                found[cgroup] = known or Member(self.hierarchies, cgroup.path, owner, since, keeps=keeps)
        return found

    def _name_members(self) -> None:
        news = self.book.learn(self.host.names.current)
        for member in self.members.values():
            if news or not member.labels:
                member.learn(self.book)

    def _choose_exported(self) -> None:
        """Jobs, and whoever holds a part of a device, are shown at the levels of their metrics, and stay so; what the
        hundreds of others use is recorded, and is exported at the most detailed level."""
        holders = self.host.attribution.owners
        exported: set[Labels] = set()
        for member in self.members.values():
            record = holders.get(member.id)
            member.is_exported |= member.owner.kind == JOB or (record is not None and bool(record.holders))
            if member.is_exported:
                exported.update((member.labels, member.network_labels))
        self.rows.export(exported)

    def _usage(self) -> Iterator[tuple[Labels, Member, Figures, Figures]]:
        enough = _LARGE_RATIO * 1_000_000 * self.table.interval_seconds
        self.has_lost = False
        for member in self.members.values():
            try:
                counters, gauges = member.usage(self.sources)
            except ParseError as error:
                self.skip(member.path, error)
                continue
            self.has_lost |= counters[0] is None and gauges[0] is None
            if not member.is_large:
                used, memory = counters[0] or 0, gauges[0] or 0
                grown = used - (used if member.last_cpu is None else member.last_cpu)
                member.last_cpu = used
                is_unit = member.owner.kind in (UNIT, SESSION)
                matters = member.is_exported or not is_unit
                member.is_large = matters or memory >= _LARGE_BYTES or grown >= enough
            if member.is_large:
                yield member.labels, member, counters, gauges

    def _details(self) -> Iterator[tuple[Labels, Member, Figures, Figures]]:
        for member in self.members.values():
            if member.is_large and member.labels in self.lasting:
                try:
                    yield member.labels, member, *member.detail(self.detail_sources)
                except ParseError as error:
                    self.skip(member.path, error)

    def _fill(self, method: str, sums: dict[Labels, Sums]) -> None:
        kept = set(self.shown)
        self.rows.fold(method, [sums[labels] for labels in sums if labels in self.lasting and labels not in kept])
        self.rows.fill(method, self.shown, sums, with_counters=not self.budget.is_over)
