# SPDX-License-Identifier: MIT
"""Which cgroups are accounted: every container, job and machine once, and units that hold none of these.

A sum over all of them counts nothing twice. A container is taken as the host sees it, whole: what it starts inside of
itself (Docker in LXC, a node of kind) is in its figures, and directories that a tenant makes there are not walked. A
pod is its containers, a job all its steps.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from types import MappingProxyType
from typing import NamedTuple

from hwinfod.owners.cgroup import resolve_path
from hwinfod.owners.identity import POD, SESSION, UNIT, WORKLOAD, Owner, claimed_by, strength

MOST_DIRECTORIES = 10_000
_DEEPEST = 32
_WITHOUT_PROCESSES = (".mount", ".socket", ".swap")


class Accounted(NamedTuple):
    """A cgroup with figures of its own. The inode tells it from a later one of the same path."""

    path: str
    inode: int


class _Node:
    """A directory. `state` is its inode and link count: the kernel counts a link for every directory in it. `uid` is
    who may make directories in it, `claimant` who made the outermost workload's, None where that is the host itself."""

    __slots__ = ("children", "claimant", "is_workload", "owner", "path", "state", "uid")

    def __init__(self, path: str, claimant: int | None = None) -> None:
        self.path = path
        self.claimant = claimant
        owner = resolve_path(path)
        self.owner = owner if claimant is None else claimed_by(claimant, owner)
        is_bare_pod = self.owner.kind == POD and self.owner.container_id is None
        self.is_workload = strength(self.owner) == WORKLOAD and not is_bare_pod
        self.state = (0, 0)
        self.uid = -1
        self.children: dict[str, _Node] = {}


class Tree:
    """One hierarchy. A pass costs a stat for each directory and lists only those that changed: kernfs keeps no time
    of change, but its link count (fs/kernfs/inode.c kernfs_refresh_inode()) and the inodes of the children tell. A
    pass that is not thorough leaves the workloads themselves alone: one that went shows in the link count of the
    directory above it, unless another one came in its place."""

    def __init__(self, base: str) -> None:
        self._base = base
        self._root = _Node("")
        self._size = 0
        self._visited = 0
        self._has_changed = True
        self._found: Mapping[Accounted, Owner] = {}
        self.left_out = 0

    def rescan(self, *, thorough: bool = True) -> Mapping[Accounted, Owner]:
        """The accounted cgroups as they are now: the same object while they are the same. `left_out` counts directories
        beyond `MOST_DIRECTORIES`."""
        self._visited, self.left_out = -1, 0  # the root is none of them
        self._refresh(self._root, 0, thorough=thorough)
        self._size = self._visited
        if self._has_changed:
            self._has_changed = False
            found = _accounted(self._root)
            self._found = MappingProxyType({Accounted(node.path, node.state[0]): node.owner for node in found})
        return self._found

    def _refresh(self, node: _Node, depth: int, *, thorough: bool) -> bool:
        """Whether the directory is still there."""
        try:
            status = os.stat(self._base + node.path)
        except OSError:
            return False
        self._visited += 1
        node.uid = status.st_uid
        state = (status.st_ino, status.st_nlink)
        changed = state != node.state
        if changed:
            node.state = state
            self._has_changed = True
        if node.is_workload or depth == _DEEPEST:
            return True
        if changed:
            self._list(node)
        gone = left_alone = 0
        for child in node.children.values():
            if child.is_workload and not (thorough or changed):
                left_alone += 1
            elif not self._refresh(child, depth + 1, thorough=thorough):
                gone += 1
        self._visited += left_alone
        if gone:  # one went and perhaps another came: the count is as it was
            self._has_changed = True
            known = set(node.children)
            self._list(node)
            for name in set(node.children) - known:
                self._refresh(node.children[name], depth + 1, thorough=True)
        return True

    def _list(self, node: _Node) -> None:
        try:
            with os.scandir(self._base + node.path) as entries:
                names = [entry.name for entry in entries if entry.is_dir(follow_symlinks=False)]
        except OSError:
            names = []
        children = {}
        claimant = self._claimant_below(node)
        for name in sorted(names):
            if name.endswith(_WITHOUT_PROCESSES):
                continue
            child = node.children.get(name)
            if child is None and self._size >= MOST_DIRECTORIES:
                self.left_out += 1
                node.state = (0, 0)  # to be listed again: there may be room then
                continue
            self._size += child is None
            children[name] = child or _Node(f"{node.path}/{name}", claimant)
        node.children = children

    def _claimant_below(self, node: _Node) -> int | None:
        """As sources.cgroupfs.delegate_of() tells: a directory that was given to a user, in whichever slice it is."""
        if strength(node.owner) == WORKLOAD:
            return node.claimant
        return node.uid if node.uid != self._root.uid else None


def _accounted(node: _Node) -> list[_Node]:
    if node.is_workload:
        return [node]
    below = [found for child in node.children.values() for found in _accounted(child)]
    unit = node.owner.unit or ""
    if node.owner.kind not in (UNIT, SESSION) or unit.startswith("user@"):
        return below
    return [found for found in below if found.is_workload] or [node]
