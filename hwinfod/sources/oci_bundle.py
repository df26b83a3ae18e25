# SPDX-License-Identifier: MIT
"""Where runtimes keep the bundles of their running containers: for root only (CAP_DAC_READ_SEARCH is enough).

The layout is not an API; it has been the same since containerd 1.3, CRI-O 1.13 and Podman 1.0.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, NamedTuple

from hwinfod.errors import ReadError
from hwinfod.sources.files import read_regular
from hwinfod.sources.json_document import array, mapping, parse_json, text, texts
from hwinfod.sources.oci_spec import CONTAINERD, CRIO, OciSpec, parse_spec

if TYPE_CHECKING:
    from hwinfod.core.host import RootPaths

_TASKS = "io.containerd.runtime.v2.task"
# State directories of containerd: the distribution's, k3s and RKE2, k0s, MicroK8s, and Docker's own instance.
CONTAINERD_STATES = (
    "/run/containerd",
    "/run/k3s/containerd",
    "/run/k0s/containerd",
    "/var/snap/microk8s/common/run/containerd",
    "/run/docker/containerd/daemon",
)
# containers/storage, used by CRI-O and by Podman as root.
STORAGE_RUN = "/run/containers/storage/overlay-containers"
STORAGE_NAMES = (
    "/var/lib/containers/storage/overlay-containers/containers.json",
    "/var/lib/containers/storage/overlay-containers/volatile-containers.json",
)

_SPEC_LIMIT = 4 << 20
_NAMES_LIMIT = 16 << 20
_LONGEST_ID = 255
_PUNCTUATION = {ord(character): None for character in "-._"}
MOST_BUNDLES = 4096


class Bundle(NamedTuple):
    """A container's bundle on disk. `scope` is containerd's namespace (k8s.io, moby, default), or "" in
    containers/storage."""

    container_id: str
    scope: str
    path: str


class Bundles(NamedTuple):
    """What was found, and the directories that exist and that we may not look into."""

    found: tuple[Bundle, ...]
    refused: tuple[str, ...]


def list_bundles(roots: RootPaths) -> Bundles:
    """The bundles of all runtimes, at most `MOST_BUNDLES`. No file is opened."""
    found: list[Bundle] = []
    refused: list[str] = []
    for directory, scope, below in _places(roots):
        try:
            names = os.listdir(directory)
        except FileNotFoundError:
            continue
        except OSError:
            refused.append(directory)
            continue
        ids = [name for name in sorted(names) if _is_id(name)][: MOST_BUNDLES - len(found)]
        found += [Bundle(name, scope, f"{directory}/{name}{below}/config.json") for name in ids]
    return Bundles(tuple(found), tuple(refused))


def _places(roots: RootPaths) -> list[tuple[str, str, str]]:
    """(directory of bundles, scope, what lies between a container's directory and its config.json)."""
    places = [(roots.root(STORAGE_RUN), "", "/userdata")]
    for state in CONTAINERD_STATES:
        tasks = roots.root(f"{state}/{_TASKS}")
        try:
            scopes = sorted(os.listdir(tasks))
        except FileNotFoundError:
            continue
        except OSError:
            places.append((tasks, "", ""))  # refused: to be told where the bundles are listed
            continue
        places += [(f"{tasks}/{scope}", scope, "") for scope in scopes if _is_id(scope)]
    return places


def read_bundle(bundle: Bundle) -> OciSpec:
    """Raises a `ReadError` (Gone when the container ended) or ParseError."""
    return parse_spec(read_regular(bundle.path, _SPEC_LIMIT), CONTAINERD if bundle.scope else CRIO)


def parse_storage_names(data: bytes) -> dict[str, str]:
    """Of containers/storage's containers.json: container id -> its first name, which Podman gives or was given.
    (CRI-O's are k8s_CONTAINER_POD_NAMESPACE_UID_ATTEMPT.) Raises ParseError."""
    found = {}
    for item in array(parse_json(data)):
        record = mapping(item)
        identifier, names = text(record.get("id")), texts(record.get("names"))
        if identifier and names:
            found[identifier] = names[0]
    return found


def read_storage_names(roots: RootPaths) -> dict[str, str]:
    """Names of Podman's containers by id, of those that are to be removed on exit too. Files that are not there
    or refuse add nothing. Raises ParseError."""
    found: dict[str, str] = {}
    for path in STORAGE_NAMES:
        try:
            found |= parse_storage_names(read_regular(roots.root(path), _NAMES_LIMIT))
        except ReadError:
            continue
    return found


def _is_id(name: str) -> bool:
    """containerd's ids and namespaces: letters, digits, and -._ between them (pkg/identifiers)."""
    plain = name.translate(_PUNCTUATION)
    return 0 < len(name) <= _LONGEST_ID and plain.isascii() and plain.isalnum()
