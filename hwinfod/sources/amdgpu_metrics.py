# SPDX-License-Identifier: MIT
"""gpu_metrics: the table that the firmware of an AMD GPU fills, as amdgpu hands it out in binary.

Source: drivers/gpu/drm/amd/include/kgd_pp_interface.h, struct gpu_metrics_v1_1 to v1_9, v2_1 to v2_4 and v3_0. Names
and offsets are that header's. A field of all ones is one that the GPU does not have.

pcie_bandwidth_acc and _inst are left alone: the header calls them GB/s, AMD SMI hands the same numbers out as Mb/s.
average_gfx_activity of v3_0 too: the header has percent, smu_v14_0_0_ppt.c hundredths; gpu_busy_percent says it.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from hwinfod.errors import ParseError
from hwinfod.sources.amdgpu_attributes import parse_attributes

if TYPE_CHECKING:
    from collections.abc import Mapping

_HEADER = struct.Struct("<HBB")  # structure_size, format_revision, content_revision
_ALL_ONES = {"H": 0xFFFF, "I": 0xFFFFFFFF, "Q": 0xFFFFFFFFFFFFFFFF}


def _pcie_errors(offset: int) -> dict[str, tuple[int, str]]:
    """They stand together."""
    names = ("pcie_l0_to_recov_count_acc", "pcie_replay_count_acc", "pcie_replay_rover_count_acc")
    return {name: (offset + 8 * number, "Q") for number, name in enumerate(names)}


# Field to offset and type, where the layouts share them.
_BOARD = {
    "temperature_edge": (4, "H"), "temperature_hotspot": (6, "H"), "temperature_mem": (8, "H"),
    "average_gfx_activity": (16, "H"), "average_umc_activity": (18, "H"), "average_mm_activity": (20, "H"),
    "average_socket_power": (22, "H"), "energy_accumulator": (24, "Q"),
    "current_gfxclk": (54, "H"), "current_socclk": (56, "H"), "current_uclk": (58, "H"),
    "pcie_link_width": (74, "H"), "pcie_link_speed": (76, "H"),
}  # fmt: skip
_MODULE = {
    "temperature_hotspot": (4, "H"), "temperature_mem": (6, "H"), "temperature_vrsoc": (8, "H"),
    "curr_socket_power": (10, "H"), "average_gfx_activity": (12, "H"), "average_umc_activity": (14, "H"),
}  # fmt: skip
_APU = {
    "temperature_gfx": (4, "H"), "average_gfx_activity": (28, "H"), "average_mm_activity": (30, "H"),
    "average_socket_power": (40, "H"), "current_gfxclk": (76, "H"), "current_socclk": (78, "H"),
    "current_uclk": (80, "H"), "current_fclk": (82, "H"),
}  # fmt: skip
_APU_THROTTLED = {**_APU, "indep_throttle_status": (120, "Q")}
_PARTITIONED = {
    **_MODULE,
    "energy_accumulator": (24, "Q"), "accumulation_counter": (40, "I"), "prochot_residency_acc": (44, "I"),
    "ppt_residency_acc": (48, "I"), "socket_thm_residency_acc": (52, "I"), "vr_thm_residency_acc": (56, "I"),
    "hbm_thm_residency_acc": (60, "I"), "pcie_link_width": (68, "H"), "pcie_link_speed": (70, "H"),
    "xgmi_read_data_acc": (136, "8Q"), "xgmi_write_data_acc": (200, "8Q"), "xgmi_link_status": (264, "8H"),
    "current_gfxclk": (296, "8H"),
    "current_socclk": (312, "4H"), "current_uclk": (336, "H"), "num_partition": (338, "H"), **_pcie_errors(104),
    "pcie_nak_sent_count_acc": (128, "I"), "pcie_nak_rcvd_count_acc": (132, "I"),
}  # fmt: skip

# Revision to structure_size and fields.
LAYOUTS: dict[tuple[int, int], tuple[int, dict[str, tuple[int, str]]]] = {
    (1, 1): (96, _BOARD),
    (1, 2): (104, _BOARD),
    (1, 3): (120, {**_BOARD, "indep_throttle_status": (112, "Q")}),
    (1, 4): (288, {
        **_MODULE, "vcn_activity": (16, "4H"), "energy_accumulator": (24, "Q"), "pcie_link_width": (48, "H"),
        "pcie_link_speed": (50, "H"), "xgmi_read_data_acc": (104, "8Q"), "xgmi_write_data_acc": (168, "8Q"),
        "current_gfxclk": (240, "8H"), "current_socclk": (256, "4H"), "current_uclk": (280, "H"), **_pcie_errors(80),
    }),
    (1, 5): (360, {
        **_MODULE, "vcn_activity": (16, "4H"), "jpeg_activity": (24, "32H"), "energy_accumulator": (88, "Q"),
        "pcie_link_width": (112, "H"), "pcie_link_speed": (114, "H"), "xgmi_read_data_acc": (176, "8Q"),
        "xgmi_write_data_acc": (240, "8Q"), "current_gfxclk": (312, "8H"), "current_socclk": (328, "4H"),
        "current_uclk": (352, "H"), **_pcie_errors(144),
    }),
    (1, 6): (1664, {
        **_MODULE, "energy_accumulator": (16, "Q"), "accumulation_counter": (32, "I"),
        "prochot_residency_acc": (36, "I"), "ppt_residency_acc": (40, "I"), "socket_thm_residency_acc": (44, "I"),
        "vr_thm_residency_acc": (48, "I"), "hbm_thm_residency_acc": (52, "I"), "pcie_link_width": (60, "H"),
        "pcie_link_speed": (62, "H"), "xgmi_read_data_acc": (128, "8Q"), "xgmi_write_data_acc": (192, "8Q"),
        "current_gfxclk": (264, "8H"), "current_socclk": (280, "4H"), "current_uclk": (304, "H"),
        "num_partition": (306, "H"), **_pcie_errors(96), "pcie_nak_sent_count_acc": (120, "I"),
        "pcie_nak_rcvd_count_acc": (124, "I"),
    }),
    (1, 7): (2208, _PARTITIONED),
    (1, 8): (3872, _PARTITIONED),
    (2, 1): (120, _APU),
    (2, 2): (128, _APU_THROTTLED),
    (2, 3): (152, _APU_THROTTLED),
    (2, 4): (168, _APU_THROTTLED),
    (3, 0): (264, {
        "temperature_gfx": (4, "H"), "temperature_soc": (6, "H"), "average_socket_power": (112, "I"),
        "average_gfxclk_frequency": (174, "H"), "average_socclk_frequency": (176, "H"),
        "average_fclk_frequency": (182, "H"), "average_uclk_frequency": (186, "H"),
    }),
}  # fmt: skip
_SELF_DESCRIBED = (1, 9)

# Revision to the offset of xcp_stats, one element's size, and the number of jpeg_busy in it: struct
# amdgpu_xcp_metrics (v1_0), _v1_1 and _v1_2, each {u32 gfx_busy_inst[8]; u16 jpeg_busy[n]; u16 vcn_busy[4]; ...}.
PARTITIONS = {(1, 6): (312, 168, 32), (1, 7): (344, 232, 32), (1, 8): (344, 440, 40)}
MOST_PARTITIONS = 8

_ENERGY_JOULES = 2.0**-16
_MEGAHERTZ = 1_000_000
_TEMPERATURES = {
    "temperature_edge": "edge", "temperature_gfx": "edge", "temperature_hotspot": "junction",
    "temperature_mem": "memory", "temperature_vrsoc": "vr_soc", "temperature_soc": "soc",
}  # fmt: skip
_CLOCKS = {
    "current_gfxclk": "graphics", "current_uclk": "memory", "current_socclk": "soc", "current_fclk": "fabric",
    "average_gfxclk_frequency": "graphics", "average_uclk_frequency": "memory", "average_socclk_frequency": "soc",
    "average_fclk_frequency": "fabric",
}  # fmt: skip
_RESIDENCIES = {
    "prochot_residency_acc": "prochot", "ppt_residency_acc": "power", "socket_thm_residency_acc": "thermal",
    "vr_thm_residency_acc": "vr_thermal", "hbm_thm_residency_acc": "memory_thermal",
}  # fmt: skip
_PCIE_ERRORS = {
    "pcie_l0_to_recov_count_acc": "recovery", "pcie_replay_count_acc": "replay",
    "pcie_replay_rover_count_acc": "replay_rollover", "pcie_nak_sent_count_acc": "nak_sent",
    "pcie_nak_rcvd_count_acc": "nak_received",
}  # fmt: skip
_ENGINES = {"average_mm_activity": "media", "vcn_activity": "vcn", "jpeg_activity": "jpeg"}

# Bits of indep_throttle_status, amdgpu_smu.h SMU_THROTTLER_*_BIT, by what holds the clocks down.
_THROTTLERS = {
    "power": sum(1 << bit for bit in range(8)),
    "current": sum(1 << bit for bit in range(16, 24)),
    "thermal": sum(1 << bit for bit in (*range(32, 38), 42, 43)),
    "vr_thermal": sum(1 << bit for bit in (38, 39, 40, 41, 44, 45)),
    "prochot": 1 << 46 | 1 << 47,
}


@dataclass(frozen=True, slots=True)
class PartitionMetrics:
    """What one partition's engines did: shares of the time, None where it has none that tells."""

    gfx_ratio: float | None
    engines: Mapping[str, float]


