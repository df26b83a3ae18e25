# SPDX-License-Identifier: MIT
from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hwinfod.sources.block import parse_vpd_serial, read_disk, read_error_count, read_kind, read_state
from hwinfod.sources.files import Roots

NVME_PCI = "devices/pci0000:40/0000:40:01.1/0000:41:00.0"
SATA_PCI = "devices/pci0000:00/0000:00:17.0"


def put(directory: Path, **files: str) -> None:
    directory.mkdir(parents=True, exist_ok=True)
    for name, content in files.items():
        path = directory / name.replace("__", "/")
        path.parent.mkdir(exist_ok=True)
        path.write_text(content + "\n")


def register(sysfs: Path, directory: Path) -> None:
    """class/block/NAME, as the kernel links it."""
    link = sysfs / "class/block" / directory.name
    link.parent.mkdir(parents=True, exist_ok=True)
    link.symlink_to(os.path.relpath(directory, link.parent))


@pytest.fixture
def roots(tmp_path: Path) -> Roots:
    return Roots(sysfs=str(tmp_path))


def make_nvme(sysfs: Path) -> None:
    controller = sysfs / NVME_PCI / "nvme/nvme0"
    put(sysfs / NVME_PCI, numa_node="1")
    put(
        controller,
        model="SAMSUNG MZQL27T6HBLA-00A07",
        serial="S6CKNT0W700001",
        firmware_rev="GDC5902Q",
        transport="pcie",
        state="live",
    )
    namespace = controller / "nvme0n1"
    put(namespace, size="15002931888", queue__rotational="0", removable="0", wwid="eui.36434b3057700001", ro="0")
    (namespace / "device").symlink_to("../../nvme0")
    register(sysfs, namespace)


def make_sata(sysfs: Path) -> None:
    device = sysfs / SATA_PCI / "ata1/host0/target0:0:0/0:0:0:0"
    put(sysfs / SATA_PCI, numa_node="-1")
    put(device, model="ST16000NM001G-2K", vendor="ATA", rev="SN03", state="running", ioerr_cnt="0x1f")
    put(device, wwid="naa.5000c500c0ffee00")
    (device / "vpd_pg80").write_bytes(b"\x00\x80\x00\x08ZL2ABCDEtrash")
    disk = device / "block/sda"
    put(disk, size="31251759104", queue__rotational="1", removable="0")
    (disk / "device").symlink_to("../../../0:0:0:0")
    put(disk / "sda1", partition="1")
    register(sysfs, disk)
    register(sysfs, disk / "sda1")


def test_nvme(tmp_path: Path, roots: Roots) -> None:
    make_nvme(tmp_path)
    disk = read_disk(roots, "nvme0n1")
    assert read_kind(roots, "nvme0n1") == "disk"
    assert (disk.model, disk.serial, disk.firmware) == ("SAMSUNG MZQL27T6HBLA-00A07", "S6CKNT0W700001", "GDC5902Q")
    assert (disk.size_bytes, disk.is_rotational, disk.is_removable) == (15002931888 * 512, False, False)
    assert (disk.pci_address, disk.numa_node, disk.transport) == ("0000:41:00.0", 1, "pcie")
    assert disk.wwid == "eui.36434b3057700001"
    assert (read_state(roots, "nvme0n1"), read_error_count(roots, "nvme0n1")) == ("live", None)


def test_sata_with_a_binary_serial_and_a_partition(tmp_path: Path, roots: Roots) -> None:
    make_sata(tmp_path)
    disk = read_disk(roots, "sda")
    assert (read_kind(roots, "sda"), read_kind(roots, "sda1")) == ("disk", "partition")
    assert (disk.vendor, disk.model, disk.serial, disk.firmware) == ("ATA", "ST16000NM001G-2K", "ZL2ABCDE", "SN03")
    assert (disk.is_rotational, disk.transport, disk.numa_node) == (True, "sata", None)
    assert (disk.pci_address, disk.wwid) == ("0000:00:17.0", "naa.5000c500c0ffee00")
    assert (read_state(roots, "sda"), read_error_count(roots, "sda")) == ("running", 31)


def test_head_of_a_multipath_namespace_hangs_on_its_first_controller(tmp_path: Path, roots: Roots) -> None:
    controller = tmp_path / NVME_PCI / "nvme/nvme0"
    put(controller, transport="pcie")
    put(tmp_path / NVME_PCI, numa_node="0")
    subsystem = tmp_path / "devices/virtual/nvme-subsystem/nvme-subsys0"
    put(subsystem, model="Dell Ent NVMe", serial="S1", firmware_rev="2.1")
    (subsystem / "nvme0").symlink_to(controller)
    put(subsystem / "nvme0n1", size="100")
    put(controller / "nvme0c0n1", size="100", hidden="1")
    (subsystem / "nvme0n1/device").symlink_to("../../nvme-subsys0")
    (controller / "nvme0c0n1/device").symlink_to("../../nvme0")
    register(tmp_path, subsystem / "nvme0n1")
    register(tmp_path, controller / "nvme0c0n1")
    disk = read_disk(roots, "nvme0n1")
    assert (disk.model, disk.firmware, disk.pci_address, disk.transport) == (
        "Dell Ent NVMe",
        "2.1",
        "0000:41:00.0",
        "pcie",
    )
    assert (read_kind(roots, "nvme0n1"), read_kind(roots, "nvme0c0n1")) == ("disk", "hidden")


def test_virtio_says_its_serial_beside_the_block_device(tmp_path: Path, roots: Roots) -> None:
    disk = tmp_path / "devices/pci0000:00/0000:00:02.0/virtio1/block/vda"
    put(disk, size="2048", serial="disk-7", queue__rotational="1")
    put(disk.parent.parent, vendor="0x1af4")
    (disk / "device").symlink_to("../../../virtio1")
    register(tmp_path, disk)
    found = read_disk(roots, "vda")
    assert (found.serial, found.vendor, found.transport, found.pci_address) == ("disk-7", "", "virtio", "0000:00:02.0")


@pytest.mark.parametrize(
    ("name", "sign", "kind"),
    [
        ("loop3", "size", "loop"),
        ("ram0", "size", "ram"),
        ("zram0", "size", "ram"),
        ("sr0", "device", "optical"),
        ("fd0", "device", "floppy"),
        ("nbd7", "size", "network"),
        ("rbd0", "device", "network"),
        ("dm-0", "dm", "device-mapper"),
        ("md127", "md", "raid"),
        ("zd16", "size", "virtual"),
        ("vdb", "device", "disk"),
        ("gone", "", ""),
    ],
)
def test_kinds(tmp_path: Path, roots: Roots, name: str, sign: str, kind: str) -> None:
    if sign:
        (tmp_path / "class/block" / name / sign).mkdir(parents=True)
    assert read_kind(roots, name) == kind


def test_a_disk_that_went_away_raises_nothing(roots: Roots) -> None:
    disk = read_disk(roots, "sdz")
    assert (disk.size_bytes, disk.serial, disk.pci_address, disk.is_rotational) == (None, "", "", None)
    assert (read_state(roots, "sdz"), read_error_count(roots, "sdz")) == ("", None)


@given(st.binary())
def test_arbitrary_serial_pages(data: bytes) -> None:
    assert parse_vpd_serial(data).isprintable()
