# SPDX-License-Identifier: MIT
"""The families of GPUs of every vendor, under one set of names; what one vendor alone has is in its own module.

`gpu` is the index that the GPU had when it was first seen, `uuid` its stable id; both stay while the daemon lives.
"""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING

from hwinfod.core.check import Check
from hwinfod.core.event import Severity
from hwinfod.core.metric import Kind, Level, Metric

if TYPE_CHECKING:
    from collections.abc import Mapping

LABELS = ("gpu", "uuid")
_NVML, _AMD = "NVML", "amdgpu sysfs"
# Clocks that somebody asked for, or that stand where they are for want of work; and thermal by its two kinds.
_LESS_TOLD = frozenset(
    {
        "sync_boost", "board_limit", "low_utilization", "reliability", "applications_clocks", "base_clocks",
        "sw_thermal", "hw_thermal",
    }
)  # fmt: skip


def gauge(
    name: str,
    help_: str,
    source: str,
    *,
    unit: str = "",
    labels: tuple[str, ...] = (),
    detailed: bool = False,
    aside: Mapping[str, frozenset[str]] = MappingProxyType({}),
) -> Metric:
    """A gauge of a GPU; `labels` come behind gpu and uuid."""
    level = Level.DETAILED if detailed else Level.STANDARD
    return Metric(name, Kind.GAUGE, help_, source, unit, (*LABELS, *labels), level, aside=aside)


def counter(
    name: str,
    help_: str,
    source: str,
    *,
    unit: str = "",
    labels: tuple[str, ...] = (),
    detailed: bool = False,
    aside: Mapping[str, frozenset[str]] = MappingProxyType({}),
) -> Metric:
    """A counter of a GPU; `labels` come behind gpu and uuid."""
    level = Level.DETAILED if detailed else Level.STANDARD
    return Metric(name, Kind.COUNTER, help_, source, unit, (*LABELS, *labels), level, aside=aside)


INFO = Metric(
    name="hw_gpu_info",
    kind=Kind.INFO,
    help="GPUs; memory is dedicated, or unified where GPU and processor share the host's.",
    source=f"{_NVML} static calls; {_AMD}",
    labels=(*LABELS, "vendor", "model", "pci", "numa_node", "driver", "driver_version", "vbios", "memory"),
)
UP = gauge(
    "hw_gpu_up",
    "Whether the GPU answers (1), or is lost, hung or needs a reset (0); absent for one that sleeps or was given away.",
    "the calls of the last tick",
)

UTILIZATION = gauge(
    "hw_gpu_utilization_ratio",
    "Share of the time in which at least one kernel ran.",
    f"{_NVML} nvmlDeviceGetUtilizationRates gpu; {_AMD} gpu_busy_percent",
    unit="ratio",
)
MEMORY_CONTROLLER = gauge(
    "hw_gpu_memory_controller_utilization_ratio",
    "Share of the time in which memory was read or written.",
    f"{_NVML} nvmlDeviceGetUtilizationRates memory; {_AMD} mem_busy_percent",
    unit="ratio",
)
ENGINE = gauge(
    "hw_gpu_engine_utilization_ratio",
    "Share of the time in which a fixed-function engine worked.",
    f"{_NVML} nvmlDeviceGet{{Encoder,Decoder,Jpg,Ofa}}Utilization; {_AMD} gpu_metrics",
    unit="ratio",
    labels=("engine",),
)

MEMORY_USAGE = gauge(
    "hw_gpu_memory_usage_bytes",
    "Memory in use, the driver's own not counted where the driver tells it apart; the host's on unified memory.",
    f"{_NVML} nvmlDeviceGetMemoryInfo_v2 used; {_AMD} mem_info_vram_used; /proc/meminfo",
    unit="bytes",
)
MEMORY_LIMIT = gauge(
    "hw_gpu_memory_limit_bytes",
    "Memory that the GPU has; the host's on unified memory.",
    f"{_NVML} nvmlDeviceGetMemoryInfo_v2 total; {_AMD} mem_info_vram_total; /proc/meminfo",
    unit="bytes",
)
MEMORY_FREE = gauge(
    "hw_gpu_memory_free_bytes",
    "Memory that can be allocated.",
    f"{_NVML} nvmlDeviceGetMemoryInfo_v2 free",
    unit="bytes",
    detailed=True,
)
MEMORY_RESERVED = gauge(
    "hw_gpu_memory_reserved_bytes",
    "Memory that driver and firmware keep for themselves.",
    f"{_NVML} nvmlDeviceGetMemoryInfo_v2 reserved",
    unit="bytes",
    detailed=True,
)
APERTURE_USAGE = gauge(
    "hw_gpu_aperture_usage_bytes",
    "Part of the PCI window (BAR1, visible VRAM) onto the GPU's memory that is mapped.",
    f"{_NVML} nvmlDeviceGetBAR1MemoryInfo bar1Used; {_AMD} mem_info_vis_vram_used",
    unit="bytes",
    detailed=True,
)
APERTURE_LIMIT = gauge(
    "hw_gpu_aperture_limit_bytes",
    "Size of the PCI window (BAR1, visible VRAM) onto the GPU's memory.",
    f"{_NVML} nvmlDeviceGetBAR1MemoryInfo bar1Total; {_AMD} mem_info_vis_vram_total",
    unit="bytes",
    detailed=True,
)