@dataclass(frozen=True, slots=True)
class GpuMetrics:
    """One table, in base units. What the GPU does not have is None or not in the mapping.

    `residency_ticks` grow with `accumulation_ticks`: one is held down for that part of the other. `throttled` says so
    of this moment. `xgmi_*_bytes` by link, `xgmi_links` how many by state; `pcie_errors` count up. `partitions` are the
    accelerator's parts, one where it is whole.
    """

    revision: str
    gfx_ratio: float | None
    memory_ratio: float | None
    socket_watts: float | None
    energy_joules: float | None
    pcie_gigatransfers_per_second: float | None
    pcie_width: int | None
    accumulation_ticks: int | None
    engines: Mapping[str, float] = field(default_factory=dict)
    temperatures_celsius: Mapping[str, float] = field(default_factory=dict)
    clocks_hertz: Mapping[str, int] = field(default_factory=dict)
    residency_ticks: Mapping[str, int] = field(default_factory=dict)
    throttled: Mapping[str, bool] = field(default_factory=dict)
    xgmi_read_bytes: Mapping[int, int] = field(default_factory=dict)
    xgmi_write_bytes: Mapping[int, int] = field(default_factory=dict)
    xgmi_links: Mapping[str, int] = field(default_factory=dict)
    pcie_errors: Mapping[str, int] = field(default_factory=dict)
    partitions: tuple[PartitionMetrics, ...] = ()


