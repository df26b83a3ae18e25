# SPDX-License-Identifier: MIT
"""Runs in the guest: NUMA nodes, PCIe links, NVMe and its temperature, against the kernel's own files."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from in_guest import Daemon, report, sh, wait_for

NVME = Path("/sys/class/nvme/nvme0")


class Guest:
    """The daemon on a host with an NVMe disk behind a PCIe root port of node 1."""

    def __init__(self) -> None:
        sh("udevadm settle")
        wait_for("the disk", lambda: Path("/sys/block/nvme0n1").exists())
        self.daemon = Daemon("hwinfod", collector="pcie")
        self.address = (NVME / "device").resolve().name

    def values(self, metric: str) -> dict[tuple[str, ...], Any]:
        """The latest values by the labels' values."""
        samples = self.daemon.get(f"/v1/samples?name={metric}")["samples"]
        return {tuple(sample["labels"].values()): sample["value"] for sample in samples}


def check_numa_nodes(guest: Guest) -> None:
    def agree() -> bool:
        limits = guest.values("hw_numa_memory_limit_bytes")
        for node in ("0", "1"):
            lines = Path(f"/sys/devices/system/node/node{node}/meminfo").read_text().splitlines()
            (total,) = [int(line.split()[3]) for line in lines if "MemTotal" in line]
            assert limits[(node,)] == total * 1024
        return set(limits) == {("0",), ("1",)}

    wait_for("both nodes", agree)


def check_pcie_link(guest: Guest) -> None:
    """As it runs, and the best that both of its ends can."""
    ends = [(NVME / "device").resolve(), (NVME / "device").resolve().parent]

    def agree() -> bool:
        for part, metric in (("width", "width{}_lanes"), ("speed", "speed{}_transfers_per_second")):
            scale = 1 if part == "width" else 1e9
            now, limit = (guest.values(f"hw_pcie_link_{metric.format(kind)}") for kind in ("", "_limit"))
            assert _of(now, guest.address) == scale * _number(ends[0] / f"current_link_{part}")
            assert _of(limit, guest.address) == scale * min(_number(end / f"max_link_{part}") for end in ends)
        return True

    wait_for("the link", agree)


def _number(path: Path) -> float:
    """What a file begins with: `16.0 GT/s PCIe`."""
    return float(path.read_text().split()[0])


def _of(values: dict[tuple[str, ...], Any], address: str) -> Any:
    (value,) = [value for labels, value in values.items() if address in labels]
    return value


def check_pci_device(guest: Guest) -> None:
    device = wait_for("the function", lambda: guest.daemon.get(f"/v1/devices/{guest.address}"))
    assert (device["facts"]["driver"], device["facts"]["numa_node"]) == ("nvme", "1")
    assert device["facts"]["vendor_id"] == (NVME / "device/vendor").read_text().strip().removeprefix("0x")


def check_disk(guest: Guest) -> None:
    (disk,) = wait_for(
        "the disk", lambda: [d for d in guest.daemon.get("/v1/devices?kind=disk")["devices"] if d["name"] == "nvme0n1"]
    )
    assert disk["facts"]["serial"] == "GUEST-NVME-0"
    assert (disk["facts"]["pci"], disk["facts"]["numa_node"]) == (guest.address, "1")
    sizes = guest.values("hw_disk_size_bytes")
    assert _of(sizes, "nvme0n1") == int(Path("/sys/block/nvme0n1/size").read_text()) * 512
    assert _of(guest.values("hw_disk_up"), "nvme0n1") == 1


def check_temperature(guest: Guest) -> None:
    (file,) = NVME.glob("hwmon*/temp1_input")
    expected = int(file.read_text()) / 1000

    def agree() -> bool:
        found = guest.values("hw_temperature_celsius")
        return [value for labels, value in found.items() if "nvme" in labels] == [expected]

    wait_for("the temperature", agree)


CHECKS: dict[str, Callable[[Guest], None]] = {
    name.removeprefix("check_"): check for name, check in list(globals().items()) if name.startswith("check_")
}


if __name__ == "__main__":
    sys.exit(report(CHECKS, Guest()))
