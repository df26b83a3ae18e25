# SPDX-License-Identifier: MIT
"""RDMA devices and who holds what of them: /v1/rdma."""

from __future__ import annotations

from typing import TypedDict

from hwinfod.wire import WireValue


class RdmaCount(TypedDict):
    """A counter since it began (boot, or the driver's reset), and its increase in the last hour, or in as much of
    it as is recorded."""

    total: WireValue
    last_hour: WireValue


class RdmaPort(TypedDict):
    """`totals` are traffic by metric name, `errors`, `retransmits` and `congestion` what went wrong by cause;
    `counters` are all counters of the port by the kernel's names, `counters_off` the names of those that the driver
    counts once they are turned on, which nobody has done."""

    id: str
    port: int
    status: str
    up: bool | None
    state: str
    physical_state: str
    rate_bytes_per_second: WireValue
    facts: dict[str, str]
    counters_off: list[str]
    totals: dict[str, WireValue]
    link_transitions: RdmaCount
    errors: dict[str, RdmaCount]
    retransmits: dict[str, RdmaCount]
    congestion: dict[str, RdmaCount]
    counters: dict[str, WireValue]


class RdmaDevice(TypedDict):
    """`resources` are the device's objects by type: qp, cq, mr ...; `counters` those of drivers that count by
    device."""

    id: str
    name: str
    status: str
    status_since_seconds: float
    facts: dict[str, str]
    resources: dict[str, WireValue]
    counters: dict[str, WireValue]
    ports: list[RdmaPort]


class RdmaDevices(TypedDict):
    """`netns_mode` is shared, exclusive (a device may have moved into a container) or "" where the kernel does not
    say."""

    netns_mode: str
    devices: list[RdmaDevice]


class RdmaHolder(TypedDict):
    """A process, or a user within the kernel (`kernel` is its name, pid 0), and what it holds. `owner` is the pod,
    job or unit, "" while unknown; `uid` -1 where it is not known. Others than one's own are one, "another user".
    `command_line` is as in HolderProcess."""

    pid: int
    process: str
    uid: int
    owner: str
    kernel: str
    command_line: str | None
    amounts: dict[str, WireValue]
    peers: list[str]


class RdmaResources(TypedDict):
    """Who holds the objects of a device. `age_seconds` is of the last complete look at them, null before it."""

    device: str
    age_seconds: float | None
    totals: dict[str, WireValue]
    holders: list[RdmaHolder]
