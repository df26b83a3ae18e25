# SPDX-License-Identifier: MIT
"""hwinfod's own process on real kernels with two NUMA nodes, an NVMe disk behind a PCIe port of the second, a network
card whose PCIe errors are injected, a display, a BMC, and a thermometer on i2c."""

from __future__ import annotations

import pytest

from tests.vm.build import SUITES
from tests.vm.devices import hardware
from tests.vm.reports import HERE, checks_of, run_checks

pytestmark = [pytest.mark.tier("vm"), pytest.mark.timeout(900)]
PROGRAM = HERE / "hardware_in_guest.py"


@pytest.fixture(scope="module", params=SUITES)
def report(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """What each check found, out of one boot of each guest."""
    devices = [*hardware(tmp_path_factory.mktemp("hardware")), "-device", "virtio-gpu-pci,bus=pcie.0"]
    return run_checks(PROGRAM, {}, suite=request.param, qemu=devices)


@pytest.mark.parametrize("check", checks_of(PROGRAM))
def test_hwinfod_agrees_with_the_kernel(report: dict[str, str], check: str) -> None:
    assert report[check] == ""
