# SPDX-License-Identifier: MIT
"""Who was given which device, and for how long he lets it idle; and the info series of owners.

Fed by allocations and by attribution.
"""

from __future__ import annotations

from dataclasses import replace
from types import MappingProxyType
from typing import TYPE_CHECKING

from hwinfod.core.check import Check
from hwinfod.core.collector import Collector, beat
from hwinfod.core.event import Severity
from hwinfod.core.grant import MPS, SHARED, TIME_SLICING, Granted, Grantee
from hwinfod.core.metric import Kind, Metric
from hwinfod.core.owner import LABELS
from hwinfod.core.table import Groups
from hwinfod.owners import info
from hwinfod.owners.allocated.idle import IdleClock, is_in_use, runs_mps
from hwinfod.owners.allocated.join import join
from hwinfod.owners.allocated.people import People
from hwinfod.owners.allocated.places import Places
from hwinfod.owners.budget import OTHER, YOUNGEST_SECONDS, Budget, add_rows
from hwinfod.owners.info import INFO
from hwinfod.owners.names.book import NameBook
from hwinfod.settings import Integer, Setting

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from hwinfod.core.allocation import Allocations
    from hwinfod.core.codec import Value
    from hwinfod.core.grant import Grant
    from hwinfod.core.owner import OwnerRecord
    from hwinfod.owners.allocated.join import Given
    from hwinfod.owners.budget import Labels

_SOURCE = "the kubelet's pod-resources socket and checkpoint, OCI bundles, the environment of batch jobs"
_SETTLING_SECONDS = 30  # until every source has been heard once
_STALE_SECONDS = 300  # longer than a kubelet takes to restart
_OF_KUBELET = ("pod-resources", "checkpoint")
_GPU = (*LABELS, "gpu", "uuid")
_Row = tuple["Value", "Value"]  # share and seconds
ALLOCATED = Metric(
    name="hw_owner_gpu_allocated",
    kind=Kind.GAUGE,
    help="Part of the GPU that was given to the owner, used or not: 1 is all of it, less a MIG instance or a replica.",
    source=_SOURCE,
    labels=_GPU,
)
IDLE = Metric(
    name="hw_owner_gpu_idle_seconds",
    kind=Kind.GAUGE,
    unit="seconds",
    help="For how long the owner has not used a GPU that was given to it; 0 while it does.",
    source=f"{_SOURCE}; the holdings of the GPU's collector",
    labels=_GPU,
)
DROPPED = Metric(
    name="hw_owner_allocations_dropped",
    kind=Kind.GAUGE,
    help="Owners beyond the budget, who have no info and whose GPUs are in the owner `other`; the API has them.",
    source="the setting collector.allocations.most_owners",
)
UNUSED = Check(
    "gpu_idle",
    IDLE,
    lambda seconds: seconds >= 3600,
    Severity.INFO,
    "gpu {gpu} allocated to {owner} but idle for {value:.0f} s",
    "hwinfoctl owners",
)
MOST_OWNERS = Setting(
    "collector.allocations.most_owners",
    Integer(1, 10_000),
    200,
    "Owners with series of what they were given. Beyond, they are summed as `other`; all are in the API.",
)