class UnknownRevision(ParseError):
    """A table of a newer kernel, or one whose size is not that of its revision: no field may be believed."""


class _Reader:
    """All fields of one layout by one unpack."""

    def __init__(self, fields: Mapping[str, tuple[int, str]]) -> None:
        form, place, end = "<", 0, 0
        self._slices: list[tuple[str, int, int, int]] = []
        for name, (offset, type_) in sorted(fields.items(), key=lambda item: item[1][0]):
            count = int(type_[:-1] or 1)
            form += f"{offset - end}x{type_}"
            end = offset + struct.calcsize(f"<{type_}")
            self._slices.append((name, place, place + count, _ALL_ONES[type_[-1]]))
            place += count
        self._struct = struct.Struct(form)

    def read(self, data: bytes) -> dict[str, list[int]]:
        """Field to its values that are there, in order."""
        values = self._struct.unpack_from(data)
        return {name: [v for v in values[start:end] if v != ones] for name, start, end, ones in self._slices}


_READERS = {revision: _Reader(fields) for revision, (_, fields) in LAYOUTS.items()}


def parse_gpu_metrics(data: bytes) -> GpuMetrics:
    """Raises UnknownRevision, and ParseError on less than a table."""
    (major, minor), raw = _parse_fields(data)
    # The tables of APUs have hundredths where those of boards have whole ones: renoir_ppt.c, vangogh_ppt.c,
    # smu_v14_0_0_ppt.c.
    hundredths, milli = (100, 1000) if major > 1 else (1, 1)
    gfx, engines = _ratio(raw.get("average_gfx_activity"), hundredths), _engines(raw, hundredths)
    partitions = _parse_partitions(data, (major, minor), raw.get("num_partition"))
    power = raw.get("curr_socket_power") or raw.get("average_socket_power")
    energy = raw.get("energy_accumulator")
    speed, width = raw.get("pcie_link_speed"), raw.get("pcie_link_width")
    return GpuMetrics(
        revision=f"{major}.{minor}",
        gfx_ratio=gfx,
        memory_ratio=_ratio(raw.get("average_umc_activity"), hundredths),
        socket_watts=power[0] / milli if power else None,
        energy_joules=energy[0] * _ENERGY_JOULES if energy else None,
        pcie_gigatransfers_per_second=speed[0] / 10 if speed and speed[0] else None,
        pcie_width=width[0] if width and width[0] else None,
        accumulation_ticks=next(iter(raw.get("accumulation_counter", ())), None),
        engines=engines or _whole(partitions),
        temperatures_celsius={s: raw[n][0] / hundredths for n, s in _TEMPERATURES.items() if raw.get(n)},
        clocks_hertz={clock: max(raw[n]) * _MEGAHERTZ for n, clock in _CLOCKS.items() if raw.get(n)},
        residency_ticks={reason: raw[n][0] for n, reason in _RESIDENCIES.items() if raw.get(n)},
        throttled=_throttled(raw.get("indep_throttle_status")),
        xgmi_read_bytes=_links(raw.get("xgmi_read_data_acc")),
        xgmi_write_bytes=_links(raw.get("xgmi_write_data_acc")),
        xgmi_links=_link_states(raw.get("xgmi_link_status")),
        pcie_errors={error: raw[n][0] for n, error in _PCIE_ERRORS.items() if raw.get(n)},
        partitions=partitions,
    )