POWER = gauge(
    "hw_gpu_power_watts",
    "Power drawn now, or the driver's average over a second where it tells no other.",
    f"{_NVML} NVML_FI_DEV_POWER_INSTANT (186), nvmlDeviceGetPowerUsage; {_AMD} hwmon power1_input or power1_average",
    unit="watts",
)
POWER_AVERAGE = gauge(
    "hw_gpu_power_average_watts",
    "Power drawn, averaged by the driver.",
    f"{_NVML} NVML_FI_DEV_POWER_AVERAGE (185); {_AMD} hwmon power1_average",
    unit="watts",
    detailed=True,
)
POWER_LIMIT = gauge(
    "hw_gpu_power_enforced_limit_watts",
    "Power limit in force: the least of all that apply.",
    f"{_NVML} NVML_FI_DEV_POWER_CURRENT_LIMIT (190); {_AMD} hwmon power1_cap",
    unit="watts",
)
POWER_LIMITS = gauge(
    "hw_gpu_power_limit_watts",
    "Power limits that can be set, that were set, and that of the maker.",
    f"{_NVML} NVML_FI_DEV_POWER_*_LIMIT (187 to 192); {_AMD} hwmon power1_cap_{{min,max,default}}",
    unit="watts",
    labels=("limit",),
    detailed=True,
)
ENERGY = counter(
    "hw_gpu_energy_joules_total",
    "Energy used since the driver was loaded.",
    f"{_NVML} NVML_FI_DEV_TOTAL_ENERGY_CONSUMPTION (83); {_AMD} gpu_metrics energy_accumulator",
    unit="joules",
)
TEMPERATURE = gauge(
    "hw_gpu_temperature_celsius",
    "Temperature of the chip (gpu, edge), its hottest place (junction) or its memory.",
    f"{_NVML} nvmlDeviceGetTemperature, NVML_FI_DEV_MEMORY_TEMP (82); {_AMD} hwmon temp*_input",
    unit="celsius",
    labels=("sensor",),
)
TEMPERATURE_LIMIT = gauge(
    "hw_gpu_temperature_limit_celsius",
    "Temperatures at which the GPU slows down or shuts down.",
    f"{_NVML} nvmlDeviceGetTemperatureThreshold; {_AMD} hwmon temp*_{{crit,emergency}}",
    unit="celsius",
    labels=("limit",),
    detailed=True,
)
CLOCK = gauge(
    "hw_gpu_clock_hertz",
    "Frequency of a clock now.",
    f"{_NVML} nvmlDeviceGetClockInfo; {_AMD} gpu_metrics",
    unit="hertz",
    labels=("clock",),
    aside={"clock": frozenset({"sm", "video", "soc", "fabric"})},  # that of the SMs is the one of graphics
)
CLOCK_LIMIT = gauge(
    "hw_gpu_clock_limit_hertz",
    "Highest frequency of a clock.",
    f"{_NVML} nvmlDeviceGetMaxClockInfo; {_AMD} pp_dpm_*",
    unit="hertz",
    labels=("clock",),
    detailed=True,
)
PERFORMANCE_STATE = gauge(
    "hw_gpu_performance_state",
    "Performance state: 0 is the fastest, 15 the slowest.",
    f"{_NVML} nvmlDeviceGetPerformanceState",
    detailed=True,
)
FAN = gauge(
    "hw_gpu_fan_speed_ratio",
    "Speed that the fan is told to have, of its highest.",
    f"{_NVML} nvmlDeviceGetFanSpeed; {_AMD} hwmon pwm1",
    unit="ratio",
    detailed=True,
)

THROTTLED = gauge(
    "hw_gpu_throttled",
    "Whether the clocks are held down for a reason (1) or not (0).",
    f"{_NVML} nvmlDeviceGetCurrentClocksEventReasons; {_AMD} gpu_metrics throttle_status",
    labels=("reason",),
    detailed=True,
)
THROTTLE_SECONDS = counter(
    "hw_gpu_throttle_seconds_total",
    "Time for which the clocks were held down, by reason; reasons overlap.",
    f"{_NVML} NVML_FI_DEV_PERF_POLICY_* (74 to 81, 269 to 271); {_AMD} gpu_metrics *_residency_acc",
    unit="seconds",
    labels=("reason",),
    aside={"reason": _LESS_TOLD},
)