class OwnerAllocations(Collector):
    name = "allocations"
    summary = "which GPUs owners were given, and for how long they let them idle"
    lane = "owners"
    settings = (MOST_OWNERS,)

    def open(self) -> None:
        self.book = NameBook()
        self.people = People({})
        self.budget = Budget(self.context.settings[MOST_OWNERS])
        self.idle = IdleClock()
        self.since: dict[str, int] = {}
        self.settled_ns = self.host.clock.boottime_ns() + _SETTLING_SECONDS * 10**9
        self.rows = Groups(self.table, lambda key: [(metric, tuple(key.split("\0"))) for metric in (ALLOCATED, IDLE)])
        self.info = Groups(self.table, lambda key: [(INFO, tuple(key.split("\0")))])
        self.dropped = self.table.bind((DROPPED,))

    @beat(seconds=5)
    def sample(self) -> None:
        names = self.host.names.current
        self.book.learn(names)
        if names is not self.people.names:
            self.people = People(names)
        places = Places(self.host.devices.current.values())
        joined = join(self._heard(), self.people, places, self._alive())
        for source, ids in joined.unknown.items():
            self.skip(source, f"not known which devices of this host are meant: {', '.join(sorted(set(ids))[:4])}")
        owners = {id_: self._grantee(id_, given) for id_, given in joined.owners.items()}
        self.since = {id_: owner.since_boottime_ns for id_, owner in owners.items()}
        self.idle.sweep()
        self.host.granted = Granted(
            self.host.clock.boottime_ns(),
            MappingProxyType(owners),
            MappingProxyType(joined.unknown),
            _blind(self.host.allocations.current),
        )
        self._fill(owners)

    def close(self) -> None:
        self.host.granted = Granted()

    def _heard(self) -> dict[str, Allocations]:
        """What sources said lately: of one that hangs, what it said last is not true for ever."""
        oldest = self.host.clock.boottime_ns() - _STALE_SECONDS * 10**9
        heard = {}
        for source, told in self.host.allocations.current.items():
            if told.boottime_ns >= oldest:
                heard[source] = told
            elif told.allocations:
                self.skip(source, f"not heard for {_STALE_SECONDS} s")
        return heard

    def _alive(self) -> frozenset[str] | None:
        """Pods and containers that have a cgroup; None while nobody counts cgroups."""
        accounting = self.host.accounting
        if accounting.boottime_ns < self.host.clock.boottime_ns() - YOUNGEST_SECONDS * 10**9:
            return None
        identities = [account.identity for account in accounting.owners.values()]
        return frozenset(each[name] for each in identities for name in ("pod_uid", "container_id") if name in each)

    def _grantee(self, id_: str, given: Given) -> Grantee:
        """What was there before the daemon is not young."""
        now = self.host.clock.boottime_ns()
        since = self.since.get(id_, now if now > self.settled_ns else now - YOUNGEST_SECONDS * 10**9)
        owner = given.owner
        labels, identity = self.book.labels_of(owner, given.name), self.book.title_of(owner).identity
        return Grantee(
            id=id_,
            label=labels[0],
            labels=labels,
            identity=identity,
            uid=given.uid,
            since_boottime_ns=since,
            grants=tuple(self._timed(id_, grant) for grant in given.grants.values()),
        )

    def _timed(self, owner: str, grant: Grant) -> Grant:
        known = self.host.devices.current.get(grant.device)
        if known is None or known.kind != "gpu":
            return grant
        batches = self.host.holdings.current
        in_use = is_in_use(owner, grant.device, self.host.attribution, batches)
        now = self.host.clock.monotonic()
        sharing = MPS if grant.sharing in (TIME_SLICING, SHARED) and runs_mps(grant.device, batches) else grant.sharing
        idle = self.idle.seconds(owner, grant.device, now, in_use=in_use)
        return replace(grant, sharing=sharing, idle_seconds=idle)

    def _fill(self, owners: Mapping[str, Grantee]) -> None:
        youngest = self.host.clock.boottime_ns() - YOUNGEST_SECONDS * 10**9
        holding = [record for record in self.host.attribution.owners.values() if record.holders]
        every: list[Grantee | OwnerRecord] = [*owners.values(), *holding]
        lasting = [each for each in every if each.since_boottime_ns <= youngest]
        since: dict[Labels, float] = {}
        for each in lasting:
            since[each.labels] = min(each.since_boottime_ns, since.get(each.labels, each.since_boottime_ns))
        shown = set(self.budget.choose(since))
        self._fill_shares((each for each in lasting if isinstance(each, Grantee)), shown)
        known = {each.id: (each.labels, each.identity) for each in lasting if each.labels in shown}
        for labels in info.rows(known.values()):
            self.info.set("\0".join(labels), (1,))
        self.info.sweep()
        self.dropped.set((self.budget.dropped,))

    def _fill_shares(self, owners: Iterable[Grantee], shown: set[Labels]) -> None:
        sums: dict[str, _Row] = {}
        for owner in owners:
            is_shown = owner.labels in shown
            for gpu, (share, idle) in self._by_gpu(owner).items():
                key = "\0".join((*(owner.labels if is_shown else OTHER), *gpu))
                row = (share, idle if is_shown else None)  # times of many are no time of one
                sums[key] = _both(sums[key], row) if key in sums else row
        for key, row in sums.items():
            self.rows.set(key, row)
        self.rows.sweep()

    def _by_gpu(self, owner: Grantee) -> dict[tuple[str, str], _Row]:
        found: dict[tuple[str, str], _Row] = {}
        for grant in owner.grants:
            device = self.host.devices.current.get(grant.device)
            if device is not None and device.kind == "gpu":
                gpu = (device.facts.get("gpu", ""), device.id)
                row = (grant.share, None if grant.idle_seconds is None else round(grant.idle_seconds, 1))
                found[gpu] = _both(found[gpu], row) if gpu in found else row
        return found


def _blind(sources: Mapping[str, Allocations]) -> tuple[str, ...]:
    """The kubelet is heard at its socket or by its checkpoint: one that may be read is enough."""
    told = [sources[name] for name in _OF_KUBELET if name in sources]
    if any(not each.blind for each in told):
        told = []
    told += [each for name, each in sources.items() if name not in _OF_KUBELET]
    return tuple(reason for each in told for reason in each.blind)


def _both(one: _Row, other: _Row) -> _Row:
    """Shares of one GPU add up; it idles for as long as none of them is used."""
    share = add_rows(one[:1], other[:1])[0]
    idle = [seconds for seconds in (one[1], other[1]) if seconds is not None]
    return share, min(idle, default=None)
