# SPDX-License-Identifier: MIT
"""Which processors there are: threads, cores, sockets, NUMA nodes.

Source: Documentation/ABI/stable/sysfs-devices-system-cpu, Documentation/admin-guide/cputopology.rst.
"""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from hwinfod.errors import ParseError
from hwinfod.sources.files import list_directory, read_int, read_optional, read_text

if TYPE_CHECKING:
    from hwinfod.core.host import RootPaths

_LARGEST_CPU = 1 << 16
_CPU = re.compile(r"cpu(\d{1,5})\Z")
_NODE = re.compile(r"node(\d{1,5})\Z")


@dataclass(frozen=True, slots=True)
class Cpu:
    """One hardware thread. `socket` is the kernel's package number, None where firmware does not give one;
    `core` names all threads of its core ("0,64"), so that it is the same for each of them."""

    number: int
    online: bool
    socket: int | None
    core: str
    numa_node: int | None
    microcode: str


@dataclass(frozen=True, slots=True)
class Topology:
    cpus: tuple[Cpu, ...]

    @property
    def online(self) -> tuple[Cpu, ...]:
        return tuple(cpu for cpu in self.cpus if cpu.online)

    @property
    def cores(self) -> int:
        """Cores with at least one thread online."""
        return len({(cpu.socket, cpu.core) for cpu in self.online})

    @property
    def sockets(self) -> tuple[int, ...]:
        """Sockets with at least one thread online; a host whose firmware names none has one, number 0."""
        return tuple(sorted({cpu.socket or 0 for cpu in self.online}))


def parse_cpu_list(data: bytes) -> tuple[int, ...]:
    """A list as the kernel writes it, `0-3,8,10-11`; empty for none. Raises ParseError.

    Source: lib/bitmap.c, bitmap_list_string().
    """
    numbers: list[int] = []
    for part in data.strip().split(b","):
        first, dash, last = part.partition(b"-")
        if not part and not numbers:
            continue
        if not first.isdigit() or (dash and not last.isdigit()):
            raise ParseError(f"not a list of processors: {data[:60]!r}")
        low, high = int(first[:9]), int((last if dash else first)[:9])
        if high >= _LARGEST_CPU or high < low:
            raise ParseError(f"not a list of processors: {data[:60]!r}")
        numbers.extend(range(low, high + 1))
        if len(numbers) > _LARGEST_CPU:
            raise ParseError(f"not a list of processors: {data[:60]!r}")
    return tuple(numbers)


def read_cpu_list(path: str) -> tuple[int, ...]:
    """The list in a file; empty where it cannot be read or is none."""
    try:
        return parse_cpu_list(read_optional(path) or b"")
    except ParseError:
        return ()


def read_online(roots: RootPaths) -> tuple[int, ...]:
    """The processors online. What hangs on the topology need only be read anew when this changes."""
    return read_cpu_list(roots.sys("devices/system/cpu/online"))


def list_numa_nodes(roots: RootPaths) -> tuple[int, ...]:
    """The NUMA nodes online; none on a kernel without NUMA."""
    matches = (_NODE.match(name) for name in list_directory(roots.sys("devices/system/node")))
    return tuple(sorted(int(match[1]) for match in matches if match))


def read_topology(roots: RootPaths) -> Topology:
    """All processors present. Without /sys there are none, which is not an error.

    Costs some 30 us a processor: read at start and when the list of processors online changes.
    """
    base = roots.sys("devices/system/cpu")
    node_of = {
        cpu: node
        for node in list_numa_nodes(roots)
        for cpu in read_cpu_list(roots.sys("devices/system/node", f"node{node}", "cpulist"))
    }
    online = set(read_online(roots))
    numbers = sorted(int(match[1]) for match in map(_CPU.match, list_directory(base)) if match)
    return Topology(tuple(_read_cpu(base, number, number in online, node_of.get(number)) for number in numbers))


def _read_cpu(base: str, number: int, online: bool, numa_node: int | None) -> Cpu:
    directory = os.path.join(base, f"cpu{number}")
    topology = os.path.join(directory, "topology")
    socket = read_int(os.path.join(topology, "physical_package_id"))
    # thread_siblings_list is the name before Linux 5.3, kept by all kernels since.
    core = read_text(os.path.join(topology, "thread_siblings_list"))
    return Cpu(
        number=number,
        online=online,
        socket=None if socket is None or socket < 0 else socket,
        core=core or str(number),
        numa_node=numa_node,
        microcode=read_text(os.path.join(directory, "microcode", "version")),
    )
