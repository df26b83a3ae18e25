# SPDX-License-Identifier: MIT
"""Who holds the objects of an RDMA device: its holdings, with the names that attribution gave to the processes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hwinfod.serve.api.context import wire_value
from hwinfod.serve.viewer import ANOTHER_USER

if TYPE_CHECKING:
    from collections.abc import Mapping

    from hwinfod.core.device import Device
    from hwinfod.core.holding import Holding
    from hwinfod.core.host import Host
    from hwinfod.core.owner import Holder
    from hwinfod.serve.command_lines import CommandOf
    from hwinfod.serve.viewer import Viewer
    from hwinfod.wire.rdma import RdmaHolder, RdmaResources

_Known = dict[tuple[int, int], tuple[str, "Holder"]]


def resources_of(host: Host, viewer: Viewer, device: Device, command_of: CommandOf) -> RdmaResources:
    """Those with most queue pairs first. Without a batch (no netlink, or no scan yet) the age is None."""
    batch = host.holdings.current.get(device.id)
    if batch is None:
        return {"device": device.name, "age_seconds": None, "totals": {}, "holders": []}
    known = _processes(host, device.id)
    shown, hidden = [], []
    for holding in batch.holdings:
        holder = _holder(holding, known)
        if holder["kernel"] or viewer.sees_user(holder["uid"]):
            holder["command_line"] = command_of(holding.pid, holding.start_time_ticks) if holding.pid else None
            shown.append(holder)
        else:
            hidden.append(holder)
    shown.sort(key=lambda holder: (-_number(holder, "qps"), holder["kernel"], holder["pid"]))
    return {
        "device": device.name,
        "age_seconds": (host.clock.boottime_ns() - batch.boottime_ns) / 1e9,
        "totals": {name: wire_value(amount) for name, amount in batch.totals.items()},
        "holders": [*shown, *([_others(hidden)] if hidden else [])],
    }


def _processes(host: Host, device: str) -> _Known:
    """Owner's name and process by pid and start time, as attribution saw them last."""
    return {
        (holder.pid, holder.start_time_ticks): (owner.label, holder)
        for owner in host.attribution.owners.values()
        for holder in owner.holders
        if holder.device == device and holder.pid
    }


def _holder(holding: Holding, known: _Known) -> RdmaHolder:
    """A process that attribution has not seen yet has no name, and the user -1: nobody's but an administrator's."""
    label, process = known.get((holding.pid, holding.start_time_ticks), ("", None))
    return {
        "pid": holding.pid,
        "process": process.name if process else "",
        "uid": 0 if holding.kernel else process.uid if process else -1,
        "owner": label,
        "kernel": holding.kernel,
        "command_line": None,
        "amounts": {name: wire_value(amount) for name, amount in holding.amounts.items()},
        "peers": list(holding.peers),
    }


def _others(hidden: list[RdmaHolder]) -> RdmaHolder:
    """All that the viewer may not see, as one: what they hold together is no secret."""
    amounts: dict[str, float] = {}
    for holder in hidden:
        for name in holder["amounts"]:
            amounts[name] = amounts.get(name, 0) + _number(holder, name)
    return {
        "pid": 0,
        "process": ANOTHER_USER,
        "uid": -1,
        "owner": ANOTHER_USER,
        "kernel": "",
        "command_line": None,
        "amounts": {name: wire_value(amount) for name, amount in amounts.items()},
        "peers": [],
    }


def _number(holder: Mapping[str, object], name: str) -> float:
    amounts = holder["amounts"]
    assert isinstance(amounts, dict)  # noqa: S101  a wire type above
    return float(amounts.get(name) or 0)
