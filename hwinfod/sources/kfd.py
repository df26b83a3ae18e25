# SPDX-License-Identifier: MIT
"""KFD, the compute side of amdgpu: what computes, how it is connected, and which processes use it.

Source: drivers/gpu/drm/amd/amdkfd/kfd_topology.c, kfd_process.c, include/uapi/linux/kfd_sysfs.h. Process numbers are
those of the first PID namespace. A partition of a board is a node of its own, with the board's place on the PCI bus.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import TYPE_CHECKING

from hwinfod.errors import ParseError, ReadError
from hwinfod.sources.files import list_directory, parse_int, read_file, read_int

if TYPE_CHECKING:
    from collections.abc import Collection

    from hwinfod.core.host import RootPaths

_XGMI = 11  # HSA_IOLINKTYPE_XGMI, CRAT_IOLINK_TYPE_XGMI
_LONGEST = 20  # digits of a 64-bit number


@dataclass(frozen=True, slots=True)
class Node:
    """What computes: a GPU or one partition of it. `pci_address` of the board; `partition` its number on the board;
    `unique_id` 16 hexadecimal digits or ""; `render` its node below /dev/dri; `peers` the numbers of the nodes that
    it reaches over XGMI; `is_apu` shares its memory with processors."""

    number: int
    gpu_id: int
    pci_address: str
    partition: int
    unique_id: str
    render: str
    compute_units: int
    memory_bytes: int | None
    peers: tuple[int, ...]
    is_apu: bool
    architecture: str


@dataclass(frozen=True, slots=True)
class Use:
    """What a process has of a node: memory, time of its copies (None before Linux 5.9), compute units that it keeps
    busy at this moment (None where the GPU does not tell)."""

    memory_bytes: int
    copy_microseconds: int | None
    compute_units: int | None


def parse_properties(data: bytes) -> dict[str, int]:
    """`name number` a line. Raises ParseError."""
    properties = {}
    for line in data.splitlines():
        name, _, number = line.partition(b" ")
        if not number.isdigit() or len(number) > _LONGEST or not name.isascii():
            raise ParseError(f"KFD property: {line[:60]!r}")
        properties[name.decode("ascii")] = int(number)
    return properties


def read_generation(roots: RootPaths) -> int | None:
    """Changes with the topology; None where there is no KFD."""
    return read_int(roots.sys("class/kfd/kfd/topology/generation_id"))


def read_nodes(roots: RootPaths) -> list[Node]:
    """All GPU nodes. A node that cannot be read (a container sees its own GPUs only) is left out."""
    base = roots.sys("class/kfd/kfd/topology/nodes")
    nodes = []
    for name in sorted(filter(str.isdigit, list_directory(base)), key=int):
        gpu_id = read_int(os.path.join(base, name, "gpu_id"))
        if not gpu_id:
            continue
        try:
            nodes.append(_read_node(os.path.join(base, name), int(name), gpu_id))
        except (ReadError, ParseError):
            continue
    return nodes


def list_processes(roots: RootPaths) -> list[int]:
    """The processes that opened /dev/kfd."""
    return [int(name) for name in list_directory(roots.sys("class/kfd/kfd/proc")) if name.isdigit()]


def read_uses(roots: RootPaths, pid: int, gpu_ids: Collection[int]) -> dict[int, Use]:
    """What a process has of these nodes, by gpu_id; a node of which it has nothing is left out. Only a process with
    memory is asked for more: these reads stop its queues' owner or ask the hardware."""
    directory = roots.sys("class/kfd/kfd/proc", str(pid))
    uses = {}
    for gpu_id in gpu_ids:
        memory = _read_int(f"{directory}/vram_{gpu_id}")
        if memory:
            copied = _read_int(f"{directory}/sdma_{gpu_id}")
            uses[gpu_id] = Use(memory, copied, _read_int(f"{directory}/stats_{gpu_id}/cu_occupancy"))
    return uses


def _read_node(directory: str, number: int, gpu_id: int) -> Node:
    properties = parse_properties(read_file(os.path.join(directory, "properties")))
    location, domain = properties.get("location_id", 0), properties.get("domain", 0)
    minor, simds = properties.get("drm_render_minor", 0), properties.get("simd_count", 0)
    unique_id, target = properties.get("unique_id", 0), properties.get("gfx_target_version", 0)
    return Node(
        number=number,
        gpu_id=gpu_id,
        pci_address=f"{domain:04x}:{location >> 8 & 0xFF:02x}:{location >> 3 & 0x1F:02x}.{location & 7}",
        partition=location >> 28,  # kfd_topology.c: node id = location_id[31:28]
        unique_id=f"{unique_id:016x}" if unique_id else "",
        render=f"renderD{minor}" if minor > 0 else "",
        compute_units=simds // max(1, properties.get("simd_per_cu", 1)),
        memory_bytes=_memory_bytes(directory),
        peers=_xgmi_peers(directory),
        is_apu=properties.get("cpu_cores_count", 0) > 0,
        # Major, minor and stepping in two decimal digits each, the last two written in hexadecimal: gfx90a is 9.0.10.
        architecture=f"gfx{target // 10000}{target // 100 % 100:x}{target % 100:x}" if target else "",
    )


def _memory_bytes(directory: str) -> int | None:
    """The node's own memory: heaps of frame buffer, public (1) or private (2)."""
    total = 0
    for bank in list_directory(os.path.join(directory, "mem_banks")):
        properties = _read_properties(os.path.join(directory, "mem_banks", bank, "properties"))
        if properties.get("heap_type") in (1, 2):
            total += properties.get("size_in_bytes", 0)
    return total or None


def _xgmi_peers(directory: str) -> tuple[int, ...]:
    links = [
        _read_properties(os.path.join(directory, kind, name, "properties"))
        for kind in ("io_links", "p2p_links")
        for name in list_directory(os.path.join(directory, kind))
    ]
    return tuple(sorted({link["node_to"] for link in links if link.get("type") == _XGMI and "node_to" in link}))


def _read_properties(path: str) -> dict[str, int]:
    try:
        return parse_properties(read_file(path))
    except (ReadError, ParseError):
        return {}


def _read_int(path: str) -> int | None:
    """None for a process that ended, and for what this GPU does not count."""
    try:
        return parse_int(read_file(path, 64))
    except (ReadError, ParseError):
        return None
