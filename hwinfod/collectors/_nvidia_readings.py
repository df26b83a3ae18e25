# SPDX-License-Identifier: MIT
"""What is read of an NVIDIA GPU: which call or field fills which columns, in which unit.

Where two sources have the same columns, the first that the GPU has fills them.
Source: nvml.h; units are those of its comments: percent, mW, mJ, MHz, ns, KiB up to NVLink 4.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from hwinfod.collectors import _gpu_families as gpu
from hwinfod.collectors import _nvidia_families as nvidia
from hwinfod.core.metric import Level
from hwinfod.sources.nvml_fields import ALL_LINKS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from hwinfod.core.codec import Value
    from hwinfod.core.metric import Metric

Columns = tuple[tuple["Metric", tuple[str, ...]], ...]

_NOT_AVAILABLE = {0xFFFFFFFF, 0xFFFFFFFFFFFFFFFF}  # nvml.h NVML_VALUE_NOT_AVAILABLE
MEMORY_V2 = 0x02000028  # nvml.h nvmlMemory_v2
UTILIZATION_CALL = "nvmlDeviceGetUtilizationRates"
_MHZ, _KIB = 1_000_000, 1024

# nvml.h nvmlClocksEventReason*; the names that other tools have for them.
REASONS = {
    "gpu_idle": 0x1,
    "applications_clocks": 0x2,
    "sw_power_cap": 0x4,
    "hw_slowdown": 0x8,
    "sync_boost": 0x10,
    "sw_thermal": 0x20,
    "hw_thermal": 0x40,
    "hw_power_brake": 0x80,
    "display_clock": 0x100,
}
_CLOCKS = {"graphics": 0, "sm": 1, "memory": 2, "video": 3}
_THRESHOLDS = {"shutdown": 0, "slowdown": 1, "memory_max": 2, "gpu_max": 3}
_ECC_TYPES = {"corrected": 0, "uncorrected": 1}
# nvml.h nvmlMemoryLocation_t. Ampere and later tell DRAM and SRAM; before them there were caches and registers.
_ECC_MEMORIES = {"dram": 2, "sram": 7, "l1": 0, "l2": 1, "register": 3, "texture": 4}


@dataclass(frozen=True, slots=True)
class Call:
    """A call with a handle and fixed arguments. `values` makes the columns' values of what it returns."""

    function: str
    arguments: tuple[Any, ...]
    columns: Columns
    values: Callable[[Any], Sequence[Value]]
    level: Level | None = None


@dataclass(frozen=True, slots=True)
class Field:
    """A field value, `scope` chooses among links. `value` converts to the column's unit."""

    id: int
    metric: Metric
    labels: tuple[str, ...] = ()
    value: Callable[[Any], Value] = int
    scope: int = 0


def known(value: int) -> int | None:
    return None if value in _NOT_AVAILABLE else value


def percent(value: int) -> float | None:
    """A share; NVML has shown garbage above 100, which is no share."""
    return value / 100 if 0 <= value <= 100 else None


def thousandth(value: int) -> float | None:
    return None if value in _NOT_AVAILABLE else value / 1000


def signed(value: int) -> int:
    """A number of 32 bits that the driver may hand out without its sign."""
    return value - (1 << 32) if value >= 1 << 31 else value


def nanoseconds(value: int) -> float:
    return value / 1e9


def kibibytes(value: int) -> int:
    return value * _KIB


def megahertz(value: int) -> int | None:
    return None if value in _NOT_AVAILABLE else value * _MHZ


def flag(value: int) -> int:
    return int(value != 0)


def _one(metric: Metric, *labels: str) -> Columns:
    return ((metric, labels),)


def _reasons(mask: int) -> list[Value]:
    return [None if mask in _NOT_AVAILABLE else int(mask & bit != 0) for bit in REASONS.values()]


def _memory(memory: Any) -> list[Value]:
    return [known(memory.used), known(memory.total), known(memory.free)]


_MEMORY = ((gpu.MEMORY_USAGE, ()), (gpu.MEMORY_LIMIT, ()), (gpu.MEMORY_FREE, ()))
_THROTTLED = tuple((gpu.THROTTLED, (reason,)) for reason in REASONS)


