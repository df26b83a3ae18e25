# SPDX-License-Identifier: MIT
"""Devices that QEMU makes, for a guest that is to have more hardware than a disk and a console."""

from __future__ import annotations

from pathlib import Path

DISK = "nvme"  # a file of this name in the directory
_NODE = "size=512M"


def hardware(directory: Path) -> list[str]:
    """QEMU's arguments for a host with two NUMA nodes, an NVMe disk behind a PCIe root port of the second, a network
    card that reports PCIe errors, and a BMC. The disk is empty."""
    disk = directory / DISK
    with disk.open("wb") as file:
        file.truncate(64 << 20)
    return [
        *("-object", f"memory-backend-ram,id=memory0,{_NODE}", "-object", f"memory-backend-ram,id=memory1,{_NODE}"),
        *("-numa", "node,nodeid=0,cpus=0,memdev=memory0", "-numa", "node,nodeid=1,cpus=1,memdev=memory1"),
        *("-device", "pxb-pcie,id=bridge,bus_nr=64,numa_node=1,bus=pcie.0"),
        *("-device", "pcie-root-port,id=root_port,bus=bridge,chassis=1,slot=1,x-speed=16,x-width=8"),
        *("-drive", f"if=none,id=nvme,file={disk},format=raw,snapshot=on"),
        *("-device", "nvme,drive=nvme,serial=GUEST-NVME-0,bus=root_port"),
        *("-device", "pcie-root-port,id=other_port,bus=pcie.0,chassis=2,slot=2", "-device", "e1000e,bus=other_port"),
        *("-device", "ipmi-bmc-sim,id=bmc", "-device", "isa-ipmi-kcs,bmc=bmc"),
    ]
