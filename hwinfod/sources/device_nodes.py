# SPDX-License-Identifier: MIT
"""The nodes in /dev through which programs reach GPUs and RDMA devices.

A driver cannot be unloaded while one of its nodes is open. Source: Documentation/admin-guide/devices.txt; the node
names of NVIDIA's are those of nvidia-modprobe.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from hwinfod.sources.files import list_directory

if TYPE_CHECKING:
    from hwinfod.core.host import RootPaths

CLASSES = ("nvidia", "dri", "kfd", "infiniband", "vfio")

_DEV = "/dev/"
_DELETED = " (deleted)"  # fs/d_path.c: the node was removed, the driver is still held
_DIRECTORIES = frozenset({"dri", "infiniband", "vfio"})
_NVIDIA = "nvidia"
_NOT_OF_A_DRIVER = frozenset({"by-path", "by-ibdev"})  # directories of links


def class_of(node: str) -> str:
    """ "nvidia" of /dev/nvidia0 and /dev/nvidia-uvm, "dri" of /dev/dri/card0 ...; "" of any other file."""
    if not node.startswith(_DEV):
        return ""
    first, slash, rest = node[len(_DEV) :].partition("/")
    if first in _DIRECTORIES:
        return first if rest else ""
    if first == "kfd":
        return "" if slash else "kfd"
    tail = first.removeprefix(_NVIDIA)
    is_nvidia = first.startswith(_NVIDIA) and (tail.isdigit() or tail == "ctl" or tail.startswith("-"))
    return _NVIDIA if is_nvidia else ""


def is_node(target: str) -> bool:
    """Whether a descriptor is open on such a node. The path is as the process's own mount namespace has it: a tenant
    may have a file there that only looks like one, which says something of himself and of nobody else."""
    return class_of(node_of(target)) != ""


def node_of(target: str) -> str:
    """The node that a descriptor is open on, there or removed since."""
    return target.removesuffix(_DELETED)


def has_nodes(roots: RootPaths) -> bool:
    """Whether this host has any such node."""
    directory = roots.root("/dev")
    for name in list_directory(directory):
        if name in _DIRECTORIES:
            if set(list_directory(os.path.join(directory, name))) - _NOT_OF_A_DRIVER:
                return True
        elif class_of(_DEV + name):
            return True
    return False
