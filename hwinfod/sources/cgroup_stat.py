# SPDX-License-Identifier: MIT
"""The statistics files of cgroups: one figure (memory.current), a limit (memory.max), a figure a line (cpu.stat,
memory.stat, memory.events), a device a line (io.stat).

Source: Documentation/admin-guide/cgroup-v2.rst, "Interface Files";
cgroup-v1/{cpuacct,memory,blkio-controller,rdma}.rst.
"""

from __future__ import annotations

from typing import NamedTuple

from hwinfod.errors import ParseError
from hwinfod.sources.files import clean_text

# v1 has no word for "no limit": PAGE_COUNTER_MAX in bytes, LONG_MAX rounded down to a page (linux/page_counter.h).
_UNLIMITED = 1 << 62


class DeviceBytes(NamedTuple):
    """What a cgroup read from and wrote to one block device, named by its numbers: "8:0"."""

    device: str
    read_bytes: int
    written_bytes: int


class RdmaObjects(NamedTuple):
    """What a cgroup's processes made on one RDMA device: contexts (`handles`), and all objects of other types."""

    device: str
    handles: int
    objects: int


def parse_figure(data: bytes) -> int:
    """The only figure of a file. Raises ParseError."""
    try:
        return int(data)
    except ValueError:
        raise ParseError(f"cgroup: not a number: {data[:40]!r}") from None


def parse_value(data: bytes, key: bytes) -> int | None:
    """The figure behind a key; None where the kernel writes no such line. Raises ParseError."""
    head = key + b" "
    if data.startswith(head):
        start = len(head)
    else:
        start = data.find(b"\n" + head) + len(head) + 1
        if start <= len(head):
            return None
    end = data.find(b"\n", start)
    return parse_figure(data[start:] if end < 0 else data[start:end])


def parse_limit(data: bytes) -> int | None:
    """Bytes; None for no limit. Raises ParseError."""
    if data.strip() == b"max":
        return None
    limit = parse_figure(data)
    return None if limit >= _UNLIMITED else limit


def parse_io(data: bytes) -> list[DeviceBytes]:
    """io.stat: `8:0 rbytes=1 wbytes=2 rios=…` for each device; some kernels write devices without figures. Raises
    ParseError."""
    found = []
    for line in data.splitlines():
        device, *pairs = line.split() or [b""]
        values = dict(pair.partition(b"=")[::2] for pair in pairs)
        if b"rbytes" in values and b"wbytes" in values:
            read, written = parse_figure(values[b"rbytes"]), parse_figure(values[b"wbytes"])
            found.append(DeviceBytes(device.decode("ascii", "replace"), read, written))
    return found


def parse_rdma(data: bytes) -> list[RdmaObjects]:
    """rdma.current: `mlx5_0 hca_handle=2 hca_object=2000` for each device. Raises ParseError."""
    found = []
    for line in data.splitlines():
        device, *pairs = line.split() or [b""]
        values = dict(pair.partition(b"=")[::2] for pair in pairs)
        if b"hca_handle" in values and b"hca_object" in values:
            handles, objects = parse_figure(values[b"hca_handle"]), parse_figure(values[b"hca_object"])
            found.append(RdmaObjects(clean_text(device), handles, objects))
    return found


def parse_blkio(data: bytes) -> list[DeviceBytes]:
    """blkio.throttle.io_service_bytes_recursive of v1: `8:0 Read 1`, `8:0 Write 2`, … Raises ParseError."""
    found: dict[bytes, list[int]] = {}
    for line in data.splitlines():
        words = line.split()
        if len(words) == 3 and words[1] in (b"Read", b"Write"):
            found.setdefault(words[0], [0, 0])[words[1] == b"Write"] = parse_figure(words[2])
    return [DeviceBytes(device.decode("ascii", "replace"), *amounts) for device, amounts in found.items()]
