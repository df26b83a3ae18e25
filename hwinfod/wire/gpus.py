# SPDX-License-Identifier: MIT
"""The JSON of /v1/gpus, as types."""

from __future__ import annotations

from typing import TypedDict

from hwinfod.wire import WireValue


class GpuPartition(TypedDict):
    """A part of a GPU that is a GPU to those who use it: a MIG instance, a partition of an MI300."""

    id: str
    name: str
    status: str
    facts: dict[str, str]


class Gpu(TypedDict):
    """A GPU. `values` are the latest by metric name without `hw_gpu_`, units in the name; what a metric has by
    sensor, engine, reason ... is in `by_label`. Both are empty for one that is lost, asleep or given away."""

    id: str
    gpu: str
    name: str
    status: str
    status_since_seconds: float
    facts: dict[str, str]
    values: dict[str, WireValue]
    by_label: dict[str, dict[str, WireValue]]
    partitions: list[GpuPartition]
    owners: list[str]


class GpuHold(TypedDict):
    """Whether the daemon has let go of the driver. `holding` are the collectors that have not yet."""

    released: bool
    remaining_seconds: float
    reason: str
    holding: list[str]


class Gpus(TypedDict):
    gpus: list[Gpu]
    hold: GpuHold


class GpuProcess(TypedDict):
    """A process on a GPU. `role` is compute, graphics, mps client or mps server (shared); `owner` the pod, job or
    unit, "" while unknown; `uid` -1 where it is not known. Others than one's own are one, "another user".
    `command_line` is as in HolderProcess."""

    gpu: str
    pid: int
    process: str
    uid: int
    owner: str
    role: str
    command_line: str | None
    amounts: dict[str, WireValue]


class GpuProcesses(TypedDict):
    """Who uses GPUs, the most memory first. `totals` by GPU are its own figures of the same pass; `age_seconds` is
    of the last pass, null before it."""

    age_seconds: float | None
    totals: dict[str, dict[str, WireValue]]
    processes: list[GpuProcess]