def _simple(function: str, metric: Metric, value: Callable[[Any], Value], *arguments: Any, label: str = "") -> Call:
    return Call(function, arguments, _one(metric, *([label] if label else [])), lambda result: [value(result)])


def _engine(name: str, engine: str, level: Level | None = None) -> Call:
    return Call(f"nvmlDeviceGet{name}Utilization", (), _one(gpu.ENGINE, engine), lambda pair: [percent(pair[0])], level)


def _ecc(counter: int, metric: Metric) -> Iterator[Call]:
    """`counter`: nvml.h nvmlEccCounterType_t, 0 volatile, 1 aggregate."""
    for memory, place in _ECC_MEMORIES.items():
        for name, kind in _ECC_TYPES.items():
            arguments = (kind, counter, place)
            yield Call("nvmlDeviceGetMemoryErrorCounter", arguments, _one(metric, name, memory), lambda n: [known(n)])


CALLS: tuple[Call, ...] = (
    Call(
        UTILIZATION_CALL,
        (),
        ((gpu.UTILIZATION, ()), (gpu.MEMORY_CONTROLLER, ())),
        lambda rates: [percent(rates.gpu), percent(rates.memory)],
    ),
    _engine("Encoder", "encoder"),
    _engine("Decoder", "decoder"),
    _engine("Jpg", "jpeg", Level.DETAILED),
    _engine("Ofa", "ofa", Level.DETAILED),
    Call(
        "nvmlDeviceGetMemoryInfo",
        (MEMORY_V2,),
        (*_MEMORY, (gpu.MEMORY_RESERVED, ())),
        lambda memory: [*_memory(memory), known(memory.reserved)],
    ),
    Call("nvmlDeviceGetMemoryInfo", (), _MEMORY, _memory),
    Call(
        "nvmlDeviceGetBAR1MemoryInfo",
        (),
        ((gpu.APERTURE_USAGE, ()), (gpu.APERTURE_LIMIT, ())),
        lambda bar1: [known(bar1.bar1Used), known(bar1.bar1Total)],
    ),
    _simple("nvmlDeviceGetTemperature", gpu.TEMPERATURE, known, 0, label="gpu"),
    _simple("nvmlDeviceGetMarginTemperature", nvidia.MARGIN, int),
    _simple("nvmlDeviceGetPowerUsage", gpu.POWER, thousandth),
    _simple("nvmlDeviceGetEnforcedPowerLimit", gpu.POWER_LIMIT, thousandth),
    _simple("nvmlDeviceGetTotalEnergyConsumption", gpu.ENERGY, thousandth),
    *(_simple("nvmlDeviceGetClockInfo", gpu.CLOCK, megahertz, which, label=name) for name, which in _CLOCKS.items()),
    _simple("nvmlDeviceGetPerformanceState", gpu.PERFORMANCE_STATE, lambda state: state if state <= 15 else None),
    _simple("nvmlDeviceGetFanSpeed", gpu.FAN, percent),
    Call("nvmlDeviceGetCurrentClocksEventReasons", (), _THROTTLED, _reasons),
    Call("nvmlDeviceGetCurrentClocksThrottleReasons", (), _THROTTLED, _reasons),
    _simple("nvmlDeviceGetCurrPcieLinkGeneration", gpu.PCIE_GENERATION, known),
    _simple("nvmlDeviceGetCurrPcieLinkWidth", gpu.PCIE_WIDTH, known),
    *_ecc(0, gpu.ECC),
)  # fmt: skip

# What changes seldom, and is asked for every few seconds.
SELDOM: tuple[Call, ...] = (
    *(
        _simple("nvmlDeviceGetMaxClockInfo", gpu.CLOCK_LIMIT, megahertz, which, label=name)
        for name, which in _CLOCKS.items()
    ),
    _simple("nvmlDeviceGetMaxPcieLinkGeneration", gpu.PCIE_GENERATION_LIMIT, known),
    _simple("nvmlDeviceGetMaxPcieLinkWidth", gpu.PCIE_WIDTH_LIMIT, known),
    *(
        _simple("nvmlDeviceGetTemperatureThreshold", gpu.TEMPERATURE_LIMIT, known, which, label=name)
        for name, which in _THRESHOLDS.items()
    ),
    *_ecc(1, gpu.ECC_LIFETIME),
)

