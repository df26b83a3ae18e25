# SPDX-License-Identifier: MIT
"""/v1/topology: where GPUs, network cards and drives stand, and what lies between them."""

from __future__ import annotations

from itertools import combinations
from typing import TYPE_CHECKING

from hwinfod.collectors._gpu_peers import FACTS, SWITCH, parse_peers
from hwinfod.core.device import Status
from hwinfod.serve.api.context import allow_only
from hwinfod.serve.api.gpus import KIND, list_gpus
from hwinfod.sources.pci import is_pci_address
from hwinfod.sources.pci_distance import PciPlace, distance

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from hwinfod.core.device import Device
    from hwinfod.core.host import Host
    from hwinfod.serve.api.context import ApiContext
    from hwinfod.serve.http.messages import Request, Response
    from hwinfod.serve.http.router import Router
    from hwinfod.wire.topology import Topology, TopologyBridge, TopologyDevice, TopologyLink, TopologyNode

_FUNCTION, _NODE = "pci", "numa node"
_NAMED = ("rdma", "interface", "disk")  # what has the names of a function, in the order of showing them
_OTHER = "bridge"


def add_routes(router: Router, api: ApiContext) -> None:
    def topology(request: Request) -> Response:
        allow_only(request, ())
        return api.reply(request, api.viewer(request), lambda: dict(topology_of(api.host)))

    router.add("GET", "/v1/topology", topology)


def topology_of(host: Host) -> Topology:
    """From the inventory alone."""
    current = host.devices.current.values()
    functions = {device.id: device for device in current if device.kind == _FUNCTION and _is_listed(device)}
    gpus = list_gpus(host)
    devices = _devices(functions, gpus, current)
    places = {
        device["id"]: PciPlace(tuple(_path(function)), device["numa_node"])
        for device in devices
        if (function := functions.get(device["pci"])) is not None
    }
    return {
        "numa_nodes": sorted(map(_node, (d for d in current if d.kind == _NODE)), key=lambda node: node["numa_node"]),
        "bridges": _bridges(functions[device["pci"]] for device in devices if device["id"] in places),
        "devices": devices,
        "links": _links(gpus),
        "paths": {
            device["id"]: {other: distance(places[device["id"]], place).name for other, place in places.items()}
            for device in devices
            if device["kind"] == KIND and device["id"] in places
        },
    }


def _is_listed(device: Device) -> bool:
    """A card that is lost is shown, where its loss is a fault."""
    return device.status is not Status.LOST or device.missed


def _node(device: Device) -> TopologyNode:
    distances = device.facts["distances"].split()
    return {
        "numa_node": int(device.facts["numa_node"]),
        "cpus": device.facts["cpus"],
        "distances": [int(number) for number in distances if number.isdigit()],
    }


def _devices(
    functions: Mapping[str, Device], gpus: Iterable[Device], current: Iterable[Device]
) -> list[TopologyDevice]:
    """GPUs first, each as its own collector knows it, then the rest in the order of the bus."""
    by_place = {gpu.facts.get("pci") or gpu.id: gpu for gpu in gpus}
    names: dict[str, list[tuple[int, str]]] = {}
    for device in current:
        if device.kind in _NAMED and device.parent in functions and device.status is not Status.LOST:
            names.setdefault(device.parent, []).append((_NAMED.index(device.kind), device.name))
    virtual: dict[str, int] = {}
    for device in functions.values():
        of = device.facts.get("physical_function", "")
        virtual[of] = virtual.get(of, 0) + 1
    found = [_device(functions.get(place, gpu), gpu, names.get(place, []), virtual) for place, gpu in by_place.items()]
    found += [
        _device(function, None, names.get(place, []), virtual)
        for place, function in functions.items()
        if place not in by_place and not function.facts.get("physical_function")
    ]
    return sorted(found, key=lambda device: (device["kind"] != KIND, device["kind"], device["pci"], device["id"]))


def _device(
    device: Device, gpu: Device | None, names: list[tuple[int, str]], virtual: Mapping[str, int]
) -> TopologyDevice:
    """`device` is the PCI function, or the GPU itself where it stands on no bus that we know."""
    known = gpu if gpu is not None else device
    node, path = device.facts.get("numa_node", ""), _path(device)
    index = known.facts.get("gpu", "")
    return {
        "id": known.id,
        "kind": KIND if gpu is not None else device.facts["class"],
        "names": [f"gpu {index}"] if gpu is not None and index else [name for _, name in sorted(names)],
        "model": known.facts.get("model", ""),
        "status": known.status.value,
        "pci": device.facts.get("pci", ""),
        "numa_node": int(node) if node.isdigit() else None,
        "parent": path[-2] if len(path) > 1 else "",
        "virtual_functions": virtual.get(device.id, 0),
    }


def _path(device: Device) -> list[str]:
    return device.facts.get("path", "").split()


def _bridges(functions: Iterable[Device]) -> list[TopologyBridge]:
    """All that is above these functions, each once, in the order of the bus."""
    found: dict[str, TopologyBridge] = {}
    for function in functions:
        above = _path(function)[:-1]
        node = function.facts.get("numa_node", "")
        for parent, id_, kind in zip(("", *above), above, _kinds(above)):
            if id_ not in found or found[id_]["kind"] == _OTHER:
                numa_node = int(node) if node.isdigit() else None
                found[id_] = {"id": id_, "kind": kind, "parent": parent, "numa_node": numa_node}
    return sorted(found.values(), key=lambda bridge: bridge["id"].removeprefix("pci"))


def _kinds(above: list[str]) -> list[str]:
    """Of the bridges above a function. Below a root port they come in pairs: a switch, and one of its ports. One that
    is left over leads to a bus of another kind, or is a controller with a host bridge of its own (VMD)."""
    kinds: list[str] = []
    for id_, below in zip(above, (*above[1:], "")):
        leads_on = is_pci_address(below)
        if not is_pci_address(id_):
            kinds.append("host bridge")
        elif kinds[-1:] == ["switch"]:
            kinds.append("switch port")
        elif kinds[-1:] == ["host bridge"] and (leads_on or not below):
            kinds.append("root port")
        else:
            kinds.append("switch" if leads_on else _OTHER)
    return kinds


def _links(gpus: list[Device]) -> list[TopologyLink]:
    """Between the GPUs of this host, each pair once, whichever of them tells of the other."""
    found: list[TopologyLink] = []
    for one, other in combinations(sorted(gpus, key=_place), 2):
        for fact, kind in FACTS.items():
            ours, theirs = (parse_peers(gpu.facts.get(fact, "")) for gpu in (one, other))
            link: TopologyLink = {"ends": [one.id, other.id], "kind": kind, "links": None, "through": ""}
            direct = [links[peer] for links, peer in ((ours, _place(other)), (theirs, _place(one))) if peer in links]
            if direct:
                found.append({**link, "links": direct[0]})
            elif SWITCH in ours and SWITCH in theirs:  # as many as the one with fewer has
                found.append({**link, "links": min(ours[SWITCH] or 0, theirs[SWITCH] or 0), "through": SWITCH})
    return found


def _place(gpu: Device) -> str:
    return gpu.facts.get("pci", "")
