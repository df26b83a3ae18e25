# SPDX-License-Identifier: MIT
"""AMD GPUs on hosts of files: boards, partitions, an APU, sleep, loss, virtual machines, processes."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from hwinfod.collectors.amd import Amd
from hwinfod.core.device import Status
from hwinfod.core.event import EventKind, Severity
from hwinfod.core.health import State
from hwinfod.core.metric import Level
from tests.fixtures.host.gpus import GIB, Board, GpuHost, described_metrics, gpu_metrics
from tests.support.bench import Bench

UUID = "GPU-cfc7b4d5b96c0a00"
G = f"gpu=0,uuid={UUID}"


@pytest.fixture
def host(tmp_path: Path) -> GpuHost:
    return GpuHost(tmp_path)


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(Amd, tmp_path)


@pytest.fixture
def board(host: GpuHost) -> Board:
    return host.add_instinct(0)


def status(bench: Bench, uuid: str = UUID) -> Status:
    return bench.host.devices.current[uuid].status


def test_a_host_without_amd_gpus(bench):
    assert bench.attempt() is State.ABSENT
    assert bench.reason == "no AMD GPUs"


def test_a_board_in_base_units(bench, board):
    values = bench.run()
    assert {name.removeprefix("hw_gpu_").split("{")[0]: value for name, value in values.items() if "," not in
            name.partition(",")[2]} == {
        "up": 1, "utilization_ratio": 0.9, "memory_controller_utilization_ratio": 0.37, "power_watts": 402.5,
        "energy_joules_total": 1000, "pcie_link_width_lanes": 16, "pcie_link_generation": 5,
        "memory_limit_bytes": 192 * GIB, "memory_usage_bytes": 100 * GIB, "aperture_limit_bytes": 192 * GIB,
        "aperture_usage_bytes": 100 * GIB, "host_memory_limit_bytes": 64 * GIB, "host_memory_usage_bytes": GIB,
        "power_enforced_limit_watts": 750,
    }  # fmt: skip
    assert values[f"hw_gpu_temperature_celsius{{{G},sensor=junction}}"] == 51
    assert values[f"hw_gpu_temperature_celsius{{{G},sensor=vr_soc}}"] == 47
    assert values[f"hw_gpu_clock_hertz{{{G},clock=graphics}}"] == 2_100_000_000
    assert values[f"hw_gpu_engine_utilization_ratio{{{G},engine=vcn}}"] == 0.1
    assert values[f"hw_gpu_xgmi_receive_bytes_total{{{G},link=1}}"] == 7168
    assert values[f"hw_gpu_xgmi_transmit_bytes_total{{{G},link=7}}"] == 9216
    assert values[f"hw_gpu_xgmi_links{{{G},state=active}}"] == 7


def test_a_board_that_works_is_known_to_work(bench, host, board):
    """Its link is judged by that: what idles may save power."""
    idle = host.add_instinct(1, gfx=4)
    bench.run()
    assert [bench.host.activity.idle_seconds(each.address) for each in (board, idle)] == [0, None]


def test_what_changes_seldom(bench, board):
    bench.run()
    facts = bench.run("facts")
    assert facts[f"hw_gpu_ecc_errors_total{{{G},type=uncorrected,memory=umc}}"] == 1
    assert facts[f"hw_gpu_ecc_errors_total{{{G},type=corrected,memory=umc}}"] == 12
    assert facts[f"hw_gpu_retired_pages{{{G},type=pending}}"] == 1
    assert facts[f"hw_gpu_power_limit_watts{{{G},limit=maximum}}"] == 750
    assert facts[f"hw_gpu_temperature_limit_celsius{{{G},limit=memory_critical}}"] == 105
    assert facts[f"hw_gpu_clock_limit_hertz{{{G},clock=memory}}"] == 1_300_000_000
    assert facts[f"hw_gpu_pcie_replays_total{{{G}}}"] == 3


def test_inventory(bench, board):
    bench.run()
    device = bench.host.devices.current[UUID]
    assert device.name == "0 AMD Instinct MI300X"
    assert device.parent == "0000:05:00.0"
    assert device.facts["card_node"] == "/dev/dri/card0"
    assert device.facts["render_node"] == "/dev/dri/renderD128"
    assert (device.facts["compute_partition"], device.facts["memory_partition"]) == ("SPX", "NPS1")
    assert (device.facts["architecture"], device.facts["compute_units"]) == ("gfx942", "304")
    assert bench.infos() == {
        f"hw_gpu_info{{{G},vendor=AMD,model=AMD Instinct MI300X,pci=0000:05:00.0,numa_node=0,driver=amdgpu,"
        "driver_version=6.12.0,vbios=113-M3000100-102,memory=dedicated}"
    }


def test_firmware_versions_are_facts(bench, board):
    bench.run()
    facts = bench.host.devices.current[UUID].facts
    assert {name: value for name, value in facts.items() if name.startswith("firmware")} == {
        "firmware_smc": "0x00556f00"
    }


def test_new_uncorrected_errors_are_an_event(bench, board):
    bench.run("facts")
    bench.run("facts")
    assert [e for e in bench.events() if e.kind is EventKind.MEMORY_ERROR] == []
    board.write(**{"ras/umc_err_count": "ue: 3\nce: 40"})
    bench.run("facts")
    (event,) = [e for e in bench.events() if e.kind is EventKind.MEMORY_ERROR]
    assert event.text == "gpu 0 AMD Instinct MI300X: 2 uncorrected errors in umc"
    assert event.severity is Severity.CRITICAL


def _attributes(directory: Path) -> list[str]:
    return [str(p.relative_to(directory)) for p in directory.rglob("*") if p.is_file() and not p.is_symlink()]


@pytest.mark.parametrize("content", [b"", b"\xff" * 60, b"9" * 30, b"-1\n", None], ids=str)
def test_any_file_may_break_and_costs_itself(host, bench, content):
    """Every file of a board in turn, and those of KFD: the other board is whole, the collector works."""
    board = host.add_instinct(0, partitions=8)
    host.add_instinct(1)
    host.use(4711, {board.gpu_ids[0]: GIB}, units=3)
    bench.run()
    other = "gpu=1,uuid=GPU-cfc7b4d5b96c0a01"
    kfd = host.sys / "class/kfd/kfd"
    of_board = [board.directory / name for name in _attributes(board.directory)]
    for path in [*of_board, *(kfd / name for name in _attributes(kfd) if "nodes/8" not in name)]:
        before = path.read_bytes()
        path.unlink() if content is None else path.write_bytes(content)
        for beat in ("facts", "sample", "processes"):
            values = bench.run(beat)
        assert values[f"hw_gpu_processes{{{other}}}"] == 0, path
        assert bench.values("sample")[f"hw_gpu_up{{{other}}}"] == 1, path
        path.write_bytes(before)
    for beat in ("facts", "sample", "processes"):
        bench.run(beat)
    assert bench.values("sample")[f"hw_gpu_memory_usage_bytes{{{G}}}"] == 100 * GIB


def test_throttling_is_told_in_seconds(bench, board):
    def show(ticks: int, power: int) -> None:
        board.write(gpu_metrics=gpu_metrics("v1_7", accumulation_counter=ticks, ppt_residency_acc=power,
                                            prochot_residency_acc=0))  # fmt: skip

    show(1000, 100)
    power, prochot = (f"hw_gpu_throttle_seconds_total{{{G},reason={reason}}}" for reason in ("power", "prochot"))
    assert bench.run()[power] == 0
    show(2000, 350)
    values = bench.run(after=4)
    assert (values[power], values[prochot]) == (1, 0)
    assert values[f"hw_gpu_throttled{{{G},reason=power}}"] == 1
    show(10, 0)  # the firmware began anew: nothing is known of the time between
    assert bench.run(after=4)[power] == 1
    show(1010, 1000)
    assert bench.run(after=1)[power] == 2


def test_partitions_are_devices_of_their_board(bench, host):
    board = host.add_instinct(0, partitions=8)
    host.use(4711, {board.gpu_ids[0]: 2 * GIB, board.gpu_ids[3]: GIB}, units=19)
    values, held, facts = bench.run(), bench.run("processes"), bench.run("facts")
    parts = [d for d in bench.host.devices.current.values() if d.kind == "gpu partition"]
    assert [(d.id, d.parent, d.facts["render_node"]) for d in parts][3] == (f"{UUID}:3", UUID, "/dev/dri/renderD152")
    assert len(parts) == 8
    assert values[f"hw_gpu_partition_utilization_ratio{{{G},partition=7}}"] == 0.9
    assert held[f"hw_gpu_partition_memory_usage_bytes{{{G},partition=3}}"] == GIB
    assert held[f"hw_gpu_partition_memory_usage_bytes{{{G},partition=1}}"] == 0
    assert facts[f"hw_gpu_partition_memory_limit_bytes{{{G},partition=3}}"] == 24 * GIB
    (holding,) = bench.host.holdings.current[UUID].holdings
    assert holding.amounts["memory_bytes"] == 3 * GIB
    assert holding.amounts["partition_3_memory_bytes"] == GIB
    assert holding.amounts["utilization_ratio"] == 38 / 304


def test_a_board_that_is_whole_has_no_partitions(bench, board):
    assert not any("partition" in name for name in {**bench.run(), **bench.run("processes"), **bench.run("facts")})
    assert [device.kind for device in bench.host.devices.current.values()] == ["gpu"]


def test_processes_are_held_against_the_boards_own_figure(bench, host, board):
    host.use(4711, {board.gpu_ids[0]: 2 * GIB}, copied=1_500_000, units=76, start=777)
    host.use(4712, {board.gpu_ids[0]: 0})
    bench.run()
    assert bench.run("processes") == {f"hw_gpu_processes{{{G}}}": 1}
    batch = bench.host.holdings.current[UUID]
    assert batch.totals == {"memory_bytes": 100 * GIB}
    (holding,) = batch.holdings
    assert (holding.pid, holding.start_time_ticks) == (4711, 777)
    assert holding.amounts == {"memory_bytes": 2 * GIB, "copy_seconds": 1.5, "utilization_ratio": 0.25}


def test_what_a_process_does_not_use_is_looked_at_in_turns(bench, host, monkeypatch):
    from hwinfod.collectors import _amd_processes

    monkeypatch.setattr(_amd_processes, "_MOST_TURNS", 3)
    board = host.add_instinct(0, partitions=8)
    first, *others = board.gpu_ids
    host.use(4711, {first: GIB, **dict.fromkeys(others, 0)})
    read: list[int] = []
    original = _amd_processes.read_uses
    monkeypatch.setattr(
        _amd_processes, "read_uses", lambda roots, pid, ids: (read.extend(ids), original(roots, pid, ids))[1]
    )
    bench.run()
    bench.run("processes")
    assert read == board.gpu_ids
    host.use(4711, {first: 2 * GIB, others[5]: GIB})
    for _ in range(3):
        read.clear()
        bench.run("processes")
        assert len(read) in (4, 5)
    (holding,) = bench.host.holdings.current[UUID].holdings
    assert holding.amounts["memory_bytes"] == 3 * GIB


def test_partitions_that_change_are_seen(bench, host, board):
    bench.run()
    host.repartition(board, 8)
    bench.run("facts")
    assert bench.host.devices.current[UUID].facts["compute_partition"] == "CPX"
    assert sum(d.kind == "gpu partition" for d in bench.host.devices.current.values()) == 8


def test_a_process_that_ended_has_no_start_time(bench, host, board):
    host.use(4711, {board.gpu_ids[0]: GIB})
    shutil.rmtree(host.proc / "4711")
    bench.run()
    bench.run("processes")
    (holding,) = bench.host.holdings.current[UUID].holdings
    assert holding.start_time_ticks == 0


def client(id_: int, gfx: int, vram: int, pdev: str = "0000:05:00.0") -> str:
    return (
        f"drm-driver:\tamdgpu\ndrm-pdev:\t{pdev}\ndrm-client-id:\t{id_}\n"
        f"drm-memory-vram:\t{vram} KiB\ndrm-engine-gfx:\t{gfx} ns\n"
    )


def test_graphics_are_known_by_drm_and_nothing_is_counted_twice(bench, host, board):
    host.use(4711, {board.gpu_ids[0]: 2 * GIB}, units=76)
    host.open_drm(4711, 3, client(1, 0, 2 << 20))
    host.open_drm(4712, 3, client(2, 0, 1 << 10))
    host.open_drm(4713, 3, client(3, 0, 0))
    bench.run()
    assert bench.run("processes") == {f"hw_gpu_processes{{{G}}}": 2}
    host.open_drm(4712, 3, client(2, 10**9, 1 << 10))
    bench.run("processes", after=2)
    held = {holding.pid: holding.amounts for holding in bench.host.holdings.current[UUID].holdings}
    assert held[4711] == {
        "memory_bytes": 2 * GIB, "vram_memory_bytes": 2 * GIB, "copy_seconds": 0, "utilization_ratio": 0.25,
        "gfx_engine_ratio": 0,
    }  # fmt: skip
    assert held[4712] == {
        "memory_bytes": 1 << 20, "vram_memory_bytes": 1 << 20, "utilization_ratio": 0.5, "gfx_engine_ratio": 0.5
    }  # fmt: skip
    assert set(held) == {4711, 4712}


def test_the_link_is_asked_of_the_bus_where_the_table_does_not_know(bench, host):
    board = host.add_instinct(0)
    board.write(gpu_metrics=gpu_metrics("v1_7", average_gfx_activity=1))
    upstream = {"vendor": "0x8086", "class": "0x060400", "max_link_speed": "16.0 GT/s PCIe", "max_link_width": 16}
    for name, content in upstream.items():
        (board.directory.parent / name).write_text(f"{content}\n")
    assert f"hw_gpu_pcie_link_width_lanes{{{G}}}" not in bench.run()
    facts = bench.run("facts")
    assert facts[f"hw_gpu_pcie_link_width_lanes{{{G}}}"] == 16
    assert facts[f"hw_gpu_pcie_link_generation{{{G}}}"] == 5
    assert facts[f"hw_gpu_pcie_link_generation_limit{{{G}}}"] == 4


def test_a_clock_is_that_of_the_driver_where_the_table_does_not_know(bench, board):
    board.write(gpu_metrics=gpu_metrics("v1_7", current_uclk=1300))
    values, facts = bench.run(), bench.run("facts")
    assert f"hw_gpu_clock_hertz{{{G},clock=graphics}}" not in values
    assert facts[f"hw_gpu_clock_hertz{{{G},clock=graphics}}"] == 2_100_000_000
    assert values[f"hw_gpu_clock_hertz{{{G},clock=memory}}"] == 1_300_000_000
    assert f"hw_gpu_clock_hertz{{{G},clock=memory}}" not in facts


def test_a_radeon(bench, host):
    host.add_radeon()
    values, facts = bench.run(), bench.run("facts")
    g = "gpu=0,uuid=GPU-9c3a1d2b00000001"
    assert values[f"hw_gpu_utilization_ratio{{{g}}}"] == 0.25
    assert values[f"hw_gpu_fan_speed_ratio{{{g}}}"] == 0.2
    assert values[f"hw_gpu_power_average_watts{{{g}}}"] == values[f"hw_gpu_power_watts{{{g}}}"] == 88
    assert values[f"hw_gpu_engine_utilization_ratio{{{g},engine=media}}"] == 0.5
    assert values[f"hw_gpu_throttled{{{g},reason=power}}"] == 1
    assert values[f"hw_gpu_throttled{{{g},reason=current}}"] == 0
    assert facts[f"hw_gpu_clock_limit_hertz{{{g},clock=graphics}}"] == 2_495_000_000
    assert facts[f"hw_gpu_temperature_limit_celsius{{{g},limit=edge_emergency}}"] == 105


def test_an_apu_has_the_memory_of_the_host(bench, host):
    host.add_apu()
    values = bench.run()
    g = "gpu=0,uuid=pci-0000:c4:00.0"
    assert values[f"hw_gpu_memory_limit_bytes{{{g}}}"] == 15.5 * GIB
    assert values[f"hw_gpu_memory_usage_bytes{{{g}}}"] == 1.25 * GIB
    assert values[f"hw_gpu_utilization_ratio{{{g}}}"] == 0.1234
    assert bench.host.devices.current["pci-0000:c4:00.0"].facts["memory"] == "unified"
    bench.run("processes")
    assert bench.host.holdings.current["pci-0000:c4:00.0"].totals == {"memory_bytes": 1.25 * GIB}


def test_an_unknown_table_is_absent_and_said_once(bench, board):
    board.write(gpu_metrics=b"\x78\x00\x03\x00" + bytes(200))
    for _ in range(3):
        values = bench.run()
    assert f"hw_gpu_energy_joules_total{{{G}}}" not in values
    assert values[f"hw_gpu_utilization_ratio{{{G}}}"] == 0.01
    (event,) = [e for e in bench.events() if e.kind is EventKind.DEVICE_CHANGED]
    assert event.count == 1
    assert event.text.startswith("gpu 0 AMD Instinct MI300X: gpu_metrics v3.0 of 120 bytes is not known")


def test_errors_of_the_link_are_the_tables_where_there_is_no_file(bench, board):
    board.write(gpu_metrics=gpu_metrics("v1_7", pcie_replay_count_acc=7, pcie_nak_sent_count_acc=2))
    errors = bench.run()
    assert errors[f"hw_gpu_pcie_link_errors_total{{{G},error=replay}}"] == 7
    assert errors[f"hw_gpu_pcie_link_errors_total{{{G},error=nak_sent}}"] == 2
    assert bench.run("facts")[f"hw_gpu_pcie_replays_total{{{G}}}"] == 3
    (board.directory / "pcie_replay_count").unlink()
    assert bench.run("facts")[f"hw_gpu_pcie_replays_total{{{G}}}"] == 7


def test_a_table_that_describes_itself(bench, board):
    board.write(gpu_metrics=described_metrics((10, 4, "H", [55]), (0, 7, "Q", [2000 << 16])))
    values = bench.run()
    assert values[f"hw_gpu_utilization_ratio{{{G}}}"] == 0.55
    assert values[f"hw_gpu_energy_joules_total{{{G}}}"] == 2000
    assert bench.skipped == {}


def test_a_table_that_is_cut_short_costs_the_table(bench, board):
    board.write(gpu_metrics=gpu_metrics("v1_7")[:100])
    assert bench.run()[f"hw_gpu_memory_usage_bytes{{{G}}}"] == 100 * GIB
    assert bench.skipped == {"0000:05:00.0 gpu_metrics": "gpu_metrics v1.7: 100 of 2208 bytes"}


def test_a_sleeping_board_is_not_woken(bench, host, board, monkeypatch):
    host.add_instinct(1)
    bench.run()
    board.sleep()
    read: list[str] = []
    from hwinfod.collectors._amd_gpu import GpuReader

    for method in ("sample", "look", "read_memory_used"):
        original = getattr(GpuReader, method)
        monkeypatch.setattr(
            GpuReader, method, lambda self, original=original: (read.append(self.gpu.pci.address), original(self))[1]
        )
    values = {**bench.run(), **bench.run("facts"), **bench.run("processes")}
    assert set(read) == {"0000:25:00.0"}
    assert not any(G in name for name in values)
    assert status(bench) is Status.SUSPENDED
    assert bench.skipped == {}
    board.write(**{"power/runtime_status": "active"})
    bench.run("facts")
    assert status(bench) is Status.PRESENT
    assert bench.run()[f"hw_gpu_up{{{G}}}"] == 1


def test_a_board_given_away_keeps_its_name(bench, board):
    bench.run()
    board.bind("vfio-pci")
    bench.run("facts")
    assert status(bench) is Status.PASSED_THROUGH
    assert f"hw_gpu_up{{{G}}}" not in bench.run()
    board.bind("amdgpu")
    bench.run("facts")
    assert status(bench) is Status.PRESENT
    assert bench.run()[f"hw_gpu_up{{{G}}}"] == 1


def test_a_board_that_was_given_away_before_the_start(bench, host):
    board = host.add_instinct(0)
    board.bind("vfio-pci")
    bench.run()
    assert status(bench, "pci-0000:05:00.0") is Status.PASSED_THROUGH
    assert bench.values("sample") == {}
    board.bind("amdgpu")
    bench.run("facts")
    assert {name for name in bench.run() if name.startswith("hw_gpu_up")} == {f"hw_gpu_up{{{G}}}"}


def test_a_lost_board_costs_itself_and_keeps_its_index(bench, host, board):
    host.add_instinct(1)
    bench.run()
    bench.run("processes")
    shutil.rmtree(board.directory)
    (host.sys / "bus/pci/devices/0000:05:00.0").unlink()
    values = bench.run()
    assert values[f"hw_gpu_up{{{G}}}"] == 0
    assert values["hw_gpu_up{gpu=1,uuid=GPU-cfc7b4d5b96c0a01}"] == 1
    assert "does not answer" in bench.skipped["0000:05:00.0"]
    bench.run("facts")
    assert status(bench) is Status.LOST
    assert UUID not in bench.host.holdings.current
    assert {name: value for name, value in bench.run().items() if G in name} == {f"hw_gpu_up{{{G}}}": 0}
    shutil.rmtree(host.sys / "class/drm")
    shutil.rmtree(host.sys / "class/hwmon")
    host.add_instinct(0)
    bench.run("facts")
    assert bench.host.devices.current[UUID].facts["gpu"] == "0"
    assert bench.run()[f"hw_gpu_up{{{G}}}"] == 1


def test_virtual_functions_of_one_board_are_told_apart_by_place(bench, host):
    first, second = host.add_instinct(0), host.add_instinct(1)
    second.write(unique_id="cfc7b4d5b96c0a00")
    bench.run()
    assert set(bench.host.devices.current) == {UUID, "pci-0000:25:00.0"}
    assert first.address == "0000:05:00.0"


def test_what_the_standard_level_carries_of_a_node_of_eight(bench, host):
    for number in range(8):
        host.add_instinct(number)
    bench.run()
    count = sum(len(bench.values(table, Level.STANDARD)) for table in ("sample",))
    bench.run("facts")
    bench.run("processes")
    count += sum(len(bench.values(table, Level.STANDARD)) for table in ("facts", "processes"))
    assert count <= 8 * 45
