# SPDX-License-Identifier: MIT
"""PCI functions: identity, power, driver, and where each stands in the tree.

Source: Documentation/ABI/testing/sysfs-bus-pci, drivers/pci/pci-sysfs.c, include/linux/pci_ids.h.
"""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from hwinfod.sources.files import link_name, list_directory, list_inodes, read_int, read_text

if TYPE_CHECKING:
    from collections.abc import Mapping

    from hwinfod.core.host import RootPaths

_ADDRESS = re.compile(r"[0-9a-f]{4,8}:[0-9a-f]{2}:[0-9a-f]{2}\.[0-7]\Z")

# Base class, or base class and subclass, to what a person calls it.
_CLASSES = {0x02: "network", 0x03: "display", 0x12: "accelerator", 0x0108: "nvme"}
# Whose displays and accelerators compute: NVIDIA, AMD, Intel. The others light a console (ASPEED, Matrox, those of
# hypervisors), or are accelerators of another make.
AMD, INTEL, NVIDIA = 0x1002, 0x8086, 0x10DE  # include/linux/pci_ids.h
_GPU_VENDORS = frozenset({AMD, INTEL, NVIDIA})

# Drivers that hold a function for somebody else: vfio-pci and its variants (mlx5_vfio_pci, nvgrace_gpu_vfio_pci),
# Xen's pciback, and the stub that keeps others away.
_STAND_INS = frozenset({"pci-stub", "pciback", "xen-pciback"})


@dataclass(frozen=True, slots=True)
class PciDevice:
    """One function. `kind` is gpu, network, nvme, accelerator or display, "" for all others; `directory` its real
    path, whose parts are the ports above it; `physical_function` the address of the function that a virtual
    one (SR-IOV) belongs to, "" for a physical one; `slot` the name on the chassis, where firmware gives one.
    """

    address: str
    directory: str
    class_code: int
    vendor_id: int
    device_id: int
    subsystem_vendor_id: int | None
    subsystem_device_id: int | None
    revision: int | None
    numa_node: int | None
    physical_function: str
    slot: str

    @property
    def kind(self) -> str:
        return classify(self.class_code, self.vendor_id)


def classify(class_code: int, vendor_id: int) -> str:
    """What a person calls a function with this class code of three bytes; "" for what nobody counts."""
    kind = _CLASSES.get(class_code >> 8) or _CLASSES.get(class_code >> 16, "")
    return "gpu" if kind in ("display", "accelerator") and vendor_id in _GPU_VENDORS else kind


def is_pci_address(name: str) -> bool:
    return _ADDRESS.match(name) is not None


def find_pci_directory(path: str) -> str:
    """The directory of the PCI function that something hangs on: the nearest one upwards in a real path, or ""."""
    while len(path) > 1:
        if is_pci_address(os.path.basename(path)):
            return path
        path = os.path.dirname(path)
    return ""


def is_stand_in(driver: str) -> bool:
    """Whether a driver only holds the function for a virtual machine or a user-space driver."""
    return "vfio" in driver or driver in _STAND_INS


def list_pci(roots: RootPaths) -> dict[str, int]:
    """The addresses of all functions, each with what changes when another one comes to stand there."""
    return {name: inode for name, inode in list_inodes(roots.sys("bus/pci/devices")).items() if is_pci_address(name)}


@dataclass(frozen=True, slots=True)
class _Seen:
    """What stood at an address when it was looked at: `gpu_vendor_id` is 0 for all but GPUs."""

    inode: int
    gpu_vendor_id: int


_seen: dict[str, dict[str, _Seen]] = {}  # by directory: three lanes ask every ten seconds, and a host has hundreds


def list_gpus(roots: RootPaths) -> dict[str, int]:
    """The addresses of all GPUs, whatever driver has them, each with its vendor. What a function is is read once, for
    as long as it stands there."""
    base = roots.sys("bus/pci/devices")
    before, now = _seen.get(base, {}), {}
    for address, inode in list_pci(roots).items():
        seen = before.get(address)
        now[address] = seen if seen and seen.inode == inode else _Seen(inode, _read_gpu_vendor(base, address))
    _seen[base] = now
    return {address: seen.gpu_vendor_id for address, seen in now.items() if seen.gpu_vendor_id}


def _read_gpu_vendor(base: str, address: str) -> int:
    class_code, vendor = (read_int(os.path.join(base, address, name)) for name in ("class", "vendor"))
    if class_code is None or vendor is None:
        return 0
    return vendor if classify(class_code, vendor) == "gpu" else 0


def read_pci(roots: RootPaths, address: str, slots: Mapping[str, str]) -> PciDevice | None:
    """The facts of one function, all of them the kernel's memory: a sleeping device is not woken. `slots` is what
    `read_slots` gave. None for a function that is gone."""
    directory = os.path.realpath(roots.sys("bus/pci/devices", address))
    numbers = [read_int(os.path.join(directory, name)) for name in ("class", "vendor", "device")]
    class_code, vendor, device = numbers
    if class_code is None or vendor is None or device is None:
        return None
    numa_node = read_int(os.path.join(directory, "numa_node"))
    return PciDevice(
        address=address,
        directory=directory,
        class_code=class_code,
        vendor_id=vendor,
        device_id=device,
        subsystem_vendor_id=read_int(os.path.join(directory, "subsystem_vendor")),
        subsystem_device_id=read_int(os.path.join(directory, "subsystem_device")),
        revision=read_int(os.path.join(directory, "revision")),
        numa_node=None if numa_node is None or numa_node < 0 else numa_node,
        physical_function=link_name(os.path.join(directory, "physfn")),
        slot=slots.get(address.rpartition(".")[0], ""),
    )


def read_driver(directory: str) -> str:
    """The driver that is bound, or ""."""
    return link_name(os.path.join(directory, "driver"))


def read_is_suspended(directory: str) -> bool:
    """Whether the function sleeps: reading its registers would wake it, or read ones.

    Source: Documentation/ABI/testing/sysfs-devices-power, runtime_status.
    """
    return read_text(os.path.join(directory, "power", "runtime_status")) in ("suspended", "suspending")


def read_slots(roots: RootPaths) -> dict[str, str]:
    """The names of the slots by address without function (`0000:3b:00`).

    Source: Documentation/ABI/testing/sysfs-bus-pci, /sys/bus/pci/slots/.../address.
    """
    base = roots.sys("bus/pci/slots")
    return {read_text(os.path.join(base, name, "address")): name for name in list_directory(base)}
