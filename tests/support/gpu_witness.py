# SPDX-License-Identifier: MIT
"""What a vendor's own interface says of the GPUs of a machine, asked beside the daemon and without its code.

    python -m tests.support.gpu_witness nvidia
    python -m tests.support.gpu_witness amd /sys

prints JSON, a list of `Witness`. NVML is asked in a process of its own: the library has one state a process.
"""

from __future__ import annotations

import contextlib
import json
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from tests.support.processes import Failed, clean_environ, running
from tests.support.processes import Program as Process

# nvml.h nvmlGpuTopologyLevel_t
_LEVELS = {0: "PIX", 10: "PIX", 20: "PXB", 30: "PHB", 40: "NODE", 50: "SYS"}


@dataclass(frozen=True)
class Witness:
    """One GPU. Metrics by name without `hw_gpu_`: `fixed` ones are as they are, `growing` ones only grow, `moving` ones
    go up and down. By PCI address of other GPUs: `levels` is what lies between on PCI Express, `linked` are those that
    it reaches by NVLink or XGMI."""

    uuid: str
    model: str
    pci: str
    fixed: Mapping[str, float] = field(default_factory=dict)
    growing: Mapping[str, float] = field(default_factory=dict)
    moving: Mapping[str, float] = field(default_factory=dict)
    levels: Mapping[str, str] = field(default_factory=dict)
    linked: Sequence[str] = ()


def ask(*arguments: str, **environ: str) -> list[Witness]:
    """In another process."""
    command = [sys.executable, "-m", "tests.support.gpu_witness", *arguments]
    with running(Process(command, environ=clean_environ(**environ))) as process:
        if process.process.wait(60):
            raise Failed(f"no witness: {process.output()}")
        return [Witness(**found) for found in json.loads(process.output())]


def nvidia() -> Iterator[Witness]:
    """By NVIDIA's bindings, one plain call after the other."""
    import pynvml

    pynvml.nvmlInit()
    handles = [pynvml.nvmlDeviceGetHandleByIndex(number) for number in range(pynvml.nvmlDeviceGetCount())]
    places = [pynvml.nvmlDeviceGetPciInfo(handle).busId[4:].lower() for handle in handles]
    for handle, place in zip(handles, places):
        calls = {
            "memory_limit_bytes": lambda h=handle: pynvml.nvmlDeviceGetMemoryInfo(h).total,
            "power_enforced_limit_watts": lambda h=handle: pynvml.nvmlDeviceGetEnforcedPowerLimit(h) / 1000,
            "energy_joules_total": lambda h=handle: pynvml.nvmlDeviceGetTotalEnergyConsumption(h) / 1000,
            "temperature_celsius/gpu": lambda h=handle: pynvml.nvmlDeviceGetTemperature(h, 0),
            "memory_usage_bytes": lambda h=handle: pynvml.nvmlDeviceGetMemoryInfo(h, version=0x02000028).used,
        }
        said = {}
        for name, call in calls.items():
            with contextlib.suppress(pynvml.NVMLError):  # this board does not have it
                said[name] = call()
        levels, linked = {}, []
        for other, there in zip(handles, places):
            if other is not handle:
                with contextlib.suppress(pynvml.NVMLError):
                    levels[there] = _LEVELS[pynvml.nvmlDeviceGetTopologyCommonAncestor(handle, other)]
                with contextlib.suppress(pynvml.NVMLError):
                    if pynvml.nvmlDeviceGetP2PStatus(handle, other, pynvml.NVML_P2P_CAPS_INDEX_NVLINK) == 0:
                        linked.append(there)
        model = pynvml.nvmlDeviceGetName(handle).removeprefix("NVIDIA ")
        yield _witness(pynvml.nvmlDeviceGetUUID(handle), model, place, said, levels, linked)


def amd(sysfs: str) -> Iterator[Witness]:
    """By the files of amdgpu and KFD, as `cat` shows them."""
    linked = _xgmi(Path(sysfs, "class/kfd/kfd/topology/nodes"))
    for directory in sorted(Path(sysfs, "bus/pci/drivers/amdgpu").glob("*:*:*.*")) or _by_link(sysfs):
        files = {
            "memory_limit_bytes": ("mem_info_vram_total", 1),
            "power_enforced_limit_watts": ("hwmon/hwmon*/power1_cap", 1e6),
            "memory_usage_bytes": ("mem_info_vram_used", 1),
            "temperature_celsius/junction": ("hwmon/hwmon*/temp2_input", 1e3),
        }
        said = {}
        for name, (pattern, unit) in files.items():
            for path in directory.glob(pattern):
                with contextlib.suppress(OSError):
                    said[name] = int(path.read_text()) / unit
        product, unique = directory / "product_name", directory / "unique_id"
        uuid = f"GPU-{int(unique.read_text(), 16):016x}" if unique.exists() else f"pci-{directory.name}"
        yield _witness(
            uuid,
            product.read_text().strip() if product.exists() else "",
            directory.name,
            said,
            {},
            linked.get(directory.name, []),
        )


def _xgmi(nodes: Path) -> dict[str, list[str]]:
    """By PCI address: the nodes at the other end of links of type 11."""

    def properties(path: Path) -> dict[str, int]:
        return {name: int(value) for name, value in map(str.split, path.read_text().splitlines())}

    places, peers = {}, {}
    for node in nodes.glob("*"):
        known = properties(node / "properties")
        if known.get("simd_count"):
            bus, device = known["location_id"] >> 8 & 0xFF, known["location_id"] >> 3 & 0x1F
            places[node.name] = f"{known['domain']:04x}:{bus:02x}:{device:02x}.0"
            links = map(properties, node.glob("*_links/*/properties"))
            peers[node.name] = {str(link["node_to"]) for link in links if link["type"] == 11}
    return {
        places[node]: [places[peer] for peer in sorted(found) if peer in places and places[peer] != places[node]]
        for node, found in peers.items()
    }


def _by_link(sysfs: str) -> list[Path]:
    functions = sorted(Path(sysfs, "bus/pci/devices").iterdir())
    return [
        path for path in functions if (path / "driver").is_symlink() and (path / "driver").readlink().name == "amdgpu"
    ]


def _witness(
    uuid: str, model: str, pci: str, said: Mapping[str, float], levels: Mapping[str, str], linked: Sequence[str]
) -> Witness:
    def only(*names: str) -> dict[str, float]:
        return {name: said[name] for name in said if name.startswith(names)}

    return Witness(
        uuid, model, pci,
        fixed=only("memory_limit_bytes", "power_enforced"), growing=only("energy"),
        moving=only("temperature", "memory_usage"), levels=levels, linked=linked,
    )  # fmt: skip


def main(arguments: Sequence[str]) -> None:
    vendors: dict[str, Any] = {"nvidia": nvidia, "amd": amd}
    found = vendors[arguments[0]](*arguments[1:])
    print(json.dumps([asdict(witness) for witness in found]))


if __name__ == "__main__":
    main(sys.argv[1:])
