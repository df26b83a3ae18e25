# SPDX-License-Identifier: MIT
"""The real daemon, the real bindings of ROCm's library, and a real shared object in the library's place."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.fixtures.host import MINIMAL, Host
from tests.fixtures.host.gpus import GpuHost
from tests.support.amdsmi import FakeAmdSmi
from tests.support.daemon import Daemon, make_directory

DETAILED = "/metrics?level=detailed"
GPU = {"gpu": "0", "uuid": "GPU-cfc7b4d5b96c0a00"}
STATE = {
    "boards": 1, "board.0.bdf": "0000:05:00.0", "board.0.ecc.1": "3 1 0", "board.0.per_ppt_pwr": 25,
    "board.0.xgmi_errors": 1,
}  # fmt: skip


@pytest.fixture
def host() -> Iterator[Host]:
    """With one board, whose driver counts no errors itself."""
    directory = make_directory("host")
    host = Host(directory, shape=MINIMAL, seed=1)
    board = GpuHost(Path(host.tree.root)).add_instinct(0)
    shutil.rmtree(board.directory / "ras")
    yield host
    shutil.rmtree(directory)


def reason(daemon: Daemon) -> str:
    collectors = daemon.get("/v1/collectors").json()["collectors"]
    (found,) = (c for c in collectors if c["name"] == "amdsmi")
    return f"{found['state']}: {found['reason']}"


def test_what_the_library_says_is_in_the_metrics(host: Host, tmp_path: Path) -> None:
    fake = FakeAmdSmi(tmp_path, STATE)
    with Daemon.start("--collector.amdsmi.interval=1", host=host, **fake.environ) as daemon:
        daemon.wait_until(lambda: daemon.scrape(DETAILED).series("hw_gpu_violation_ratio") != {}, "the library")
        daemon.wait_samples(1)
        read = daemon.scrape(DETAILED)
        assert read.series("hw_gpu_violation_ratio") == {frozenset({**GPU, "violation": "power"}.items()): 0.25}
        assert read.value("hw_gpu_ecc_errors_total", **GPU, type="uncorrected", memory="umc") == 1
        assert read.value("hw_gpu_xgmi_error_state", **GPU, state="one") == 1
        fake.write({**STATE, "board.0.per_ppt_pwr": 50})
        daemon.wait_until(
            lambda: daemon.scrape(DETAILED).value("hw_gpu_violation_ratio", **GPU, violation="power") == 0.5,
            "the new value",
        )
        assert daemon.stop() == 0
    calls = fake.calls()
    assert calls == ["init", "shut down"] * (len(calls) // 2)


def test_a_library_older_than_the_bindings_is_absent(host: Host, tmp_path: Path) -> None:
    fake = FakeAmdSmi(tmp_path, STATE, without=("amdsmi_get_cpu_affinity_with_scope",))
    with Daemon.start(host=host, **fake.environ) as daemon:
        daemon.wait_until(lambda: "does not fit" in reason(daemon), "the refusal")
        assert reason(daemon).startswith("absent: AMD SMI does not fit: AttributeError")
        daemon.wait_samples(1)
        assert daemon.scrape(DETAILED).value("hw_gpu_up", **GPU) == 1


def test_a_library_that_hangs_costs_only_its_lane(host: Host, tmp_path: Path) -> None:
    fake = FakeAmdSmi(tmp_path, {**STATE, "hang.amdsmi_get_violation_status": 1})
    with Daemon.start("--collector.amdsmi.interval=1", host=host, **fake.environ) as daemon:
        stuck = frozenset({("collector", "amdsmi")})
        daemon.wait_until(
            lambda: daemon.scrape(DETAILED).series("hwinfod_collector_stuck").get(stuck) == 1, "hwinfod_collector_stuck"
        )
        daemon.wait_samples(1, "amd")
        assert daemon.scrape(DETAILED).value("hw_gpu_up", **GPU) == 1
        fake.write(STATE)
        daemon.wait_until(lambda: daemon.scrape(DETAILED).series("hw_gpu_violation_ratio") != {}, "the library again")
