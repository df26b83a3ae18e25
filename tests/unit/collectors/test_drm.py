# SPDX-License-Identifier: MIT
"""Intel GPUs on hosts of files: a card of two tiles, an integrated one, their clients, sleep, virtual machines."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from hwinfod.collectors.drm import Drm
from hwinfod.core.device import Status
from hwinfod.core.health import State
from hwinfod.errors import Denied
from hwinfod.sources import process_walk
from tests.fixtures.host.gpus import GIB, Board, GpuHost
from tests.support.bench import Bench

MAX = "pci-0000:29:00.0"
G = f"gpu=0,uuid={MAX}"


def text(id_: int, render: int, vram: int = 0, system: int = 0, pdev: str = "0000:29:00.0") -> str:
    return (
        f"drm-driver: xe\ndrm-pdev: {pdev}\ndrm-client-id: {id_}\ndrm-engine-rcs: {render} ns\n"
        f"drm-resident-vram0: {vram} MiB\ndrm-resident-system: {system} MiB\n"
    )


@pytest.fixture
def host(tmp_path: Path) -> GpuHost:
    return GpuHost(tmp_path)


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(Drm, tmp_path)


@pytest.fixture
def card(host: GpuHost) -> Board:
    return host.add_max()


def status(bench: Bench) -> Status:
    return bench.host.devices.current[MAX].status


def test_a_host_whose_gpus_have_collectors_of_their_own(host, bench):
    host.add_radeon()
    assert bench.attempt() is State.ABSENT


def test_a_card_of_two_tiles(bench, card):
    assert bench.run() == {
        f"hw_gpu_up{{{G}}}": 1,
        f"hw_gpu_clock_hertz{{{G},clock=gt0}}": 1_300_000_000,
        f"hw_gpu_clock_hertz{{{G},clock=gt1}}": 1_301_000_000,
        f"hw_gpu_asleep_seconds_total{{{G},part=gt0}}": 5,
        f"hw_gpu_asleep_seconds_total{{{G},part=gt1}}": 5.001,
        f"hw_gpu_throttled{{{G},reason=power}}": 1,
        f"hw_gpu_throttled{{{G},reason=thermal}}": 0,
        f"hw_gpu_energy_joules_total{{{G}}}": 7.5,
        f"hw_gpu_temperature_celsius{{{G},sensor=pkg}}": 55,
    }
    assert bench.run("facts") == {
        f"hw_gpu_memory_limit_bytes{{{G}}}": 128 * GIB,
        f"hw_gpu_power_enforced_limit_watts{{{G}}}": 600,
        f"hw_gpu_clock_limit_hertz{{{G},clock=gt0}}": 1_600_000_000,
        f"hw_gpu_clock_limit_hertz{{{G},clock=gt1}}": 1_600_000_000,
    }
    assert bench.infos() == {
        f"hw_gpu_info{{{G},vendor=Intel,model=Intel 0bd5,pci=0000:29:00.0,numa_node=1,driver=xe,"
        "driver_version=6.12.0,vbios=,memory=dedicated}"
    }
    assert bench.host.devices.current[MAX].facts["render_node"] == "/dev/dri/renderD128"


def test_clients_are_holdings(bench, host, card):
    host.open_drm(4711, 3, text(1, 0, vram=100))
    host.open_drm(4712, 3, text(2, 0, vram=50, system=9))
    bench.run()
    first = bench.run("processes")
    assert first == {f"hw_gpu_processes{{{G}}}": 2}
    host.open_drm(4711, 3, text(1, 2 * 10**9, vram=100))
    second = bench.run("processes", after=4)
    assert second[f"hw_gpu_engine_utilization_ratio{{{G},engine=rcs}}"] == 0.5
    assert second[f"hw_gpu_utilization_ratio{{{G}}}"] == 0.5
    batch = bench.host.holdings.current[MAX]
    amounts = {holding.pid: (holding.start_time_ticks, holding.amounts) for holding in batch.holdings}
    assert amounts[4711][0] == 9000
    assert amounts[4711][1] == {
        "memory_bytes": 100 << 20, "vram0_memory_bytes": 100 << 20, "utilization_ratio": 0.5, "rcs_engine_ratio": 0.5
    }  # fmt: skip
    assert amounts[4712][1]["memory_bytes"] == amounts[4712][1]["vram0_memory_bytes"] == 50 << 20
    assert amounts[4712][1]["system_memory_bytes"] == 9 << 20
    assert batch.totals == {}
    assert bench.host.activity.idle_seconds("0000:29:00.0") == 0


def test_an_integrated_gpu_has_the_memory_of_the_host(bench, host):
    host.add_integrated()
    host.open_drm(4711, 3, text(1, 0, system=9, pdev="0000:00:02.0"))
    assert bench.run()["hw_gpu_clock_hertz{gpu=0,uuid=pci-0000:00:02.0,clock=gt0}"] == 0
    bench.run("processes")
    (holding,) = bench.host.holdings.current["pci-0000:00:02.0"].holdings
    assert holding.amounts == {"memory_bytes": 9 << 20, "system_memory_bytes": 9 << 20}
    assert bench.host.devices.current["pci-0000:00:02.0"].facts["memory"] == "unified"


def test_a_pass_that_takes_long_goes_on_every_second(bench, host, card, monkeypatch):
    from hwinfod.collectors import _drm_clients

    monkeypatch.setattr(_drm_clients, "_FIRST_STEP_CPU_SECONDS", 0)
    for pid in (4711, 4712, 4713):
        host.open_drm(pid, 3, text(pid, 0))
    bench.run()
    assert bench.run("processes") == {}
    for _ in range(4):
        bench.run()
    assert bench.run("processes")[f"hw_gpu_processes{{{G}}}"] == 3


def test_blindness_is_said(bench, host, card, monkeypatch):
    def refuse(*_: object) -> list[tuple[str, str]]:
        raise Denied("fd", 13)

    monkeypatch.setattr(process_walk, "list_open_files", refuse)
    host.run(4711)
    bench.run()
    bench.run("processes")
    assert bench.skipped == {"processes": "attribution blind: 1 processes may not be looked into"}


def test_a_sleeping_card_is_not_woken(bench, host, card):
    bench.run()
    card.sleep()
    assert bench.run() == {}
    bench.run("facts")
    assert status(bench) is Status.SUSPENDED
    assert bench.values("facts") == {}
    card.write(**{"power/runtime_status": "active"})
    bench.run("facts")
    assert (status(bench), bench.run()[f"hw_gpu_up{{{G}}}"]) == (Status.PRESENT, 1)


def test_a_card_given_away_and_back(bench, card):
    bench.run()
    bench.run("processes")
    card.bind("vfio-pci")
    bench.run("facts")
    assert status(bench) is Status.PASSED_THROUGH
    assert bench.run() == {}
    assert MAX not in bench.host.holdings.current
    card.bind("xe")
    bench.run("facts")
    assert bench.run()[f"hw_gpu_up{{{G}}}"] == 1


def test_a_lost_card(bench, host, card):
    host.add_max(1)
    bench.run()
    shutil.rmtree(card.directory)
    (host.sys / "bus/pci/devices/0000:29:00.0").unlink()
    values = bench.run()
    assert values[f"hw_gpu_up{{{G}}}"] == 0
    assert values["hw_gpu_up{gpu=1,uuid=pci-0000:2a:00.0}"] == 1
    bench.run("facts")
    assert status(bench) is Status.LOST
    assert {name: value for name, value in bench.run().items() if G in name} == {f"hw_gpu_up{{{G}}}": 0}


def test_nouveau_is_known_by_its_place(bench, host):
    board = host.add_intel("0000:17:00.0", 0x2330, {"vendor": "0x10de", "class": "0x030000"}, {}, driver="nouveau")
    bench.run()
    assert bench.host.devices.current["pci-0000:17:00.0"].facts["vendor"] == "NVIDIA"
    board.bind("nvidia")
    bench.run("facts")
    assert bench.host.devices.current["pci-0000:17:00.0"].status is Status.LOST
