# SPDX-License-Identifier: MIT
"""The nodes below /dev/dri by which programs open a GPU.

Source: drivers/gpu/drm/drm_sysfs.c; the names by path are udev's, rules.d/60-drm.rules of systemd.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, NamedTuple

from hwinfod.sources.files import list_directory

if TYPE_CHECKING:
    from hwinfod.core.host import RootPaths

_DIRECTORY = "/dev/dri"


class DrmNodes(NamedTuple):
    """Paths, "" for what is not there. `by_path` is the render node by a name that no other card takes at a boot."""

    card: str
    render: str
    by_path: str


def read_drm_nodes(roots: RootPaths, directory: str) -> DrmNodes:
    """Of the PCI function in a real directory of sysfs."""
    names = list_directory(os.path.join(directory, "drm"))
    by_path = f"{_DIRECTORY}/by-path/pci-{os.path.basename(directory)}-render"
    return DrmNodes(
        _first(names, "card"), _first(names, "renderD"), by_path if os.path.lexists(roots.root(by_path)) else ""
    )


def _first(names: list[str], prefix: str) -> str:
    """Connectors are there too: card0-DP-1."""
    return next((f"{_DIRECTORY}/{n}" for n in names if n.startswith(prefix) and n[len(prefix) :].isdigit()), "")
