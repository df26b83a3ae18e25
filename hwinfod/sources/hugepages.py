# SPDX-License-Identifier: MIT
"""Pools of huge pages by page size, of the host or of one NUMA node.

Source: Documentation/admin-guide/mm/hugetlbpage.rst.
"""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from hwinfod.sources.files import list_directory, read_int

if TYPE_CHECKING:
    from hwinfod.core.host import RootPaths

_SIZE = re.compile(r"hugepages-(\d{1,12})kB\Z")


@dataclass(frozen=True, slots=True)
class HugePages:
    """A pool, counted in pages. `reserved` pages are free ones that are promised; None on a NUMA node, where
    the kernel keeps no such count. `surplus` pages go when they are no longer used."""

    page_bytes: int
    pages: int
    free: int
    reserved: int | None
    surplus: int | None


def read_hugepages(roots: RootPaths, numa_node: int | None = None) -> tuple[HugePages, ...]:
    """The pools, smallest page first; none on a kernel without hugetlbfs."""
    if numa_node is None:
        base = roots.sys("kernel/mm/hugepages")
    else:
        base = roots.sys("devices/system/node", f"node{numa_node}", "hugepages")
    pools = []
    for name in list_directory(base):
        match = _SIZE.match(name)
        if match:
            pool = _read_pool(os.path.join(base, name), int(match[1]) << 10)
            if pool is not None:
                pools.append(pool)
    return tuple(sorted(pools, key=lambda pool: pool.page_bytes))


def _read_pool(directory: str, page_bytes: int) -> HugePages | None:
    pages = read_int(os.path.join(directory, "nr_hugepages"))
    free = read_int(os.path.join(directory, "free_hugepages"))
    if pages is None or free is None:
        return None
    return HugePages(
        page_bytes=page_bytes,
        pages=pages,
        free=free,
        reserved=read_int(os.path.join(directory, "resv_hugepages")),
        surplus=read_int(os.path.join(directory, "surplus_hugepages")),
    )
