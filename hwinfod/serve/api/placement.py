# SPDX-License-Identifier: MIT
"""Where an owner's GPUs stand to the RDMA devices that it uses, and whether a nearer one stands idle."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hwinfod.collectors._rdma_families import UP
from hwinfod.core.device import Status
from hwinfod.sources.pci_distance import PciPlace, distance

if TYPE_CHECKING:
    from collections.abc import Iterator

    from hwinfod.core.device import Device
    from hwinfod.core.host import Host
    from hwinfod.core.owner import OwnerRecord
    from hwinfod.sources.pci_distance import Distance
    from hwinfod.wire.owners import GpuPlacement


def placement_of(host: Host, record: OwnerRecord) -> list[GpuPlacement]:
    """A record for each of the owner's GPUs; none where its processes hold no queue pairs, or where it is not known
    how GPUs and RDMA devices stand to each other."""
    devices = host.devices.current
    held = [devices[device] for device in dict.fromkeys(h.device for h in record.holders) if device in devices]
    used = {device.id for device in held if device.kind == "rdma" and record.totals(device.id).get("qps")}
    gpus = [device for device in held if device.kind == "gpu"]
    if not used or not gpus:
        return []
    idle = {device.id for device in _usable(host)} - _busy(host)
    found = []
    for gpu in gpus:
        ways = {id_: way for id_, way in _ways(host, gpu) if id_ in used or id_ in idle}
        ours = {devices[id_].name: way for id_, way in ways.items() if id_ in used}
        if ours:
            nearer = {devices[id_].name: way for id_, way in ways.items() if id_ in idle and way < min(ours.values())}
            found.append(_record(gpu, ours, nearer))
    return found


def _record(gpu: Device, ours: dict[str, Distance], nearer: dict[str, Distance]) -> GpuPlacement:
    node = gpu.facts.get("numa_node", "")
    return {
        "device": gpu.id,
        "gpu": gpu.facts.get("gpu", ""),
        "numa_node": int(node) if node.isdigit() else None,
        "rdma": {name: way.name for name, way in sorted(ours.items(), key=lambda item: (item[1], item[0]))},
        "nearer_idle": {name: way.name for name, way in sorted(nearer.items(), key=lambda item: (item[1], item[0]))},
    }


def _ways(host: Host, gpu: Device) -> Iterator[tuple[str, Distance]]:
    """From a GPU to every RDMA device whose place is known too."""
    place = _place(host, gpu.facts.get("pci", ""))
    for device in host.devices.current.values():
        other = _place(host, device.parent) if device.kind == "rdma" else None
        if place is not None and other is not None:
            yield device.id, distance(place, other)


def _place(host: Host, address: str) -> PciPlace | None:
    function = host.devices.current.get(address)
    path = function.facts.get("path", "").split() if function is not None else []
    if function is None or not path:
        return None
    node = function.facts.get("numa_node", "")
    return PciPlace(tuple(path), int(node) if node.isdigit() else None)


def _usable(host: Host) -> list[Device]:
    """RDMA devices that are here, with a port that is up: one without a cable is no way."""
    up = set()
    for table in host.fresh_tables():
        row = table.latest
        for series, value in zip(row.layout.columns, row.values) if row is not None else ():
            if series is not None and series.metric is UP and value:
                up.add(series.labels[0])
    devices = host.devices.current.values()
    return [d for d in devices if d.kind == "rdma" and d.status is Status.PRESENT and d.name in up]


def _busy(host: Host) -> set[str]:
    """Devices in which a process has queue pairs; those of the kernel itself (management) are on every port."""
    return {
        device
        for device, batch in host.holdings.current.items()
        if any(holding.pid and holding.amounts.get("qps") for holding in batch.holdings)
    }
