# SPDX-License-Identifier: MIT
"""Block devices: what kind each is, and the identity of a disk.

Source: Documentation/ABI/stable/sysfs-block, drivers/nvme/host/sysfs.c, drivers/scsi/scsi_sysfs.c.
"""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from hwinfod.sources.diskstats import SECTOR_BYTES
from hwinfod.sources.files import clean_text, list_directory, read_int, read_optional, read_text
from hwinfod.sources.pci import find_pci_directory

if TYPE_CHECKING:
    from hwinfod.core.host import RootPaths

_NVME_CONTROLLER = re.compile(r"nvme\d+\Z")
_VPD_HEADER = 4

# Kinds that a name tells. Major numbers would not: dm, md, zram and nbd have dynamic ones or share them.
_NAMED_KINDS = (
    ("loop", re.compile(r"loop\d+\Z")),
    ("ram", re.compile(r"z?ram\d+\Z")),
    ("optical", re.compile(r"sr\d+\Z")),
    ("floppy", re.compile(r"fd\d+\Z")),
    ("network", re.compile(r"(?:nbd|rbd|drbd)\d+\Z")),
)


@dataclass(frozen=True, slots=True)
class Disk:
    """The facts of a whole disk; "" or None where it has none. `wwid` is unique in the world when it is
    there; `firmware`, `serial` and `model` are as the device writes them."""

    name: str
    model: str
    vendor: str
    serial: str
    wwid: str
    firmware: str
    size_bytes: int | None
    is_rotational: bool | None
    is_removable: bool
    transport: str
    pci_address: str
    numa_node: int | None


def read_kind(roots: RootPaths, name: str) -> str:
    """`disk` for hardware (and what a hypervisor gives as such), or `partition`, `loop`, `ram`, `optical`,
    `floppy`, `network`, `device-mapper`, `raid`, `hidden` (one path of a multipath NVMe namespace),
    `virtual` (any other without a device behind it); "" for one that is gone."""
    directory = roots.sys("class/block", name)
    for kind, pattern in _NAMED_KINDS:
        if pattern.match(name):
            return kind
    for kind, sign in (("partition", "partition"), ("device-mapper", "dm"), ("raid", "md"), ("disk", "device")):
        if os.path.exists(os.path.join(directory, sign)):
            is_hidden = kind == "disk" and read_int(os.path.join(directory, "hidden")) == 1
            return "hidden" if is_hidden else kind
    return "virtual" if os.path.isdir(directory) else ""


def read_disk(roots: RootPaths, name: str) -> Disk:
    """The facts of one disk. What cannot be read is missing; nothing is raised."""
    directory = roots.sys("class/block", name)
    device = os.path.join(directory, "device")
    rotational = read_int(os.path.join(directory, "queue", "rotational"))
    pci = _find_pci(device)
    numa_node = read_int(os.path.join(pci, "numa_node")) if pci else None
    return Disk(
        name=name,
        model=_first_text(device, ("model", "name")),
        vendor=read_text(os.path.join(device, "vendor")) if not name.startswith("vd") else "",
        serial=_read_serial(directory, device),
        wwid=_first_text(directory, ("wwid", "device/wwid")),
        firmware=_first_text(device, ("firmware_rev", "rev", "fwrev")),
        size_bytes=read_size(roots, name),
        is_rotational=None if rotational is None else rotational != 0,
        is_removable=read_int(os.path.join(directory, "removable")) == 1,
        transport=_read_transport(name, device, pci),
        pci_address=os.path.basename(pci),
        numa_node=None if numa_node is None or numa_node < 0 else numa_node,
    )


def read_size(roots: RootPaths, name: str) -> int | None:
    """In bytes; 0 for a drive without a medium."""
    sectors = read_int(roots.sys("class/block", name, "size"))
    return None if sectors is None else sectors * SECTOR_BYTES


def read_state(roots: RootPaths, name: str) -> str:
    """`live` (NVMe), `running` (SCSI, SATA) or the word for what is wrong (`dead`, `offline`, `blocked`,
    `resetting`...); "" for devices without a state."""
    return read_text(roots.sys("class/block", name, "device", "state"))


def read_error_count(roots: RootPaths, name: str) -> int | None:
    """Commands that ended in an error since the disk was found: SCSI and SATA only, written in hex."""
    return read_int(roots.sys("class/block", name, "device", "ioerr_cnt"))


def parse_vpd_serial(data: bytes) -> str:
    """The unit serial number page of a SCSI disk: four bytes of header, the last two of them the length."""
    length = int.from_bytes(data[2:_VPD_HEADER], "big")
    return clean_text(data[_VPD_HEADER : _VPD_HEADER + length])


def _read_serial(directory: str, device: str) -> str:
    """NVMe and MMC say it beside the device, virtio beside the block device, SCSI in a binary page."""
    text = _first_text(directory, ("device/serial", "serial"))
    if text:
        return text
    page = read_optional(os.path.join(device, "vpd_pg80"), 260)
    return parse_vpd_serial(page) if page else ""


def _first_text(directory: str, names: tuple[str, ...]) -> str:
    return next(filter(None, (read_text(os.path.join(directory, name)) for name in names)), "")


def _find_pci(device: str) -> str:
    """The directory of the PCI device that a disk hangs on, or "".

    The head of a multipath NVMe namespace hangs on no device but on a subsystem, which links to its
    controllers: the first of them stands for all.
    """
    path = os.path.realpath(device)
    controllers = [name for name in list_directory(path) if _NVME_CONTROLLER.match(name)]
    if os.path.basename(os.path.dirname(path)) == "nvme-subsystem" and controllers:
        path = os.path.realpath(os.path.join(path, controllers[0]))
    return find_pci_directory(path)


def _read_transport(name: str, device: str, pci: str) -> str:
    """How the disk is attached: pcie, tcp, rdma, fc (NVMe), usb, sata, sas, scsi, virtio, mmc, xen; or ""."""
    if name.startswith("nvme"):
        transport = read_text(os.path.join(device, "transport"))
        return "pcie" if transport == "pcie" or (pci and not transport) else transport
    path = os.path.realpath(device)
    parts = path.split("/")
    for transport, prefix in (("usb", "usb"), ("sata", "ata"), ("virtio", "virtio"), ("mmc", "mmc"), ("xen", "vbd-")):
        if any(part.startswith(prefix) for part in parts):
            return transport
    if any(part.startswith("end_device-") for part in parts):
        return "sas"
    return "scsi" if any(part.startswith("target") for part in parts) else ""
