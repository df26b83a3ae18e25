# SPDX-License-Identifier: MIT
"""Names and given devices from OCI bundles: for CAP_DAC_READ_SEARCH. Each bundle is read once in its life."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from hwinfod.core.owner import ContainerName
from hwinfod.errors import ParseError, ReadError
from hwinfod.sources.oci_bundle import Bundle, list_bundles, read_bundle

if TYPE_CHECKING:
    from hwinfod.core.host import RootPaths
    from hwinfod.sources.oci_spec import OciSpec

SOURCE = "bundles"
MOST_A_PASS = 64
# A runtime makes the directory first and writes config.json next: an early look finds half of it.
MOST_ATTEMPTS = 3


class BundleChanges(NamedTuple):
    """What came and went since the pass before, and the directories that we may not look into."""

    new: tuple[tuple[Bundle, OciSpec], ...]
    gone: tuple[str, ...]
    refused: tuple[str, ...]


class BundleWatch:
    """The bundles that were read. A pass reads at most `MOST_A_PASS` files, so that a full node costs no long
    silence at start. For one thread."""

    def __init__(self, roots: RootPaths) -> None:
        self._roots = roots
        self._read: set[Bundle] = set()
        self._attempts: dict[Bundle, int] = {}

    def poll(self) -> BundleChanges:
        """One pass. Never raises: a bundle that cannot be read costs that bundle."""
        found, refused = list_bundles(self._roots)
        present = set(found)
        gone = tuple(sorted(bundle.container_id for bundle in self._read - present))
        self._read &= present
        self._attempts = {bundle: count for bundle, count in self._attempts.items() if bundle in present}
        new = []
        for bundle in [bundle for bundle in found if self._is_due(bundle)][:MOST_A_PASS]:
            spec = self._spec(bundle)
            if spec is not None:
                new.append((bundle, spec))
        return BundleChanges(tuple(new), gone, refused)

    def _is_due(self, bundle: Bundle) -> bool:
        return bundle not in self._read and self._attempts.get(bundle, 0) < MOST_ATTEMPTS

    def _spec(self, bundle: Bundle) -> OciSpec | None:
        try:
            spec = read_bundle(bundle)
        except (ReadError, ParseError):
            self._attempts[bundle] = self._attempts.get(bundle, 0) + 1
            return None
        self._read.add(bundle)
        return spec


def name_of(bundle: Bundle, spec: OciSpec) -> ContainerName:
    """The names in a bundle; for a pod's sandbox those of the pod."""
    return ContainerName(bundle.container_id, spec.container, spec.namespace, spec.pod, spec.pod_uid, spec.image)
