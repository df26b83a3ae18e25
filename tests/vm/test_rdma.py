# SPDX-License-Identifier: MIT
"""hwinfod's own process on real kernels with RDMA devices (soft RoCE, soft iWARP), against the `rdma` tool of iproute2.

What these lack is proven with messages alone, in tests/unit/collectors/test_rdma*.py: counters bound to queue pairs
(rxe's mode can be set to auto, and none ever appears), priority flow control, InfiniBand's own counters.
"""

from __future__ import annotations

import pytest

from tests.vm.build import SUITES
from tests.vm.reports import HERE, checks_of, run_checks

pytestmark = [pytest.mark.tier("vm"), pytest.mark.timeout(900)]
PROGRAM = HERE / "rdma_in_guest.py"
FILES = ("rdma_network.sh", "rdma_traffic.py", "rdma_agreement.py", "failed_queue_pair.py")
NETNS_SHARED = {"bookworm": 1, "trixie": 0}


@pytest.fixture(scope="module", params=SUITES)
def report(request: pytest.FixtureRequest) -> dict[str, str]:
    """What each check found, out of one run of each guest."""
    files = {name: HERE / name for name in FILES}
    prepare = f"export NETNS_SHARED={NETNS_SHARED[request.param]} && sh ./rdma_network.sh"
    return run_checks(PROGRAM, files, suite=request.param, prepare=prepare)


@pytest.mark.parametrize("check", checks_of(PROGRAM))
def test_hwinfod_agrees_with_rdma(report: dict[str, str], check: str) -> None:
    assert report[check] == ""
