# SPDX-License-Identifier: MIT
"""Hosts with GPUs of every kind, and what a daemon has to say of one of theirs: by hand, from the data that the
profile's library or files give, in the units that the names say."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.fixtures.host import Host
from tests.fixtures.host.gpus import GIB, GpuHost
from tests.support import nvml_profiles
from tests.support.nvml import FakeNvml
from tests.support.nvml_machine import PLACE

MIB = 1 << 20
MHZ = 1_000_000


@dataclass(frozen=True, slots=True)
class Profile:
    """`build` puts the GPUs into a host, and gives the environment that the daemon needs. `said` is all that is told
    of GPU `gpu`; `row` its line of `hwinfoctl gpus` without bar and owner."""

    name: str
    build: Callable[[Host], dict[str, str]]
    gpus: int
    gpu: str
    said: Mapping[str, Any]
    facts: Mapping[str, str]
    row: Sequence[str]
    partitions: Sequence[str] = field(default=())


def _nvml(state: Mapping[str, object]) -> Callable[[Host], dict[str, str]]:
    def build(host: Host) -> dict[str, str]:
        root = Path(host.rootfs)
        (Path(host.procfs) / "driver/nvidia").mkdir(parents=True)
        return FakeNvml(root.parent, state, place=root / PLACE.lstrip("/")).environ

    return build


def _files(add: Callable[[GpuHost], object]) -> Callable[[Host], dict[str, str]]:
    def build(host: Host) -> dict[str, str]:
        add(GpuHost(Path(host.tree.root)))
        return {}

    return build


def _labelled(name: str, values: Mapping[str, Any]) -> dict[str, Any]:
    return {f"{name}/{label}": value for label, value in values.items()}


_REASONS = (
    "gpu_idle", "applications_clocks", "sw_power_cap", "hw_slowdown", "sync_boost", "sw_thermal", "hw_thermal",
    "hw_power_brake", "display_clock",
)  # fmt: skip
# Of every NVIDIA GPU in the profiles.
_NVIDIA = {
    "up": 1, "memory_controller_utilization_ratio": 0.12, "performance_state": 0, "processes": 0,
    "engine_utilization_ratio/encoder": 0.03, "engine_utilization_ratio/decoder": 0.04,
    **_labelled("clock_hertz", {"graphics": 1410 * MHZ, "sm": 1410 * MHZ, "memory": 1593 * MHZ, "video": 1275 * MHZ}),
    **_labelled(
        "clock_limit_hertz", {"graphics": 1410 * MHZ, "sm": 1410 * MHZ, "memory": 1593 * MHZ, "video": 1290 * MHZ}
    ),
    **_labelled("throttled", {reason: int(reason == "sw_power_cap") for reason in _REASONS}),
}  # fmt: skip
_BOARD = {
    "aperture_limit_bytes": 128 * GIB, "aperture_usage_bytes": 2 * GIB,
    "pcie_link_generation": 4, "pcie_link_generation_limit": 4,
    "pcie_link_width_lanes": 16, "pcie_link_width_limit_lanes": 16,
    **_labelled("temperature_limit_celsius", {"shutdown": 92, "slowdown": 89, "gpu_max": 85}),
}  # fmt: skip


def _data_center(gpu: int, links: int) -> dict[str, Any]:
    """GPU number `gpu` of an A100 or H100 host with so many NVLinks each."""
    numbers = [str(link) for link in range(links)]
    errors = ("replay", "recovery", "crc")
    return {
        **_NVIDIA, **_BOARD,
        "utilization_ratio": (37 + gpu) / 100,
        "engine_utilization_ratio/jpeg": 0.05, "engine_utilization_ratio/ofa": 0.06,
        "memory_limit_bytes": 80 * GIB, "memory_usage_bytes": (10 + gpu) * GIB, "memory_reserved_bytes": 600 * MIB,
        "memory_free_bytes": (70 - gpu) * GIB - 600 * MIB,
        "power_watts": 255.5 + gpu, "power_average_watts": 250, "power_enforced_limit_watts": 400,
        **_labelled("power_limit_watts", {"minimum": 100, "maximum": 400, "default": 400, "requested": 400}),
        "energy_joules_total": (5_000_000 + gpu) / 1000,
        "temperature_celsius/gpu": 50 + gpu, "temperature_celsius/memory": 61,
        **_labelled("throttle_seconds_total", {
            "sw_power_cap": 120, "thermal": 0, "sync_boost": 0, "board_limit": 0, "low_utilization": 7,
            "reliability": 0, "applications_clocks": 0, "base_clocks": 0,
        }),
        "pcie_replays_total": 3, "pcie_receive_bytes_total": 8192, "pcie_transmit_bytes_total": 4096,
        **_labelled("ecc_errors_total/corrected", {"dram": 4, "sram": 0}),
        **_labelled("ecc_errors_total/uncorrected", {"dram": 0, "sram": 0}),
        **_labelled("ecc_errors_lifetime_total/corrected", {"dram": 9, "sram": 0}),
        **_labelled("ecc_errors_lifetime_total/uncorrected", {"dram": 1, "sram": 0}),
        "remapped_rows/corrected": 2, "remapped_rows/uncorrected": 1, "row_remap/pending": 0, "row_remap/failed": 0,
        "page_retirement_pending": 0, "recovery_action": "none",
        "nvlinks/up": links, "nvlinks/down": 0, "nvlinks/unused": 0,
        "nvlink_receive_bytes_total": 2000 * 1024, "nvlink_transmit_bytes_total": 1000 * 1024,
        **_labelled("nvlink_errors_total", dict.fromkeys(errors, sum(range(links)))),
        **_labelled("nvlink_up", dict.fromkeys(numbers, 1)),
        **_labelled("nvlink_link_receive_bytes_total", dict.fromkeys(numbers, 200 * 1024)),
        **_labelled("nvlink_link_transmit_bytes_total", dict.fromkeys(numbers, 100 * 1024)),
        **{f"nvlink_link_errors_total/{link}/{error}": link for link in range(links) for error in errors},
    }  # fmt: skip


_HOPPER = {
    "pcie_link_generation": 5, "pcie_link_generation_limit": 5, "fabric_state": "completed",
    **_labelled("throttle_seconds_total", {"sw_thermal": 1, "hw_thermal": 2, "hw_power_brake": 3}),
}  # fmt: skip
_GPM = {
    "sm_active_ratio": 0.815, "sm_occupancy_ratio": 0.4225, "tensor_active_ratio": 0.605,
    "dram_bandwidth_utilization_ratio": 0.33, "pipe_active_ratio/fp32": 0.21,
}  # fmt: skip


def _cut_h100() -> dict[str, Any]:
    """GPU 2: what its instances do is told of them, and nothing of the whole."""
    whole = _data_center(2, 18) | _HOPPER
    for gone in ("utilization_ratio", "memory_controller_utilization_ratio", "engine_utilization_ratio/"):
        whole = {name: value for name, value in whole.items() if not name.startswith(gone)}
    first, second = (f"MIG-00000002-0000-0000-0000-{index:012x}" for index in (0, 2))
    return {
        **whole,
        f"mig_memory_limit_bytes/{first}/3g.40gb": 40_448 * MIB, f"mig_memory_usage_bytes/{first}/3g.40gb": GIB,
        f"mig_memory_limit_bytes/{second}/1g.10gb": 9856 * MIB, f"mig_memory_usage_bytes/{second}/1g.10gb": 3 * GIB,
        f"mig_sm_active_ratio/{first}/3g.40gb": 0.5, f"mig_sm_active_ratio/{second}/1g.10gb": 0.52,
    }  # fmt: skip


def _b200(gpu: int) -> dict[str, Any]:
    """As an H100, but for NVLink 5 and limits as margins."""
    numbers = [str(link) for link in range(18)]
    errors = (
        "malformed_packet", "buffer_overrun", "receive", "receive_remote", "receive_general", "local_link_integrity",
        "transmit_discard", "link_recovery_successful", "link_recovery_failed", "link_recovery",
    )  # fmt: skip
    gone = ("temperature_limit_celsius/", "nvlink_errors_total/", "nvlink_link_errors_total/")
    older = _data_center(gpu, 18) | _HOPPER | _GPM
    return {
        **{name: value for name, value in older.items() if not name.startswith(gone)},
        "memory_limit_bytes": 180 * GIB, "memory_free_bytes": (170 - gpu) * GIB - 600 * MIB,
        "temperature_margin_celsius": 35 - gpu,
        **_labelled("temperature_margin_limit_celsius", {"shutdown": -7, "slowdown": -2}),
        **_labelled("temperature_margin_limit_celsius", {"memory_max": 0, "gpu_max": 0}),
        "nvlink_receive_bytes_total": 36_000, "nvlink_transmit_bytes_total": 18_000,
        **_labelled("nvlink_errors_total", dict.fromkeys(errors, sum(range(18)))),
        **_labelled("nvlink_link_receive_bytes_total", dict.fromkeys(numbers, 2000)),
        **_labelled("nvlink_link_transmit_bytes_total", dict.fromkeys(numbers, 1000)),
        **{f"nvlink_link_errors_total/{link}/{error}": link for link in range(18) for error in errors},
    }  # fmt: skip


_GEFORCE = {
    **_NVIDIA, **_BOARD,
    "utilization_ratio": 0.37, "memory_limit_bytes": 24 * GIB, "memory_usage_bytes": 3 * GIB,
    "memory_reserved_bytes": 400 * MIB, "memory_free_bytes": 21 * GIB - 400 * MIB, "power_watts": 251.25,
    "energy_joules_total": 5000, "temperature_celsius/gpu": 50, "fan_speed_ratio": 0.42, "pcie_replays_total": 0,
}  # fmt: skip
_GB10 = {
    **_NVIDIA,
    "utilization_ratio": 0.37, "power_watts": 251.25, "energy_joules_total": 5000, "temperature_celsius/gpu": 50,
    "pcie_link_generation_limit": 5, "pcie_replays_total": 3,
}  # fmt: skip

_THROTTLES = ("prochot", "power", "thermal", "vr_thermal", "memory_thermal")
_XGMI = [str(link) for link in range(1, 8)]
_MI300X = {
    "up": 1, "utilization_ratio": 0.9, "memory_controller_utilization_ratio": 0.37, "processes": 0,
    "engine_utilization_ratio/vcn": 0.1, "engine_utilization_ratio/jpeg": 0.04,
    "memory_limit_bytes": 192 * GIB, "memory_usage_bytes": 100 * GIB,
    "aperture_limit_bytes": 192 * GIB, "aperture_usage_bytes": 100 * GIB,
    "host_memory_limit_bytes": 64 * GIB, "host_memory_usage_bytes": GIB,
    "power_watts": 402.5, "power_enforced_limit_watts": 750,
    **_labelled("power_limit_watts", {"minimum": 0, "maximum": 750}), "energy_joules_total": 1000,
    **_labelled("temperature_celsius", {"junction": 51, "memory": 44, "vr_soc": 47}),
    **_labelled("temperature_limit_celsius", {"junction_critical": 100, "memory_critical": 105}),
    **_labelled("clock_hertz", {"graphics": 2100 * MHZ, "soc": 1100 * MHZ, "memory": 1300 * MHZ}),
    **_labelled("clock_limit_hertz", {"graphics": 2100 * MHZ, "memory": 1300 * MHZ}),
    **_labelled("throttle_seconds_total", dict.fromkeys(_THROTTLES, 0)),
    "pcie_link_generation": 5, "pcie_link_width_lanes": 16, "pcie_replays_total": 3,
    **_labelled("ecc_errors_total/corrected", {"umc": 12, "sdma": 0}),
    **_labelled("ecc_errors_total/uncorrected", {"umc": 1, "sdma": 0}), "ecc_errors_total/deferred/umc": 0,
    **_labelled("retired_pages", {"retired": 1, "pending": 1, "failed": 0}),
    "xgmi_links/active": 7, "xgmi_links/inactive": 1,
    **_labelled("xgmi_receive_bytes_total", {"0": 0, **dict.fromkeys(_XGMI, 7 * 1024)}),
    **_labelled("xgmi_transmit_bytes_total", {"0": 0, **dict.fromkeys(_XGMI, 9 * 1024)}),
}  # fmt: skip
_PARTS = [str(part) for part in range(8)]
_CPX = {
    **_MI300X,
    **_labelled("partition_utilization_ratio", dict.fromkeys(_PARTS, 0.9)),
    **_labelled("partition_memory_limit_bytes", dict.fromkeys(_PARTS, 24 * GIB)),
    **_labelled("partition_memory_usage_bytes", dict.fromkeys(_PARTS, 0)),
}
_RADEON = {
    "up": 1, "utilization_ratio": 0.25, "memory_controller_utilization_ratio": 0.05, "processes": 0,
    "engine_utilization_ratio/media": 0.5, "memory_limit_bytes": 48 * GIB, "memory_usage_bytes": 2 * GIB,
    "aperture_limit_bytes": GIB // 4, "aperture_usage_bytes": GIB // 8, "host_memory_limit_bytes": 32 * GIB,
    "host_memory_usage_bytes": GIB, "power_watts": 88, "power_average_watts": 88, "power_enforced_limit_watts": 241,
    "power_limit_watts/default": 241, "temperature_celsius/edge": 40, "fan_speed_ratio": 0.2,
    **_labelled("temperature_limit_celsius", {"edge_critical": 100, "edge_emergency": 105}),
    **_labelled("clock_hertz", {"graphics": 1500 * MHZ, "memory": 1124 * MHZ, "soc": 800 * MHZ}),
    "clock_limit_hertz/graphics": 2495 * MHZ, "pcie_link_generation": 4, "pcie_link_width_lanes": 16,
    "pcie_replays_total": 0,
    **_labelled("throttled", {"power": 1, "thermal": 1, "current": 0, "prochot": 0, "vr_thermal": 0}),
}  # fmt: skip
_APU = {
    "up": 1, "utilization_ratio": 0.1234, "processes": 0, "memory_limit_bytes": 15 * GIB + GIB // 2,
    "memory_usage_bytes": GIB + GIB // 4, "host_memory_limit_bytes": 15 * GIB, "host_memory_usage_bytes": GIB,
    "power_watts": 15, "temperature_celsius/edge": 45, "clock_hertz/graphics": 800 * MHZ,
    **_labelled("throttled", dict.fromkeys(("power", "thermal", "current", "prochot", "vr_thermal"), 0)),
}  # fmt: skip
_MAX = {
    "up": 1, "memory_limit_bytes": 128 * GIB, "power_enforced_limit_watts": 600, "energy_joules_total": 7.5,
    "temperature_celsius/pkg": 55, "processes": 1,
    **_labelled("clock_hertz", {"gt0": 1300 * MHZ, "gt1": 1301 * MHZ}),
    **_labelled("clock_limit_hertz", {"gt0": 1600 * MHZ, "gt1": 1600 * MHZ}),
    **_labelled("asleep_seconds_total", {"gt0": 5, "gt1": 5.001}),
    "throttled/power": 1, "throttled/thermal": 0,
}  # fmt: skip


def _instincts(partitions: int) -> Callable[[GpuHost], object]:
    return lambda host: [host.add_instinct(number, partitions=partitions) for number in range(8)]


def _max(host: GpuHost) -> None:
    host.add_max()
    text = "drm-driver: xe\ndrm-pdev: 0000:29:00.0\ndrm-client-id: 1\ndrm-resident-vram0: 1 GiB\n"
    host.open_drm(4711, 3, text)


_NVIDIA_FACTS = {"vendor": "NVIDIA", "driver_version": "570.124.06", "cuda_version": "12.8"}

PROFILES = (
    Profile(
        "8xA100", _nvml(nvml_profiles.a100()), 8, "3", _data_center(3, 12),
        {**_NVIDIA_FACTS, "model": "A100-SXM4-80GB", "architecture": "Ampere", "memory": "dedicated", "mig_mode": "off",
         "pci": "0000:1e:00.0", "serial": "1651223000003", "vbios": "96.00.74.00.01", "ecc_mode": "on"},
        ["3", "40%", "13/80", "258/400", "53", "4x16", "12", "ok"],
    ),
    Profile(
        "8xH100", _nvml(nvml_profiles.h100()), 8, "7", _data_center(7, 18) | _HOPPER | _GPM,
        {**_NVIDIA_FACTS, "model": "H100 80GB HBM3", "architecture": "Hopper", "mig_mode": "off"},
        ["7", "44%", "17/80", "262/400", "57", "5x16", "18", "ok"],
    ),
    Profile(
        "8xH100, MIG", _nvml(nvml_profiles.h100()), 8, "2", _cut_h100(),
        {**_NVIDIA_FACTS, "model": "H100 80GB HBM3", "architecture": "Hopper", "mig_mode": "on"},
        ["2", "-", "12/80", "258/400", "52", "5x16", "18", "ok"], ["3g.40gb", "1g.10gb"],
    ),
    Profile(
        "8xB200", _nvml(nvml_profiles.b200()), 8, "6", _b200(6),
        {**_NVIDIA_FACTS, "model": "B200", "architecture": "Blackwell", "memory": "dedicated", "mig_mode": "off"},
        ["6", "43%", "16/180", "262/400", "56", "5x16", "18", "ok"],
    ),
    Profile(
        "GeForce", _nvml(nvml_profiles.geforce()), 1, "0", _GEFORCE,
        {**_NVIDIA_FACTS, "model": "GeForce RTX 4090", "architecture": "Ada", "serial": "", "ecc_mode": "",
         "mig_mode": ""},
        ["0", "37%", "3/24", "251", "50", "4x16", "-", "ok"],
    ),
    Profile(
        "GB10", _nvml(nvml_profiles.gb10()), 1, "0", _GB10,
        {**_NVIDIA_FACTS, "model": "GB10", "architecture": "Blackwell", "memory": "unified"},
        ["0", "37%", "1/2", "251", "50", "-", "-", "ok"],
    ),
    Profile(
        "8xMI300X, SPX", _files(_instincts(1)), 8, "5", _MI300X,
        {"vendor": "AMD", "model": "AMD Instinct MI300X", "pci": "0000:a5:00.0", "memory": "dedicated",
         "uuid": "GPU-cfc7b4d5b96c0a05", "render_node": "/dev/dri/renderD133"},
        ["5", "90%", "100/192", "402/750", "51", "5x16", "7", "uncorrected", "ECC"],
    ),
    Profile(
        "8xMI300X, CPX", _files(_instincts(8)), 8, "5", _CPX,
        {"vendor": "AMD", "model": "AMD Instinct MI300X", "uuid": "GPU-cfc7b4d5b96c0a05"},
        ["5", "90%", "100/192", "402/750", "51", "5x16", "7", "uncorrected", "ECC"],
        _PARTS,
    ),
    Profile(
        "Radeon", _files(GpuHost.add_radeon), 1, "0", _RADEON,
        {"vendor": "AMD", "pci": "0000:63:00.0", "vbios": "113-D7070100-B11", "memory": "dedicated"},
        ["0", "25%", "2/48", "88/241", "40", "4x16", "-", "ok"],
    ),
    Profile(
        "APU", _files(GpuHost.add_apu), 1, "0", _APU,
        {"vendor": "AMD", "pci": "0000:c4:00.0", "memory": "unified"},
        ["0", "12%", "1/16", "15", "45", "-", "-", "ok"],
    ),
    Profile(
        "Intel Max", _files(_max), 1, "0", _MAX,
        {"vendor": "Intel", "pci": "0000:29:00.0", "driver": "xe", "memory": "dedicated",
         "render_node": "/dev/dri/renderD128"},
        ["0", "-", "-/128", "-/600", "55", "-", "-", "ok"],
    ),
)  # fmt: skip
