# SPDX-License-Identifier: MIT
from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from hwinfod.core.device import Status
from hwinfod.core.event import EventKind
from hwinfod.core.health import State
from tests.support import nvml_profiles as profiles
from tests.support.nvml_machine import Machine, of
from tests.support.nvml_profiles import GIB, MIB, pci, uuid
from tests.support.sysfs import put

Start = Callable[..., Machine]

pytestmark = pytest.mark.tier("compiler")


def test_every_value_has_its_unit(a100: Machine) -> None:
    bench = a100.bench()
    values = bench.run()
    expected = {
        of(3, "up"): 1,
        of(3, "utilization_ratio"): 0.4,
        of(3, "memory_controller_utilization_ratio"): 0.12,
        of(3, "engine_utilization_ratio", engine="encoder"): 0.03,
        of(3, "engine_utilization_ratio", engine="decoder"): 0.04,
        of(3, "engine_utilization_ratio", engine="jpeg"): 0.05,
        of(3, "engine_utilization_ratio", engine="ofa"): 0.06,
        of(3, "memory_usage_bytes"): 13 * GIB,
        of(3, "memory_limit_bytes"): 80 * GIB,
        of(3, "memory_reserved_bytes"): 600 * MIB,
        of(3, "memory_free_bytes"): 67 * GIB - 600 * MIB,
        of(3, "aperture_usage_bytes"): 2 * GIB,
        of(3, "aperture_limit_bytes"): 128 * GIB,
        of(3, "temperature_celsius", sensor="gpu"): 53,
        of(3, "temperature_celsius", sensor="memory"): 61,
        of(3, "power_watts"): 258.5,
        of(3, "power_average_watts"): 250,
        of(3, "power_enforced_limit_watts"): 400,
        of(3, "power_limit_watts", limit="minimum"): 100,
        of(3, "energy_joules_total"): 5000.003,
        of(3, "clock_hertz", clock="sm"): 1_410_000_000,
        of(3, "clock_hertz", clock="memory"): 1_593_000_000,
        of(3, "performance_state"): 0,
        of(3, "throttled", reason="sw_power_cap"): 1,
        of(3, "throttled", reason="hw_thermal"): 0,
        of(3, "throttle_seconds_total", reason="sw_power_cap"): 120,
        of(3, "throttle_seconds_total", reason="low_utilization"): 7,
        of(3, "pcie_link_generation"): 4,
        of(3, "pcie_link_width_lanes"): 16,
        of(3, "pcie_replays_total"): 3,
        of(3, "pcie_receive_bytes_total"): 8192,
        of(3, "pcie_transmit_bytes_total"): 4096,
        of(3, "ecc_errors_total", type="corrected", memory="dram"): 4,
        of(3, "ecc_errors_total", type="uncorrected", memory="dram"): 0,
        of(3, "ecc_errors_total", type="corrected", memory="sram"): 0,
        of(3, "remapped_rows", type="corrected"): 2,
        of(3, "row_remap", state="pending"): 0,
        of(3, "recovery_action"): 0,
        of(3, "nvlink_receive_bytes_total"): 2000 * 1024,
        of(3, "nvlink_transmit_bytes_total"): 1000 * 1024,
    }
    assert {name: values.get(name) for name in expected} == expected
    assert values["hwinfod_gpu_released"] == 0
    limits = bench.run("links")
    assert limits[of(3, "temperature_limit_celsius", limit="slowdown")] == 89
    assert limits[of(3, "ecc_errors_lifetime_total", type="uncorrected", memory="dram")] == 1
    assert limits[of(3, "clock_limit_hertz", clock="video")] == 1_290_000_000
    assert [limits[of(3, f"pcie_link_{name}")] for name in ("generation_limit", "width_limit_lanes")] == [4, 16]
    assert of(3, "fan_speed_ratio") not in values


def test_the_inventory_has_the_facts(a100: Machine) -> None:
    bench = a100.bench()
    bench.run()
    device = bench.host.devices.current[uuid(5)]
    assert device.status is Status.PRESENT
    assert device.name == "5 A100-SXM4-80GB"
    assert device.parent == "0000:20:00.0"
    assert {key: device.facts[key] for key in ("vendor", "numa_node", "vbios", "driver_version", "cuda_version")} == {
        "vendor": "NVIDIA",
        "numa_node": "1",
        "vbios": "96.00.74.00.01",
        "driver_version": "570.124.06",
        "cuda_version": "12.8",
    }
    assert device.facts["architecture"] == "Ampere"
    assert device.facts["device_node"] == "/dev/nvidia5"
    assert any(f"uuid={uuid(5)}" in line and "model=A100-SXM4-80GB" in line for line in bench.infos())


