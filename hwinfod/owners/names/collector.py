# SPDX-License-Identifier: MIT
"""Names of containers and pods, read from disk on a lane of their own and handed over as two snapshots, the kubelet's
and the runtimes', which may disagree: `host.names`. The bundles that have the names have what the runtime gave, too:
`host.allocations`."""

from __future__ import annotations

from itertools import groupby
from typing import TYPE_CHECKING

from hwinfod.core.allocation import Allocation, Allocations
from hwinfod.core.collector import Collector, beat
from hwinfod.core.metric import Kind, Level, Metric
from hwinfod.core.owner import ContainerName, Names
from hwinfod.errors import ParseError
from hwinfod.owners.allocated import given
from hwinfod.owners.names import bundles, logs
from hwinfod.owners.names.bundles import BundleWatch, name_of
from hwinfod.sources.oci_bundle import read_storage_names

if TYPE_CHECKING:
    from hwinfod.owners.names.bundles import BundleChanges

CONTAINER_NAMES = Metric(
    name="hwinfod_owner_names",
    kind=Kind.GAUGE,
    help="Containers and pods whose names are known, by where the names were read.",
    source="/var/log/pods, /var/log/containers, config.json of OCI bundles",
    labels=("source",),
    level=Level.DETAILED,
)


class OwnerNames(Collector):
    name = "owner_names"
    summary = "names of pods and containers from the kubelet's logs and OCI bundles"
    lane = "owner_names"

    def open(self) -> None:
        self.watch = BundleWatch(self.roots)
        self.bundles: dict[str, ContainerName] = {}
        self.given: dict[str, Allocation] = {}
        sources = (logs.SOURCE, bundles.SOURCE)
        self.counts = self.table.bind_columns([(CONTAINER_NAMES, (source,)) for source in sources])

    @beat(seconds=10)
    def sample(self) -> None:
        self.step("read the kubelet's log directories")
        pods, containers = logs.read_names(self.roots)
        self.step("read OCI bundles")
        changes = self.watch.poll()
        self._keep(changes)
        self._publish(
            {
                logs.SOURCE: Names(tuple(containers), tuple(pods)),
                bundles.SOURCE: Names(tuple(self.bundles.values()), (), _blind(changes.refused)),
            }
        )
        now = self.host.clock.boottime_ns()
        self.host.allocations.publish(given.SOURCE, Allocations(now, tuple(self.given.values())))
        self.counts.set((len(pods) + len(containers), len(self.bundles)))

    def close(self) -> None:
        self.host.names.withdraw(logs.SOURCE)
        self.host.names.withdraw(bundles.SOURCE)
        self.host.allocations.withdraw(given.SOURCE)

    def _publish(self, told: dict[str, Names]) -> None:
        """Both where one has news: where they disagree bundles are learned last, and what is shown stays the same."""
        current = self.host.names.current
        if any(current.get(source) != names for source, names in told.items()):
            for source, names in told.items():
                self.host.names.publish(source, names)

    def _keep(self, changes: BundleChanges) -> None:
        for container_id in changes.gone:
            self.bundles.pop(container_id, None)
            self.given.pop(container_id, None)
        stored = self._storage_names(changes)
        for bundle, spec in changes.new:
            name = name_of(bundle, spec)
            if not (name.container or name.pod):  # Podman writes no name into the bundle, Docker keeps its own
                name = name._replace(container=stored.get(bundle.container_id, ""))
            self.bundles[bundle.container_id] = name
            allocation = given.allocation_of(bundle, spec, name, self.roots)
            if allocation is not None:
                self.given[bundle.container_id] = allocation

    def _storage_names(self, changes: BundleChanges) -> dict[str, str]:
        """Of Podman's containers; the file is large, and read only where a bundle came that may be Podman's."""
        if all(bundle.scope for bundle, _ in changes.new):
            return {}
        try:
            return read_storage_names(self.roots)
        except ParseError as error:
            self.skip("names of Podman's containers", error)
            return {}


def _blind(refused: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(
        f"attribution blind: {directory} may not be read, names of containers may be missing: "
        "give the daemon CAP_DAC_READ_SEARCH"
        for directory, _ in groupby(sorted(refused))
    )
