# SPDX-License-Identifier: MIT
"""hwinfod's own process on a real kernel with RDMA devices (soft RoCE), against the `rdma` tool of iproute2."""

from __future__ import annotations

import pytest

from tests.vm.reports import HERE, checks_of, run_checks

pytestmark = [pytest.mark.tier("vm"), pytest.mark.timeout(900)]
PROGRAM = HERE / "rdma_in_guest.py"


@pytest.fixture(scope="module")
def report() -> dict[str, str]:
    """What each check found, out of one boot."""
    return run_checks(PROGRAM, {"network": HERE / "rdma_network.sh"}, prepare="sh ./network")


@pytest.mark.parametrize("check", checks_of(PROGRAM))
def test_hwinfod_agrees_with_rdma(report: dict[str, str], check: str) -> None:
    assert report[check] == ""
