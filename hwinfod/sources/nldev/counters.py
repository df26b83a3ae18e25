# SPDX-License-Identifier: MIT
"""Replies to STAT_GET and STAT_GET_STATUS. Pure functions on bytes.

A port's counters already contain those of its bound QP counters, past ones too: the two are never added.
Source: drivers/infiniband/core/nldev.c, stat_get_doit_default_counter(), fill_stat_counter_hwcounters(),
nldev_res_get_counter_dumpit(), nldev_stat_get_counter_status_doit().
"""

from __future__ import annotations

import struct
from typing import Any, NamedTuple

from hwinfod.errors import ParseError
from hwinfod.sources.nldev.attributes import NUMBERS
from hwinfod.sources.nldev.devices import slots_of
from hwinfod.sources.nldev.fields import fill, iter_attributes, read_value

_COUNTERS = NUMBERS["STAT_HWCOUNTERS"]
_COUNTER = NUMBERS["STAT_HWCOUNTER_ENTRY"]
_NAME = NUMBERS["STAT_HWCOUNTER_ENTRY_NAME"]
_VALUE = NUMBERS["STAT_HWCOUNTER_ENTRY_VALUE"]
_BOUND = NUMBERS["STAT_COUNTER"]
_BOUND_ENTRY = NUMBERS["STAT_COUNTER_ENTRY"]
_QPS = NUMBERS["RES_QP"]
_QP = NUMBERS["RES_QP_ENTRY"]
_LQPN = NUMBERS["RES_LQPN"]

_AT = slots_of("DEV_INDEX", "DEV_NAME")
_BOUND_FIELDS = slots_of("PORT_INDEX", "STAT_COUNTER_ID", "STAT_MODE", "RES_TYPE", "RES_PID", "RES_KERN_NAME")
_STATUS_FIELDS = slots_of("STAT_HWCOUNTER_ENTRY_NAME", "STAT_HWCOUNTER_INDEX", "STAT_HWCOUNTER_DYNAMIC")
_MODE_FIELDS = slots_of("STAT_MODE", "STAT_AUTO_MODE_MASK", "STAT_OPCOUNTER_ENABLED")


class BoundCounter(NamedTuple):
    """One counter set that an administrator, or the automatic mode, bound to queue pairs. `qp_type`, `pid`
    and `kernel_name` exist in automatic mode, for the criteria that its mask names."""

    device_index: int
    device: str
    port: int
    counter: int
    mode: int | None
    qp_type: int | None
    pid: int | None
    kernel_name: str | None
    qps: tuple[int, ...]
    values: dict[str, int]


class CounterStatus(NamedTuple):
    """One name that the driver can count. `enabled` is None for a counter that is always on; an optional
    one that is off is left out of the counters, so that only this tells "off" from "not supported"."""

    name: str
    position: int
    enabled: bool | None


class CounterMode(NamedTuple):
    """How QP counters of a port are bound: `mode` as in enums.COUNTER_MODES, the criteria of the automatic
    mode in `mask` (1 QP type, 2 pid), whether optional counters count for QPs too (Linux 6.15)."""

    mode: int
    mask: int | None
    optional_counters: int | None


def _counter_values(data: bytes, start: int, end: int) -> dict[str, int]:
    values = {}
    for number, first, last in iter_attributes(data, start, end):
        if number != _COUNTER:
            continue
        name = value = None
        for field, begin, stop in iter_attributes(data, first, last):
            if field == _NAME:
                name = read_value(field, data, begin, stop)
            elif field == _VALUE:
                value = read_value(field, data, begin, stop)
        if name is None or value is None:
            raise ParseError(f"counter at byte {first} without name or value")
        values[name] = value
    return values


def parse_counters(payload: bytes) -> dict[str, int]:
    """The hardware counters of one port by name, from a STAT_GET reply. Raises ParseError."""
    for number, start, end in iter_attributes(payload, 0, len(payload)):
        if number == _COUNTERS:
            return _counter_values(payload, start, end)
    return {}


