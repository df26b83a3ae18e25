# SPDX-License-Identifier: MIT
"""Who uses GPUs: the holdings of their collectors, with the names that attribution gave to the processes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hwinfod.serve.api.context import wire_value
from hwinfod.serve.viewer import ANOTHER_USER

if TYPE_CHECKING:
    from collections.abc import Iterable

    from hwinfod.core.device import Device
    from hwinfod.core.holding import Batch, Holding
    from hwinfod.core.host import Host
    from hwinfod.core.owner import Holder
    from hwinfod.serve.command_lines import CommandOf
    from hwinfod.serve.viewer import Viewer
    from hwinfod.wire.gpus import GpuProcess, GpuProcesses

_Known = dict[tuple[str, int, int], tuple[str, "Holder"]]


def processes_of(host: Host, viewer: Viewer, devices: Iterable[Device], command_of: CommandOf) -> GpuProcesses:
    """Of several GPUs, each process once a GPU."""
    batches = [(device, batch) for device in devices if (batch := host.holdings.current.get(device.id)) is not None]
    known: _Known = {
        (holder.device, holder.pid, holder.start_time_ticks): (owner.label, holder)
        for owner in host.attribution.owners.values()
        for holder in owner.holders
    }
    rows: list[tuple[float, GpuProcess]] = []
    for device, batch in batches:
        rows += _rows(viewer, device, batch, known, command_of)
    rows.sort(key=lambda row: (-row[0], row[1]["gpu"], row[1]["pid"]))
    oldest = min((batch.boottime_ns for _, batch in batches), default=None)
    return {
        "age_seconds": None if oldest is None else (host.clock.boottime_ns() - oldest) / 1e9,
        "totals": {
            batch.device: {name: wire_value(amount) for name, amount in batch.totals.items()} for _, batch in batches
        },
        "processes": [row for _, row in rows],
    }


def _rows(
    viewer: Viewer, device: Device, batch: Batch, known: _Known, command_of: CommandOf
) -> list[tuple[float, GpuProcess]]:
    """With the memory to sort by. What the viewer may not see is one row: together it is no secret."""
    rows = []
    hidden: dict[str, float] = {}
    for holding in batch.holdings:
        label, holder = known.get((batch.device, holding.pid, holding.start_time_ticks), ("", None))
        if not viewer.sees_user(holder.uid if holder is not None else -1):
            for name, amount in holding.amounts.items():
                hidden[name] = hidden.get(name, 0) + amount
            continue
        memory = holding.amounts.get("memory_bytes", 0)
        rows.append((memory, _row(device, holding, label, holder, command_of)))
    if hidden:
        amounts = {name: wire_value(amount) for name, amount in hidden.items()}
        other: GpuProcess = {
            "gpu": device.facts.get("gpu", ""), "pid": 0, "process": ANOTHER_USER, "uid": -1, "owner": ANOTHER_USER,
            "role": "", "command_line": None, "amounts": amounts,
        }  # fmt: skip
        rows.append((hidden.get("memory_bytes", 0), other))
    return rows


def _row(device: Device, holding: Holding, label: str, holder: Holder | None, command_of: CommandOf) -> GpuProcess:
    return {
        "gpu": device.facts.get("gpu", ""),
        "pid": holding.pid,
        "process": holder.name if holder is not None else "",
        "uid": holder.uid if holder is not None else -1,
        "owner": label,
        "role": holding.role,
        "command_line": command_of(holding.pid, holding.start_time_ticks),
        "amounts": {name: wire_value(amount) for name, amount in holding.amounts.items()},
    }
