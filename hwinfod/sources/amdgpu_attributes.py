# SPDX-License-Identifier: MIT
"""gpu_metrics v1_9: a table that describes itself. Each attribute is a code of 64 bits, in the first kernels of 32,
with unit, type, number and count of instances, and then its values without gaps.

Source: drivers/gpu/drm/amd/include/kgd_pp_interface.h AMDGPU_METRICS_ENC_ATTR, enum amdgpu_metrics_attr_id; pm/swsmu/
smu_cmn.h DECLARE_SMU_METRICS_CLASS.
"""

from __future__ import annotations

import struct
from typing import NamedTuple

from hwinfod.errors import ParseError

_HEADER = struct.Struct("<4xi")  # after structure_size and revisions: attr_count
_CODES = (struct.Struct("<Q"), struct.Struct("<I"))
_TYPES = "BbHhIiQq"  # enum amdgpu_metrics_attr_type
_MOST_ATTRIBUTES = 1024

_NONE, _MEGAHERTZ, _CELSIUS, _WATTS, _TENTHS_OF_GIGATRANSFERS, _KILOBYTES, _PERCENT = 0, 1, 2, 3, 7, 9, 10
# enum amdgpu_metrics_attr_id to the name that the field has in the tables before, and the unit that it has there: in
# another one it would be another number.
_FIELDS = {
    0: ("temperature_hotspot", _CELSIUS), 1: ("temperature_mem", _CELSIUS), 2: ("temperature_vrsoc", _CELSIUS),
    3: ("curr_socket_power", _WATTS), 4: ("average_gfx_activity", _PERCENT), 5: ("average_umc_activity", _PERCENT),
    7: ("energy_accumulator", _NONE), 9: ("accumulation_counter", _NONE), 10: ("prochot_residency_acc", _NONE),
    11: ("ppt_residency_acc", _NONE), 12: ("socket_thm_residency_acc", _NONE), 13: ("vr_thm_residency_acc", _NONE),
    14: ("hbm_thm_residency_acc", _NONE), 16: ("pcie_link_width", _NONE),
    17: ("pcie_link_speed", _TENTHS_OF_GIGATRANSFERS), 24: ("pcie_l0_to_recov_count_acc", _NONE),
    25: ("pcie_replay_count_acc", _NONE), 26: ("pcie_replay_rover_count_acc", _NONE),
    27: ("pcie_nak_sent_count_acc", _NONE), 28: ("pcie_nak_rcvd_count_acc", _NONE),
    29: ("xgmi_read_data_acc", _KILOBYTES), 30: ("xgmi_write_data_acc", _KILOBYTES), 31: ("xgmi_link_status", _NONE),
    33: ("current_gfxclk", _MEGAHERTZ), 34: ("current_socclk", _MEGAHERTZ), 37: ("current_uclk", _MEGAHERTZ),
    41: ("jpeg_activity", _PERCENT), 42: ("vcn_activity", _PERCENT),
}  # fmt: skip


class _Plan(NamedTuple):
    """A table by one unpack: where the codes are among its values and what they were, and field to its values."""

    table: struct.Struct
    places: tuple[int, ...]
    codes: tuple[int, ...]
    fields: tuple[tuple[str, int, int, int], ...]


# By size and count of attributes. A driver's tables have the same attributes each second, and one host has few drivers.
_plans: dict[tuple[int, int], _Plan] = {}
_MOST_PLANS = 16


def parse_attributes(data: bytes) -> dict[str, list[int]]:
    """A whole table, header and all: field to those of its values that the GPU has. Raises ParseError for one that its
    attributes do not fill to the last byte."""
    if len(data) < _HEADER.size:
        raise ParseError(f"attributes in {len(data)} bytes")
    (count,) = _HEADER.unpack_from(data)
    if not 0 <= count <= _MOST_ATTRIBUTES:
        raise ParseError(f"{count} attributes")
    plan = _plans.get((len(data), count))
    values = plan.table.unpack(data) if plan is not None else ()
    if plan is None or tuple(values[place] for place in plan.places) != plan.codes:
        plan = _plan(data, count)
        if len(_plans) >= _MOST_PLANS:
            _plans.clear()
        _plans[len(data), count] = plan
        values = plan.table.unpack(data)
    return {name: [v for v in values[start:end] if v != ones] for name, start, end, ones in plan.fields}


def _plan(data: bytes, count: int) -> _Plan:
    """Raises ParseError."""
    for code in _CODES:
        plan = _plan_with(code, data, count)
        if plan is not None:
            return plan
    raise ParseError(f"{count} attributes do not make {len(data)} bytes")


def _plan_with(code: struct.Struct, data: bytes, count: int) -> _Plan | None:
    """With codes of this size; None where that cannot be."""
    form, place, index = f"<{_HEADER.size}x", _HEADER.size, 0
    places, codes, fields = [], [], []
    for _ in range(count):
        if place + code.size > len(data):
            return None
        (encoding,) = code.unpack_from(data, place)
        unit, kind, number, instances = encoding >> 24, encoding >> 20 & 0xF, encoding >> 10 & 0x3FF, encoding & 0x3FF
        if kind >= len(_TYPES) or not instances:
            return None
        size = struct.calcsize(f"<{_TYPES[kind]}")
        form += f"{code.format[1:]}{instances}{_TYPES[kind]}"
        places.append(index)
        codes.append(encoding)
        name, expected = _FIELDS.get(number, ("", unit))
        if name and unit == expected:
            ones = (1 << 8 * size) - 1 if _TYPES[kind].isupper() else -1
            fields.append((name, index + 1, index + 1 + instances, ones))
        index += 1 + instances
        place += code.size + instances * size
    return _Plan(struct.Struct(form), tuple(places), tuple(codes), tuple(fields)) if place == len(data) else None
