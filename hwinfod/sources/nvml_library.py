# SPDX-License-Identifier: MIT
"""Finding NVIDIA's library, and putting it where the bindings look for it.

The bindings know one library, which the dynamic loader names. Here it is looked for in a list of places and mapped by
its real path: a driver that was upgraded under us has another file behind the same name, and the loader hands out the
old mapping again for a name that it has seen. The old mapping stays, once an upgrade.
"""

from __future__ import annotations

import ctypes
import os
from typing import TYPE_CHECKING

from hwinfod.sources.files import read_file
from hwinfod.sources.nvml_errors import LIBRARY_NOT_FOUND, LibraryFailed
from hwinfod.sources.pci import NVIDIA, list_gpus

if TYPE_CHECKING:
    from collections.abc import Iterable

    from hwinfod.core.host import RootPaths

NAME = "libnvidia-ml.so.1"
LOADER = "loader"

# The dynamic loader's places, then the GPU operator's driver container, then GKE's Container-Optimized OS.
PLACES = (
    LOADER,
    "/run/nvidia/driver/usr/lib64",
    "/run/nvidia/driver/usr/lib/x86_64-linux-gnu",
    "/run/nvidia/driver/usr/lib/aarch64-linux-gnu",
    "/home/kubernetes/bin/nvidia/lib64",
)


def has_driver(roots: RootPaths) -> bool:
    """Whether the kernel has NVIDIA's driver: it made /proc/driver/nvidia, or somebody its control node."""
    return os.path.isdir(roots.proc("driver", "nvidia")) or os.path.exists(roots.root("/dev/nvidiactl"))


def list_gpus_on_pci(roots: RootPaths) -> list[str]:
    """The PCI addresses of NVIDIA's display and compute functions, whatever driver has them."""
    return [address for address, vendor in list_gpus(roots).items() if vendor == NVIDIA]


def map_library(roots: RootPaths, places: Iterable[str]) -> str:
    """Maps the first library found and gives it to the bindings. Returns its path.

    Raises LibraryFailed (12) where there is none.
    """
    for place in places:
        path = _find_for_loader() if place == LOADER else os.path.realpath(os.path.join(roots.root(place), NAME))
        if path and os.path.exists(path):
            try:
                library = ctypes.CDLL(path)
            except OSError:
                continue  # of another architecture, or half installed
            _hand_over(library)
            return path
    raise LibraryFailed("nvmlInitWithFlags", LIBRARY_NOT_FOUND)


def _find_for_loader() -> str:
    """The file that the loader's name stands for now, "" for none."""
    try:
        ctypes.CDLL(NAME)
    except OSError:
        return ""
    return os.path.realpath(os.path.join(os.path.dirname(_mapped_path()), NAME))


def _mapped_path() -> str:
    """Where the mapping that we have came from, "" for none; an upgrade may have removed that file, and the link
    beside it leads elsewhere by then. Source: proc_pid_maps(5), the path is the sixth field."""
    for line in read_file("/proc/self/maps").splitlines():
        path = line.split(maxsplit=5)[5:]
        if path and b"/libnvidia-ml.so" in path[0]:
            return os.fsdecode(path[0].removesuffix(b" (deleted)"))
    return ""


def _hand_over(library: ctypes.CDLL) -> None:
    """The bindings have no call for this: they keep the library, its functions and a count in globals."""
    import pynvml

    pynvml.nvmlLib = library
    pynvml._nvmlGetFunctionPointer_cache.clear()
    pynvml._nvmlLib_refcount = 0
