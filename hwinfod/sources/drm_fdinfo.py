# SPDX-License-Identifier: MIT
"""What a DRM driver tells of one client: one open descriptor of a node below /dev/dri.

Source: Documentation/gpu/drm-usage-stats.rst, and what i915, xe and amdgpu put there. Work that goes to the GPU by
other ways (KFD) is not in it.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from hwinfod.errors import ParseError
from hwinfod.sources.files import clean_text, read_file

if TYPE_CHECKING:
    from collections.abc import Mapping

    from hwinfod.core.host import RootPaths

_LIMIT = 16 << 10
_LONGEST = 20  # digits of a 64-bit number
_UNITS = {b"": 1, b"KiB": 1 << 10, b"MiB": 1 << 20, b"GiB": 1 << 30, b"ns": 1}

# Key prefix to field. What is resident takes memory; drm-memory- is the older name for it.
_NUMBERS = (
    (b"engine-capacity-", "capacities"),
    (b"engine-", "engine_nanoseconds"),
    (b"cycles-", "cycles"),
    (b"total-cycles-", "total_cycles"),
    (b"resident-", "resident_bytes"),
    (b"memory-", "memory_bytes"),
)
_DEDICATED = ("vram", "local")
_UNCOUNTED = frozenset({"cpu"})  # amdgpu: not mapped for the GPU at this moment


@dataclass(slots=True)
class Client:
    """One client. `pci_address` is "" for a device that is not on PCI, `id` None before Linux 5.19: then two
    descriptors of one client cannot be told from two clients. Mappings are by engine or by memory region, in the
    driver's words (render, rcs, gfx; vram0, system, gtt)."""

    driver: str
    pci_address: str = ""
    id: int | None = None
    engine_nanoseconds: dict[str, int] = field(default_factory=dict)
    capacities: dict[str, int] = field(default_factory=dict)
    cycles: dict[str, int] = field(default_factory=dict)
    total_cycles: dict[str, int] = field(default_factory=dict)
    resident_bytes: dict[str, int] = field(default_factory=dict)
    memory_bytes: dict[str, int] = field(default_factory=dict)

    @property
    def regions(self) -> Mapping[str, int]:
        """Memory that is taken, by region."""
        return {**self.memory_bytes, **self.resident_bytes}

    def used_bytes(self, *, unified: bool) -> int:
        """Of the GPU's own memory; on a GPU that has none, of the host's."""
        return sum(
            size
            for region, size in self.regions.items()
            if region not in _UNCOUNTED and (unified or region.startswith(_DEDICATED))
        )


def parse_client(data: bytes) -> Client | None:
    """None for a descriptor of which no driver tells anything. Raises ParseError."""
    values = {}
    for line in data.split(b"\n"):
        if line.startswith(b"drm-"):
            key, colon, value = line[4:].partition(b":")
            if colon:
                values[key] = value.strip()
    driver = values.get(b"driver")
    if not driver:
        return None
    client = Client(clean_text(driver), clean_text(values.get(b"pdev", b"")).lower())
    if b"client-id" in values:
        client.id = _number(b"client-id", values[b"client-id"])
    for key, value in values.items():
        for prefix, name in _NUMBERS:
            if key.startswith(prefix):
                getattr(client, name)[clean_text(key[len(prefix) :])] = _number(key, value)
                break
    return client


def is_drm_node(target: str) -> bool:
    """Whether a descriptor is open on a node below /dev/dri. A container's /dev/dri is shown by its path there, one
    given alone by that of its own mount."""
    return "/dri/" in target and target.startswith("/")


def read_client(roots: RootPaths, pid: int, descriptor: str) -> Client | None:
    """Raises a ReadError or ParseError."""
    return parse_client(read_file(roots.proc(str(pid), "fdinfo", descriptor), _LIMIT))


def _number(key: bytes, value: bytes) -> int:
    number, _, unit = value.partition(b" ")
    factor = _UNITS.get(unit.strip())
    if factor is None or not number.isdigit() or len(number) > _LONGEST:
        raise ParseError(f"drm-{key[:40].decode('ascii', 'replace')}: {value[:40]!r}")
    return int(number) * factor