class CounterLayout:
    """The counters of one port, a hundredfold: the reply of a port differs from its last one in the values
    alone, so that where these stand is found once, and one unpack reads them all.

    `names` is in the driver's order and `read` gives the values in the same. Everything between the values
    is compared with the first reply, bytes for bytes, so that a value never lands under another name.
    """

    __slots__ = ("_between", "_shape", "names")

    def __init__(self, payload: bytes) -> None:
        """Raises ParseError."""
        self.names = tuple(parse_counters(payload))
        shape = ["="]
        position = 0
        for offset in _value_offsets(payload):
            shape.append(f"{offset - position}sQ")
            position = offset + 8
        shape.append(f"{len(payload) - position}s")
        self._shape = struct.Struct("".join(shape))
        parts = self._shape.unpack(payload)
        self._between = parts[::2]
        if len(self.names) != len(parts) // 2:
            raise ParseError("a counter name stands twice in one reply")

    def read(self, payload: bytes) -> tuple[int, ...] | None:
        """The values in the order of `names`; None if this reply is laid out differently."""
        if len(payload) != self._shape.size:
            return None
        parts = self._shape.unpack(payload)
        return parts[1::2] if parts[::2] == self._between else None


def _value_offsets(payload: bytes) -> list[int]:
    offsets = []
    for number, start, end in iter_attributes(payload, 0, len(payload)):
        if number == _COUNTERS:
            for entry, first, last in iter_attributes(payload, start, end):
                if entry == _COUNTER:
                    offsets += [at for field, at, _ in iter_attributes(payload, first, last) if field == _VALUE]
            break
    return offsets


def parse_counter_status(payload: bytes) -> list[CounterStatus]:
    """Every name that the driver has for a port, from a STAT_GET_STATUS reply. Raises ParseError."""
    known = []
    for number, start, end in iter_attributes(payload, 0, len(payload)):
        if number != _COUNTERS:
            continue
        for entry, first, last in iter_attributes(payload, start, end):
            if entry == _COUNTER:
                values: list[Any] = [None, None, None]
                fill(payload, first, last, _STATUS_FIELDS, values)
                name, position, dynamic = values
                if name is None or position is None:
                    raise ParseError(f"counter status at byte {first} without name or position")
                known.append(CounterStatus(name, position, None if dynamic is None else bool(dynamic)))
    return known


def parse_counter_mode(payload: bytes) -> CounterMode:
    """The reply to STAT_GET with STAT_MODE in the question. Raises ParseError."""
    values: list[Any] = [None, None, None]
    fill(payload, 0, len(payload), _MODE_FIELDS, values)
    if values[0] is None:
        raise ParseError("counter mode is missing")
    return CounterMode(*values)


def parse_bound_counters(payload: bytes) -> list[BoundCounter]:
    """One message of a STAT_GET dump with STAT_RES = RES_QP. Raises ParseError."""
    device: list[Any] = [None, None]
    fill(payload, 0, len(payload), _AT, device)
    if None in device:
        raise ParseError("bound counters without a device")
    bound = []
    for number, start, end in iter_attributes(payload, 0, len(payload)):
        if number == _BOUND:
            for entry, first, last in iter_attributes(payload, start, end):
                if entry == _BOUND_ENTRY:
                    bound.append(_bound_counter(payload, first, last, device))
    return bound


def _bound_counter(data: bytes, start: int, end: int, device: list[Any]) -> BoundCounter:
    fields: list[Any] = [None] * len(_BOUND_FIELDS)
    fill(data, start, end, _BOUND_FIELDS, fields)
    if None in fields[:2]:
        raise ParseError(f"bound counter at byte {start} without port or number")
    qps: list[int] = []
    values: dict[str, int] = {}
    for number, first, last in iter_attributes(data, start, end):
        if number == _COUNTERS:
            values = _counter_values(data, first, last)
        elif number == _QPS:
            for entry, begin, stop in iter_attributes(data, first, last):
                if entry == _QP:
                    qps += [
                        read_value(_LQPN, data, at, to)
                        for field, at, to in iter_attributes(data, begin, stop)
                        if field == _LQPN
                    ]
    return BoundCounter._make([*device, *fields, tuple(qps), values])