def test_the_render_node_is_that_of_the_function(a100: Machine) -> None:
    put(a100.function(5) / "drm", {"card5/dev": "226:5", "renderD133/dev": "226:133"})
    bench = a100.bench()
    bench.run()
    assert [bench.host.devices.current[uuid(gpu)].facts["render_node"] for gpu in (4, 5)] == ["", "/dev/dri/renderD133"]


def test_boards_before_row_remapping_retire_pages(a100: Machine) -> None:
    a100.fake.update({"gpu.0.field.29": "1:5", "gpu.0.field.30": "1:2", "gpu.0.field.31": "1:1"})
    values = a100.bench().run()
    assert values[of(0, "retired_pages", type="corrected")] == 5
    assert values[of(0, "retired_pages", type="uncorrected")] == 2
    assert values[of(0, "page_retirement_pending")] == 1
    assert of(1, "retired_pages", type="corrected") not in values


def test_traffic_is_never_asked_of_the_call_that_takes_20_ms(h100: Machine) -> None:
    """It measures while the caller waits; the fields count."""
    h100.fake.record()
    bench = h100.bench()
    for method in ("sample", "links", "processes", "facts", "sample"):
        bench.run(method)
    calls = {name for name, _ in h100.fake.calls()}
    assert "nvmlDeviceGetFieldValues" in calls
    assert not [name for name in calls if "Throughput" in name or "Set" in name.replace("EventSet", "")]


def test_a_lost_gpu_costs_that_gpu(a100: Machine) -> None:
    bench = a100.bench()
    bench.run()
    a100.fake.lose(3)
    values = bench.run()
    assert values[of(3, "up")] == 0
    assert of(3, "utilization_ratio") not in values
    assert [values[of(gpu, "up")] for gpu in range(8) if gpu != 3] == [1] * 7
    assert values[of(4, "utilization_ratio")] == 0.41
    device = bench.host.devices.current[uuid(3)]
    assert (device.status, device.facts["model"]) == (Status.LOST, "A100-SXM4-80GB")
    (event,) = [event for event in bench.events() if event.kind is EventKind.GPU_FAILED]
    assert event.text == "GPU 3 A100-SXM4-80GB: nvmlDeviceGetFieldValues: the GPU is lost"


def test_a_host_without_nvidia_says_so(tmp_path: Path) -> None:
    from hwinfod.collectors.nvidia import Nvidia
    from tests.support.bench import Bench

    bench = Bench(Nvidia, tmp_path)
    assert bench.attempt() is State.ABSENT
    assert bench.reason == "no NVIDIA driver and no NVIDIA GPU"


def test_mig_instances_are_parts_of_their_gpu(h100: Machine) -> None:
    """There is a hole between them, and the GPU itself tells no utilisation."""
    bench = h100.bench()
    values = bench.run()
    first, second = (f"MIG-00000002-0000-0000-0000-{index:012x}" for index in (0, 2))
    assert values[of(2, "mig_memory_usage_bytes", mig_uuid=first, profile="3g.40gb")] == GIB
    assert values[of(2, "mig_memory_limit_bytes", mig_uuid=second, profile="1g.10gb")] == 9856 * MIB
    assert of(2, "utilization_ratio") not in values
    assert of(2, "memory_usage_bytes") in values
    device = bench.host.devices.current[second]
    assert (device.kind, device.parent, device.name) == ("gpu partition", uuid(2), "2:2 1g.10gb")
    values = bench.run()
    assert values[of(2, "mig_sm_active_ratio", mig_uuid=first, profile="3g.40gb")] == 0.5
    h100.fake.remove("gpu.2.mig.0")
    bench.run()
    assert bench.host.devices.current[first].status is Status.LOST
    assert bench.host.devices.current[second].status is Status.PRESENT


