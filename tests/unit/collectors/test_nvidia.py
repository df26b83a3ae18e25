# SPDX-License-Identifier: MIT
from __future__ import annotations

from pathlib import Path

import pytest

from hwinfod.core.device import Status
from hwinfod.core.event import EventKind
from hwinfod.core.health import State
from tests.support import nvml_profiles as profiles
from tests.support.nvml_machine import Machine, of
from tests.support.nvml_profiles import GIB, MIB, uuid

pytestmark = pytest.mark.tier("compiler")


@pytest.fixture
def a100(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Machine:
    machine = Machine(tmp_path, profiles.a100())
    for name, value in machine.fake.environ.items():
        monkeypatch.setenv(name, value)
    return machine


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
        of(3, "temperature_limit_celsius", limit="slowdown"): 89,
        of(3, "power_watts"): 258.5,
        of(3, "power_average_watts"): 250,
        of(3, "power_enforced_limit_watts"): 400,
        of(3, "power_limit_watts", limit="min"): 100,
        of(3, "energy_joules_total"): 5000.003,
        of(3, "clock_hertz", clock="sm"): 1_410_000_000,
        of(3, "clock_hertz", clock="memory"): 1_593_000_000,
        of(3, "clock_limit_hertz", clock="video"): 1_290_000_000,
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
        of(3, "ecc_errors_lifetime_total", type="uncorrected", memory="dram"): 1,
        of(3, "remapped_rows", type="corrected"): 2,
        of(3, "row_remap", state="pending"): 0,
        of(3, "recovery_action"): 0,
        of(3, "nvlink_receive_bytes_total"): 2000 * 1024,
        of(3, "nvlink_transmit_bytes_total"): 1000 * 1024,
    }
    assert {name: values.get(name) for name in expected} == expected
    assert values["hwinfod_gpu_released"] == 0
    assert of(3, "fan_speed_ratio") not in values
    bench.runner.close()


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
    bench.runner.close()


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
    bench.runner.close()


def test_a_host_without_nvidia_says_so(tmp_path: Path) -> None:
    from hwinfod.collectors.nvidia import Nvidia
    from tests.support.bench import Bench

    bench = Bench(Nvidia, tmp_path)
    assert bench.attempt() is State.ABSENT
    assert bench.reason == "no NVIDIA driver and no NVIDIA GPU"
