# SPDX-License-Identifier: MIT
"""The JSON of /v1/topology, as types."""

from __future__ import annotations

from typing import TypedDict


class TopologyNode(TypedDict):
    """A NUMA node. `cpus` as the kernel writes it (0-31,64-95), "" for memory of a GPU; `distances` to each node in
    order, 10 to itself."""

    numa_node: int
    cpus: str
    distances: list[int]


class TopologyBridge(TypedDict):
    """What devices hang on. `kind` is host bridge, root port, switch (its port upwards), switch port (one downwards)
    or bridge; `parent` the next one upwards, "" for a host bridge."""

    id: str
    kind: str
    parent: str
    numa_node: int | None


class TopologyDevice(TypedDict):
    """What computes, connects or stores. `id` is that of /v1/gpus, or the PCI address; `kind` gpu, network, nvme,
    accelerator or display; `names` are what programs call it (mlx5_0, ens1np0, nvme0n1). `parent` is the bridge that
    it hangs on, "" where it is on no PCI bus; its virtual functions are counted."""

    id: str
    kind: str
    names: list[str]
    model: str
    status: str
    pci: str
    numa_node: int | None
    parent: str
    virtual_functions: int


class TopologyLink(TypedDict):
    """Two GPUs that are connected beside PCI Express. `kind` is nvlink or xgmi; `links` how many, null where the driver
    does not tell; `through` nvswitch, or "" for a direct connection."""

    ends: list[str]
    kind: str
    links: int | None
    through: str


class Topology(TypedDict):
    """`paths` have for each GPU what lies between it and every other device, as `nvidia-smi topo` says it: X itself,
    PIX one switch, PXB several, PHB a host bridge, NODE the host bridges of one NUMA node, SYS those of several."""

    numa_nodes: list[TopologyNode]
    bridges: list[TopologyBridge]
    devices: list[TopologyDevice]
    links: list[TopologyLink]
    paths: dict[str, dict[str, str]]
