# SPDX-License-Identifier: MIT
"""Replies about devices, ports, the system and the totals of their objects. Pure functions on bytes.

Source: drivers/infiniband/core/nldev.c, fill_dev_info(), fill_port_info(), fill_res_info(),
nldev_sys_get_doit(), fill_mon_*(). A value that the kernel left out is None.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from hwinfod.errors import ParseError
from hwinfod.sources.nldev.attributes import NUMBERS
from hwinfod.sources.nldev.fields import fill, iter_attributes

if TYPE_CHECKING:
    from collections.abc import Mapping

_SUMMARY = NUMBERS["RES_SUMMARY"]
_SUMMARY_ENTRY = NUMBERS["RES_SUMMARY_ENTRY"]


def slots_of(*names: str) -> dict[int, int]:
    """Attribute number -> position in a record whose fields stand in this order."""
    return {NUMBERS[name]: position for position, name in enumerate(names)}


class Device(NamedTuple):
    """One RDMA device as GET tells it. `guid` and `system_image_guid` are 64-bit numbers."""

    device_index: int
    name: str
    port_count: int | None
    capabilities: int | None
    firmware: str | None
    guid: int | None
    system_image_guid: int | None
    node_type: int | None
    adaptive_moderation: int | None
    protocol: str | None
    parent: str | None


class Port(NamedTuple):
    """One port as PORT_GET tells it. `capabilities` to `lid_mask_count` exist for InfiniBand only;
    the network interface for RoCE and iWARP, where it is in the reader's network namespace."""

    device_index: int
    device: str
    number: int
    capabilities: int | None
    subnet_prefix: int | None
    lid: int | None
    sm_lid: int | None
    lid_mask_count: int | None
    state: int | None
    physical_state: int | None
    interface_index: int | None
    interface: str | None


class System(NamedTuple):
    """What SYS_GET tells. `netns_mode` 0: devices belong to one network namespace each, and this socket
    sees its own only; 1: all see all. `monitor` is None before Linux 6.12."""

    netns_mode: int | None
    copy_on_fork: int | None
    privileged_qkey: int | None
    monitor: int | None


class Event(NamedTuple):
    """One MONITOR notification; `kind` is an index into enums.EVENTS."""

    kind: int
    device_index: int | None
    device: str | None
    port: int | None
    interface_index: int | None
    interface: str | None


class Summary(NamedTuple):
    """How many objects of each type (pd, cq, qp, cm_id, mr, ctx, srq) a device holds."""

    device_index: int
    device: str
    counts: dict[str, int]


_DEVICE = slots_of(
    "DEV_INDEX",
    "DEV_NAME",
    "PORT_INDEX",
    "CAP_FLAGS",
    "FW_VERSION",
    "NODE_GUID",
    "SYS_IMAGE_GUID",
    "DEV_NODE_TYPE",
    "DEV_DIM",
    "DEV_PROTOCOL",
    "PARENT_NAME",
)
_PORT = slots_of(
    "DEV_INDEX",
    "DEV_NAME",
    "PORT_INDEX",
    "CAP_FLAGS",
    "SUBNET_PREFIX",
    "LID",
    "SM_LID",
    "LMC",
    "PORT_STATE",
    "PORT_PHYS_STATE",
    "NDEV_INDEX",
    "NDEV_NAME",
)
_SYSTEM = slots_of("NETNS_MODE", "COPY_ON_FORK", "PRIVILEGED_QKEY_MODE", "MONITOR_MODE")
_EVENT = slots_of("EVENT_TYPE", "DEV_INDEX", "DEV_NAME", "PORT_INDEX", "NDEV_INDEX", "NDEV_NAME")
_NAMED = slots_of("DEV_INDEX", "DEV_NAME")
_COUNT = slots_of("RES_SUMMARY_ENTRY_NAME", "RES_SUMMARY_ENTRY_CURR")


def _read(payload: bytes, slots: Mapping[int, int], required: int, what: str) -> list[Any]:
    values: list[Any] = [None] * len(slots)
    fill(payload, 0, len(payload), slots, values)
    if None in values[:required]:
        raise ParseError(f"{what} without its index or name")
    return values


def parse_device(payload: bytes) -> Device:
    """A GET reply. Raises ParseError."""
    return Device(*_read(payload, _DEVICE, 2, "device"))


def parse_port(payload: bytes) -> Port:
    """A PORT_GET reply. Raises ParseError."""
    return Port(*_read(payload, _PORT, 3, "port"))


def parse_system(payload: bytes) -> System:
    """The SYS_GET reply. Raises ParseError."""
    return System(*_read(payload, _SYSTEM, 0, "system"))


def parse_event(payload: bytes) -> Event:
    """A MONITOR notification. Raises ParseError."""
    return Event(*_read(payload, _EVENT, 1, "event"))


def parse_summary(payload: bytes) -> Summary:
    """A RES_GET reply. Raises ParseError."""
    index, name = _read(payload, _NAMED, 2, "summary")
    counts = {}
    for number, start, end in iter_attributes(payload, 0, len(payload)):
        if number != _SUMMARY:
            continue
        for entry, first, last in iter_attributes(payload, start, end):
            if entry == _SUMMARY_ENTRY:
                pair: list[Any] = [None, None]
                fill(payload, first, last, _COUNT, pair)
                if None in pair:
                    raise ParseError(f"summary entry at byte {first} without name or count")
                counts[pair[0]] = pair[1]
    return Summary(index, name, counts)