def _parse_fields(data: bytes) -> tuple[tuple[int, int], dict[str, list[int]]]:
    """Revision, and field to its values that are there."""
    if len(data) < _HEADER.size:
        raise ParseError(f"gpu_metrics of {len(data)} bytes")
    size, major, minor = _HEADER.unpack_from(data)
    layout = LAYOUTS.get((major, minor))
    if (major, minor) != _SELF_DESCRIBED and (layout is None or layout[0] != size):
        raise UnknownRevision(f"gpu_metrics v{major}.{minor} of {size} bytes is not known")
    if len(data) < size:
        raise ParseError(f"gpu_metrics v{major}.{minor}: {len(data)} of {size} bytes")
    if layout is not None:
        return (major, minor), _READERS[major, minor].read(data)
    try:
        return (major, minor), parse_attributes(data[:size])
    except ParseError as error:
        raise UnknownRevision(f"gpu_metrics v{major}.{minor} is not understood: {error}") from None


def _parse_partitions(data: bytes, revision: tuple[int, int], count: list[int] | None) -> tuple[PartitionMetrics, ...]:
    place = PARTITIONS.get(revision)
    if place is None or not count:
        return ()
    start, size, jpegs = place
    parts = []
    for number in range(min(count[0], MOST_PARTITIONS)):
        values = struct.unpack_from(f"<8I{jpegs}H4H", data, start + number * size)
        gfx = [v for v in values[:8] if v != _ALL_ONES["I"]]
        jpeg = [v for v in values[8 : 8 + jpegs] if v != _ALL_ONES["H"]]
        vcn = [v for v in values[8 + jpegs :] if v != _ALL_ONES["H"]]
        parts.append(PartitionMetrics(_ratio(gfx), _engines({"vcn_activity": vcn, "jpeg_activity": jpeg})))
    return tuple(parts)


def _ratio(percents: list[int] | None, hundredths: int = 1) -> float | None:
    """The mean of what the instances say; more than all of the time is no share."""
    if not percents:
        return None
    ratio = sum(percents) / (len(percents) * 100 * hundredths)
    return round(ratio, 4) if ratio <= 1 else None


def _engines(raw: Mapping[str, list[int]], hundredths: int = 1) -> dict[str, float]:
    shares = {engine: _ratio(raw.get(name), hundredths) for name, engine in _ENGINES.items()}
    return {engine: share for engine, share in shares.items() if share is not None}


def _whole(partitions: tuple[PartitionMetrics, ...]) -> dict[str, float]:
    """The engines of all partitions together: every partition has as many as any other."""
    shares: dict[str, list[float]] = {}
    for partition in partitions:
        for engine, share in partition.engines.items():
            shares.setdefault(engine, []).append(share)
    return {engine: round(sum(values) / len(values), 4) for engine, values in shares.items()}


def _throttled(status: list[int] | None) -> dict[str, bool]:
    return {reason: bool(status[0] & mask) for reason, mask in _THROTTLERS.items()} if status else {}


def _links(kilobytes: list[int] | None) -> dict[int, int]:
    """Links that are not there count nothing: a GPU without XGMI shows zeros for all."""
    return {n: k * 1024 for n, k in enumerate(kilobytes)} if kilobytes and any(kilobytes) else {}


def _link_states(states: list[int] | None) -> dict[str, int]:
    active = states.count(1) if states else 0
    return {"active": active, "inactive": len(states) - active} if states and active else {}
