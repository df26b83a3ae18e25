# SPDX-License-Identifier: MIT
"""The real daemon on hosts with AMD GPUs: what the files say is what every face says."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.fixtures.host import MINIMAL, Host
from tests.fixtures.host.gpus import GIB, GpuHost, gpu_metrics
from tests.support.daemon import Daemon, make_directory

DETAILED = "/metrics?level=detailed"
UUID = "GPU-cfc7b4d5b96c0a00"
GPU = {"gpu": "0", "uuid": UUID}


@pytest.fixture
def host() -> Iterator[Host]:
    """Without any GPU yet."""
    directory = make_directory("host")
    yield Host(directory, shape=MINIMAL, seed=1)
    shutil.rmtree(directory)


@pytest.fixture
def gpus(host: Host) -> GpuHost:
    return GpuHost(Path(host.tree.root))


def test_eight_boards_on_every_face(host: Host, gpus: GpuHost) -> None:
    boards = [gpus.add_instinct(number) for number in range(8)]
    gpus.use(4711, {boards[0].gpu_ids[0]: 2 * GIB}, units=76)
    with Daemon.start(host=host) as daemon:
        daemon.wait_samples(1)
        read = daemon.scrape(DETAILED)
        assert len(read.series("hw_gpu_up")) == 8
        assert read.value("hw_gpu_up", **GPU) == 1
        assert read.value("hw_gpu_power_watts", **GPU) == 402.5
        assert read.value("hw_gpu_memory_usage_bytes", **GPU) == 100 * GIB
        assert read.value("hw_gpu_temperature_celsius", **GPU, sensor="junction") == 51
        assert read.value("hw_gpu_ecc_errors_total", **GPU, type="uncorrected", memory="umc") == 1
        assert read.value("hw_gpu_processes", **GPU) == 1
        (info,) = (dict(labels) for labels in read.series("hw_gpu_info") if ("gpu", "0") in labels)
        assert info["model"] == "AMD Instinct MI300X"
        board = daemon.get(f"/v1/devices/{UUID}").json()
        assert board["facts"]["render_node"] == "/dev/dri/renderD128"
        failing = [labels for labels, value in read.series("hwinfod_collector_failures_total").items() if value]
        assert failing == []


def test_values_follow_the_files(host: Host, gpus: GpuHost) -> None:
    board = gpus.add_instinct(0, partitions=8)
    with Daemon.start(host=host) as daemon:
        daemon.wait_samples(1)
        partition = {**GPU, "partition": "7"}
        assert daemon.scrape(DETAILED).value("hw_gpu_partition_utilization_ratio", **partition) == 0.9
        parts = [{"gfx": [n]} for n in range(8)]
        board.write(gpu_metrics=gpu_metrics("v1_8", parts, num_partition=8))
        daemon.wait_until(
            lambda: daemon.scrape(DETAILED).value("hw_gpu_partition_utilization_ratio", **partition) == 0.07,
            "the new table",
        )


def test_a_board_that_comes_late_is_found(host: Host, gpus: GpuHost) -> None:
    with Daemon.start(host=host) as daemon:
        assert daemon.scrape(DETAILED).series("hw_gpu_up") == {}
        gpus.add_radeon()
        daemon.wait_until(lambda: daemon.scrape(DETAILED).series("hw_gpu_up") != {}, "the new board")


def test_an_intel_card_and_its_client(host: Host, gpus: GpuHost) -> None:
    gpus.add_max()
    gpus.open_drm(4711, 3, "drm-driver: xe\ndrm-pdev: 0000:29:00.0\ndrm-client-id: 1\ndrm-resident-vram0: 1 GiB\n")
    card = {"gpu": "0", "uuid": "pci-0000:29:00.0"}
    with Daemon.start("--collector.drm.processes-interval=1", host=host) as daemon:
        daemon.wait_samples(1)
        read = daemon.scrape(DETAILED)
        assert read.value("hw_gpu_energy_joules_total", **card) == 7.5
        assert read.value("hw_gpu_clock_hertz", **card, clock="gt1") == 1_301_000_000
        daemon.wait_until(
            lambda: daemon.scrape(DETAILED).series("hw_gpu_processes") == {frozenset(card.items()): 1}, "the client"
        )