def test_gpm_tells_what_multiprocessors_do(h100: Machine) -> None:
    bench = h100.bench()
    bench.run()
    values = bench.run()
    assert values[of(0, "sm_active_ratio")] == 0.815
    assert values[of(0, "tensor_active_ratio")] == 0.605
    assert values[of(0, "sm_occupancy_ratio")] == 0.4225
    assert values[of(0, "dram_bandwidth_utilization_ratio")] == 0.33
    assert values[of(0, "pipe_active_ratio", pipe="fp32")] == 0.21
    assert of(0, "pipe_active_ratio", pipe="fp64") not in values


def test_gpm_is_left_to_a_profiler(h100: Machine) -> None:
    put(h100.directory / "proc/4242", {"comm": "nv-hostengine"})
    bench = h100.bench()
    bench.run()
    bench.run("facts")
    bench.run()
    assert of(0, "sm_active_ratio") not in bench.run()
    shutil.rmtree(h100.directory / "proc/4242")
    bench.run("facts")
    bench.run()
    assert bench.run()[of(0, "sm_active_ratio")] == 0.815


def test_a_geforce_lacks_half_and_says_so_once(start: Start, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO")
    bench = start(profiles.geforce()).bench()
    values = bench.run()
    assert values[of(0, "fan_speed_ratio")] == 0.42
    assert values[of(0, "power_watts")] == 251.25
    assert values[of(0, "energy_joules_total")] == 5000
    assert not [name for name in values if "ecc" in name or "nvlink" in name or "remap" in name]
    bench.run()
    bench.run("links")
    said = [record.message for record in caplog.records if "does not support" in record.message]
    lacking = [name for line in said for name in line.partition("support ")[2].split(", ")]
    assert {"nvmlDeviceGetMemoryErrorCounter", "nvmlDeviceGetTemperatureThreshold"} <= set(lacking)
    assert len(lacking) == len(set(lacking))
    assert bench.skipped == {}


def test_unified_memory_is_the_hosts(start: Start) -> None:
    bench = start(profiles.gb10()).bench()
    values = bench.run()
    assert values[of(0, "memory_limit_bytes")] == 1 << 30
    assert values[of(0, "memory_usage_bytes")] == 1 << 28
    assert any("memory=unified" in line for line in bench.infos())
    bench.run("processes")
    assert bench.host.holdings.current[uuid(0)].totals == {}


def test_a_sleeping_gpu_is_not_woken(a100: Machine) -> None:
    a100.sleep(4)
    a100.fake.record()
    bench = a100.bench()
    for method in ("sample", "links", "processes", "facts", "sample"):
        bench.run(method)
    assert {gpu for _, gpu in a100.fake.calls()} == {-1, 0, 1, 2, 3, 5, 6, 7}
    assert bench.host.devices.current[f"gpu:{pci(4)}"].status is Status.SUSPENDED
    a100.sleep(4, asleep=False)
    bench.run("facts")
    assert bench.run()[of(4, "up")] == 1
    a100.sleep(4)
    values = bench.run()
    assert of(4, "up") not in values
    bench.run("facts")
    assert bench.host.devices.current[uuid(4)].status is Status.SUSPENDED


def test_a_gpu_given_to_a_virtual_machine_is_passed_through(a100: Machine) -> None:
    bench = a100.bench()
    bench.run()
    a100.bind(7, "vfio-pci")
    a100.fake.set("gpus", 7)
    bench.run("facts")
    bench.run()
    assert bench.host.devices.current[uuid(7)].status is Status.PASSED_THROUGH
    assert [event.kind for event in bench.events() if event.kind is EventKind.GPU_FAILED] == []


def test_a_lost_gpu_comes_back_after_nvml_was_shut_down(a100: Machine) -> None:
    bench = a100.bench()
    bench.run()
    a100.fake.lose(3)
    assert bench.run()[of(3, "up")] == 0
    a100.fake.mend()
    assert bench.run(after=30)[of(3, "up")] == 0
    bench.run(after=31)
    assert bench.run()[of(3, "up")] == 1
    assert bench.host.devices.current[uuid(3)].status is Status.PRESENT


def test_a_driver_that_goes_and_comes(a100: Machine) -> None:
    bench = a100.bench()
    bench.run()
    a100.fake.set("fail.nvmlDeviceGetFieldValues", 1)
    a100.fake.set("fail.nvmlInitWithFlags", 9)
    assert bench.attempt() is State.FAILING
    assert bench.attempt() is State.ABSENT
    assert bench.reason == "the NVIDIA driver is not loaded"
    assert bench.host.devices.current[uuid(0)].status is Status.LOST
    a100.fake.mend()
    assert bench.run()[of(0, "up")] == 1
    assert bench.host.devices.current[uuid(0)].facts["gpu"] == "0"


def test_an_upgraded_driver_brings_its_library(a100: Machine) -> None:
    bench = a100.bench()
    bench.run()
    a100.fake.install("580.65.06")
    a100.fake.update(
        {"kernel_version": "580.65.06", "driver_version": "580.65.06", "fail.nvmlDeviceGetFieldValues": 18}
    )
    assert bench.attempt() is State.FAILING
    a100.fake.mend()
    assert bench.run()[of(0, "up")] == 1
    assert bench.host.devices.current[uuid(0)].facts["driver_version"] == "580.65.06"


def test_a_library_without_a_driver_is_absent(a100: Machine) -> None:
    a100.fake.set("fail.nvmlInitWithFlags", 9)
    bench = a100.bench()
    assert bench.attempt() is State.ABSENT


def test_a_driver_without_a_library_is_absent(a100: Machine) -> None:
    shutil.rmtree(a100.fake.place)
    bench = a100.bench()
    assert bench.attempt() is State.ABSENT
    assert bench.reason.startswith("no libnvidia-ml.so.1")


def test_text_that_is_none_does_no_harm(a100: Machine) -> None:
    a100.fake.update({"gpu.0.name": r"\xff\xfe\x1b[31mA100", "gpu.1.serial": r"\x01\x02", "gpu.2.vbios": r"\xc3\x28"})
    bench = a100.bench()
    assert bench.run()[of(0, "up")] == 1
    facts = [bench.host.devices.current[uuid(gpu)].facts for gpu in range(3)]
    assert all(value.isprintable() for fact in facts for value in fact.values())


def test_sentinels_are_no_values(a100: Machine) -> None:
    a100.fake.update(
        {
            "gpu.0.temperature.0": 0xFFFFFFFF,
            "gpu.0.utilization.gpu": 0xFFFFFFFF,
            "gpu.0.memory.used": 2**64 - 1,
            "gpu.0.clock.mhz.1": 0xFFFFFFFF,
            "gpu.0.field.186": f"1:{0xFFFFFFFF}",
            "gpu.0.field.83": f"3:{2**64 - 1}",
            "gpu.0.field.82": "0:nan",
            "gpu.0.field.190": "!999",
        }
    )
    values = a100.bench().run()
    for name in ("utilization_ratio", "memory_usage_bytes", "power_watts", "energy_joules_total"):
        assert of(0, name) not in values
    assert of(0, "temperature_celsius", sensor="gpu") not in values
    assert of(0, "temperature_celsius", sensor="memory") not in values
    assert of(0, "clock_hertz", clock="sm") not in values


def test_sentinels_of_boards_without_fields_are_no_values(start: Start) -> None:
    """Calls have return codes, and sentinels besides."""
    machine = start(profiles.geforce())
    machine.fake.remove("gpu.0.field")
    machine.fake.update({f"gpu.0.{name}": 0xFFFFFFFF for name in ("power.milliwatts", "power.limit.enforced")})
    machine.fake.update({f"gpu.0.{name}": 2**64 - 1 for name in ("energy.millijoules", "clocks_event_reasons")})
    values = machine.bench().run()
    assert values[of(0, "up")] == 1
    assert not [name for name in values if "power" in name or "energy" in name or "throttled" in name]


def test_a_function_that_the_driver_lacks_is_absent(start: Start) -> None:
    lacking = ("nvmlDeviceGetMemoryInfo_v2", "nvmlDeviceGetCurrentClocksEventReasons", "nvmlDeviceGetFieldValues")
    machine = start(profiles.a100(1), without=lacking)
    values = machine.bench().run()
    assert values[of(0, "memory_usage_bytes")] == 10 * GIB + 600 * MIB
    assert values[of(0, "throttled", reason="sw_power_cap")] == 1
    assert values[of(0, "power_watts")] == 251.25
