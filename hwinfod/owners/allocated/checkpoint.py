# SPDX-License-Identifier: MIT
"""What the kubelet's device manager remembers to have given, for where its socket may not be opened: needs
CAP_DAC_READ_SEARCH. Of pods that have ended it remembers too: only those with a cgroup count."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from hwinfod.core.allocation import Allocatable, Allocation, Allocations
from hwinfod.core.collector import Collector, beat
from hwinfod.core.metric import Kind, Level, Metric
from hwinfod.errors import Absent, Denied, Gone
from hwinfod.owners.usage.tree import Tree
from hwinfod.sources.cgroupfs import find_hierarchies
from hwinfod.sources.kubelet_checkpoint import CHECKPOINT, read_checkpoint
from hwinfod.sources.pod_resources import devices_of

if TYPE_CHECKING:
    from hwinfod.sources.kubelet_checkpoint import DeviceEntry

ENTRIES = Metric(
    name="hwinfod_kubelet_checkpoint_entries",
    kind=Kind.GAUGE,
    help="Resources of containers in the kubelet's checkpoint, of pods that run.",
    source=CHECKPOINT,
    level=Level.DETAILED,
)
SOURCE = "checkpoint"


class KubeletCheckpoint(Collector):
    name = "kubelet_checkpoint"
    summary = "devices that the kubelet gave to containers, from its checkpoint"
    lane = "owner_names"

    def open(self) -> None:
        if not os.path.isdir(os.path.dirname(os.path.dirname(self.roots.root(CHECKPOINT)))):
            raise Absent("no kubelet has been here")
        self.trees = [Tree(base) for base in find_hierarchies(self.roots).trees()]
        self.count = self.table.bind((ENTRIES,))

    @beat(seconds=15)
    def sample(self) -> None:
        now = self.host.clock.boottime_ns()
        try:
            checkpoint = read_checkpoint(self.roots)
        except Gone:
            raise Absent("the kubelet has no checkpoint of devices") from None
        except Denied:
            blind = (
                f"attribution blind: {CHECKPOINT} may not be read, devices that the kubelet gave may be missing: "
                "give the daemon CAP_DAC_READ_SEARCH"
            )
            self.host.allocations.publish(SOURCE, Allocations(now, blind=(blind,)))
            return
        running = {owner.pod_uid for tree in self.trees for owner in tree.rescan().values()}
        entries = [entry for entry in checkpoint.entries if entry.pod_uid in running]
        allocatable = [Allocatable(resource, ids, devices_of(ids)) for resource, ids in checkpoint.registered.items()]
        self.host.allocations.publish(SOURCE, Allocations(now, tuple(map(_allocation, entries)), tuple(allocatable)))
        self.count.set((len(entries),))

    def close(self) -> None:
        self.host.allocations.withdraw(SOURCE)


def _allocation(entry: DeviceEntry) -> Allocation:
    return Allocation(
        namespace="",
        pod="",
        container=entry.container,
        resource=entry.resource,
        device_ids=entry.device_ids,
        devices=devices_of(entry.device_ids),
        source=SOURCE,
        pod_uid=entry.pod_uid,
        nodes=entry.device_paths,
        uses_mps=entry.uses_mps,
    )