PCIE_GENERATION = gauge(
    "hw_gpu_pcie_link_generation",
    "PCI Express generation that the link runs at; an idle GPU may lower it.",
    f"{_NVML} nvmlDeviceGetCurrPcieLinkGeneration; {_AMD} current_link_speed",
    detailed=True,
)
PCIE_WIDTH = gauge(
    "hw_gpu_pcie_link_width_lanes",
    "Lanes that the link runs on.",
    f"{_NVML} nvmlDeviceGetCurrPcieLinkWidth; {_AMD} current_link_width",
    detailed=True,
)
PCIE_GENERATION_LIMIT = gauge(
    "hw_gpu_pcie_link_generation_limit",
    "PCI Express generation that GPU and system can both use.",
    f"{_NVML} nvmlDeviceGetMaxPcieLinkGeneration; {_AMD} max_link_speed",
    detailed=True,
)
PCIE_WIDTH_LIMIT = gauge(
    "hw_gpu_pcie_link_width_limit_lanes",
    "Lanes that GPU and system can both use.",
    f"{_NVML} nvmlDeviceGetMaxPcieLinkWidth; {_AMD} max_link_width",
    detailed=True,
)
PCIE_REPLAYS = counter(
    "hw_gpu_pcie_replays_total",
    "Packets that had to be sent again on the PCI Express link.",
    f"{_NVML} NVML_FI_DEV_PCIE_REPLAY_COUNTER (94); {_AMD} pcie_replay_count, gpu_metrics pcie_replay_count_acc",
    detailed=True,
)
PCIE_RECEIVE = counter(
    "hw_gpu_pcie_receive_bytes_total",
    "Data that came to the GPU over PCI Express.",
    f"{_NVML} NVML_FI_DEV_PCIE_COUNT_RX_BYTES (198)",
    unit="bytes",
    detailed=True,
)
PCIE_TRANSMIT = counter(
    "hw_gpu_pcie_transmit_bytes_total",
    "Data that the GPU sent over PCI Express.",
    f"{_NVML} NVML_FI_DEV_PCIE_COUNT_TX_BYTES (197)",
    unit="bytes",
    detailed=True,
)

ECC = counter(
    "hw_gpu_ecc_errors_total",
    "Memory errors since the driver was loaded, corrected or not, by the memory that they were in.",
    f"{_NVML} nvmlDeviceGetMemoryErrorCounter, volatile; {_AMD} ras/*_err_count",
    labels=("type", "memory"),
)
ECC_LIFETIME = counter(
    "hw_gpu_ecc_errors_lifetime_total",
    "Memory errors that the board remembers from all its life, corrected or not, by the memory that they were in.",
    f"{_NVML} nvmlDeviceGetMemoryErrorCounter, aggregate",
    labels=("type", "memory"),
    detailed=True,
)
PAGES_RETIRED = gauge(
    "hw_gpu_retired_pages",
    "Memory pages taken out of use, by the errors that they had.",
    f"{_NVML} NVML_FI_DEV_RETIRED_* (29, 30); {_AMD} ras/gpu_vram_bad_pages",
    labels=("type",),
    detailed=True,
)
PROCESSES = gauge(
    "hw_gpu_processes",
    "Processes that use the GPU.",
    f"{_NVML} nvmlDeviceGet{{Compute,Graphics,MPSCompute}}RunningProcesses_v3; {_AMD} /sys/class/kfd/kfd/proc",
    detailed=True,
)

METRICS = tuple(value for value in list(globals().values()) if isinstance(value, Metric))

CHECKS = (
    Check(
        name="gpu_down",
        metric=UP,
        wrong=lambda up: up == 0,
        severity=Severity.CRITICAL,
        text="GPU {gpu} ({uuid}) does not answer",
        remedy="hwinfoctl gpus; hwinfoctl events",
    ),
    Check(
        name="gpu_ecc_uncorrected",
        metric=ECC,
        wrong=lambda errors: errors > 0,
        severity=Severity.WARNING,
        text="GPU {gpu}: {value:.0f} uncorrected errors in {memory} since the driver was loaded",
        remedy="hwinfoctl gpus; reset the GPU when it is free",
        only={"type": "uncorrected"},
    ),
    *(
        Check(
            name=f"gpu_{reason}_throttle",
            metric=THROTTLED,
            wrong=lambda throttled: throttled == 1,
            severity=Severity.WARNING,
            text="GPU {gpu} has been slowed down ({reason}) for more than a minute",
            remedy="hwinfoctl gpus; look at cooling and power supplies",
            for_seconds=60,
            only={"reason": reason},
        )
        for reason in ("hw_thermal", "sw_thermal", "hw_power_brake", "hw_slowdown")
    ),
)
