# SPDX-License-Identifier: MIT
"""hwinfod's own process on a real kernel with two NUMA nodes and an NVMe disk behind a PCIe port of the second."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.vm.reports import HERE, checks_of, run_checks

pytestmark = [pytest.mark.tier("vm"), pytest.mark.timeout(900)]
PROGRAM = HERE / "hardware_in_guest.py"


def _devices(disk: Path) -> list[str]:
    node = "size=512M"
    return [
        *("-object", f"memory-backend-ram,id=memory0,{node}", "-object", f"memory-backend-ram,id=memory1,{node}"),
        *("-numa", "node,nodeid=0,cpus=0,memdev=memory0", "-numa", "node,nodeid=1,cpus=1,memdev=memory1"),
        *("-device", "pxb-pcie,id=bridge,bus_nr=64,numa_node=1,bus=pcie.0"),
        *("-device", "pcie-root-port,id=root_port,bus=bridge,chassis=1,slot=1,x-speed=16,x-width=8"),
        *("-drive", f"if=none,id=nvme,file={disk},format=raw,snapshot=on"),
        *("-device", "nvme,drive=nvme,serial=GUEST-NVME-0,bus=root_port"),
    ]


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """What each check found, out of one boot."""
    disk = tmp_path_factory.mktemp("disk") / "disk"
    with disk.open("wb") as file:
        file.truncate(64 << 20)
    return run_checks(PROGRAM, {}, qemu=_devices(disk))


@pytest.mark.parametrize("check", checks_of(PROGRAM))
def test_hwinfod_agrees_with_the_kernel(report: dict[str, str], check: str) -> None:
    assert report[check] == ""