SELDOM_FIELDS: tuple[Field, ...] = (
    Field(193, nvidia.MARGIN_LIMIT, ("shutdown",), signed),
    Field(194, nvidia.MARGIN_LIMIT, ("slowdown",), signed),
    Field(195, nvidia.MARGIN_LIMIT, ("memory_max",), signed),
    Field(196, nvidia.MARGIN_LIMIT, ("gpu_max",), signed),
)

# Errors of NVLink, as fields with the link as scope: up to generation 4, and from 5 on.
LINK_ERRORS = {
    "replay": 161, "recovery": 162, "crc": 163,
    "malformed_packet": 206, "buffer_overrun": 207, "receive": 208, "receive_remote": 209, "receive_general": 210,
    "local_link_integrity": 211, "transmit_discard": 212, "link_recovery_successful": 213, "link_recovery_failed": 214,
    "link_recovery": 215,
}  # fmt: skip

FIELDS: tuple[Field, ...] = (
    Field(186, gpu.POWER, value=thousandth),
    Field(185, gpu.POWER_AVERAGE, value=thousandth),
    Field(190, gpu.POWER_LIMIT, value=thousandth),
    Field(187, gpu.POWER_LIMITS, ("minimum",), thousandth),
    Field(188, gpu.POWER_LIMITS, ("maximum",), thousandth),
    Field(189, gpu.POWER_LIMITS, ("default",), thousandth),
    Field(192, gpu.POWER_LIMITS, ("requested",), thousandth),
    Field(83, gpu.ENERGY, value=thousandth),
    Field(82, gpu.TEMPERATURE, ("memory",)),
    Field(94, gpu.PCIE_REPLAYS),
    Field(198, gpu.PCIE_RECEIVE),
    Field(197, gpu.PCIE_TRANSMIT),
    Field(74, gpu.THROTTLE_SECONDS, ("sw_power_cap",), nanoseconds),
    Field(75, gpu.THROTTLE_SECONDS, ("thermal",), nanoseconds),
    Field(76, gpu.THROTTLE_SECONDS, ("sync_boost",), nanoseconds),
    Field(77, gpu.THROTTLE_SECONDS, ("board_limit",), nanoseconds),
    Field(78, gpu.THROTTLE_SECONDS, ("low_utilization",), nanoseconds),
    Field(79, gpu.THROTTLE_SECONDS, ("reliability",), nanoseconds),
    Field(80, gpu.THROTTLE_SECONDS, ("applications_clocks",), nanoseconds),
    Field(81, gpu.THROTTLE_SECONDS, ("base_clocks",), nanoseconds),
    Field(269, gpu.THROTTLE_SECONDS, ("sw_thermal",), nanoseconds),
    Field(270, gpu.THROTTLE_SECONDS, ("hw_thermal",), nanoseconds),
    Field(271, gpu.THROTTLE_SECONDS, ("hw_power_brake",), nanoseconds),
    Field(29, gpu.PAGES_RETIRED, ("corrected",)),
    Field(30, gpu.PAGES_RETIRED, ("uncorrected",)),
    Field(31, nvidia.RETIREMENT_PENDING, value=flag),
    Field(142, nvidia.ROWS_REMAPPED, ("corrected",)),
    Field(143, nvidia.ROWS_REMAPPED, ("uncorrected",)),
    Field(144, nvidia.ROW_REMAP, ("pending",), flag),
    Field(145, nvidia.ROW_REMAP, ("failed",), flag),
    Field(230, nvidia.RECOVERY_ACTION, value=lambda n: n if n < len(nvidia.RECOVERY_ACTIONS) else None),
    Field(139, nvidia.NVLINK_RECEIVE, value=kibibytes, scope=ALL_LINKS),
    Field(138, nvidia.NVLINK_TRANSMIT, value=kibibytes, scope=ALL_LINKS),
    Field(204, nvidia.NVLINK_RECEIVE, scope=ALL_LINKS),
    Field(202, nvidia.NVLINK_TRANSMIT, scope=ALL_LINKS),
)
