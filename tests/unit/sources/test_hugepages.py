# SPDX-License-Identifier: MIT
from __future__ import annotations

from pathlib import Path

from hwinfod.sources.files import Roots
from hwinfod.sources.hugepages import HugePages, read_hugepages


def write_pool(base: Path, name: str, **counts: int) -> None:
    (base / name).mkdir(parents=True)
    for file, count in counts.items():
        (base / name / file).write_text(f"{count}\n")


def test_pools_of_the_host_by_size(tmp_path: Path) -> None:
    base = tmp_path / "kernel/mm/hugepages"
    write_pool(base, "hugepages-1048576kB", nr_hugepages=4, free_hugepages=1, resv_hugepages=1, surplus_hugepages=0)
    write_pool(base, "hugepages-2048kB", nr_hugepages=512, free_hugepages=500, resv_hugepages=2, surplus_hugepages=3)
    write_pool(base, "hugepages-odd", nr_hugepages=1, free_hugepages=1)
    assert read_hugepages(Roots(sysfs=str(tmp_path))) == (
        HugePages(2 << 20, 512, 500, 2, 3),
        HugePages(1 << 30, 4, 1, 1, 0),
    )


def test_pools_of_a_node_have_no_reservations(tmp_path: Path) -> None:
    base = tmp_path / "devices/system/node/node1/hugepages"
    write_pool(base, "hugepages-2048kB", nr_hugepages=256, free_hugepages=255, surplus_hugepages=0)
    assert read_hugepages(Roots(sysfs=str(tmp_path)), 1) == (HugePages(2 << 20, 256, 255, None, 0),)


def test_none_and_a_pool_that_cannot_be_read(tmp_path: Path) -> None:
    assert read_hugepages(Roots(sysfs=str(tmp_path))) == ()
    write_pool(tmp_path / "kernel/mm/hugepages", "hugepages-2048kB", nr_hugepages=1)
    assert read_hugepages(Roots(sysfs=str(tmp_path))) == ()
