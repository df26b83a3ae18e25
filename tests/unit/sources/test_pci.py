# SPDX-License-Identifier: MIT
from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hwinfod.sources.files import Roots
from hwinfod.sources.pci import (
    AMD,
    INTEL,
    NVIDIA,
    classify,
    find_pci_directory,
    is_pci_address,
    is_stand_in,
    list_gpus,
    list_pci,
    read_driver,
    read_is_suspended,
    read_pci,
    read_slots,
)
from tests.support.sysfs import link, put, put_pci

GPU = {
    "class": "0x030200", "vendor": "0x10de", "device": "0x2330", "revision": "0xa1", "numa_node": 1,
    "subsystem_vendor": "0x10de", "subsystem_device": "0x16c1",
}  # fmt: skip


@pytest.fixture
def roots(tmp_path: Path) -> Roots:
    return Roots(sysfs=str(tmp_path))


def test_facts(roots: Roots, tmp_path: Path) -> None:
    directory = put_pci(tmp_path, "0000:15:01.0/0000:16:00.0", GPU, driver="nvidia")
    put(tmp_path / "bus/pci/slots/21", {"address": "0000:16:00"})
    put(tmp_path / "bus/pci/slots/22", {"address": "0000:17:00"})
    device = read_pci(roots, "0000:16:00.0", read_slots(roots))
    assert device is not None
    assert device.kind == "gpu"
    assert (device.vendor_id, device.device_id, device.class_code) == (0x10DE, 0x2330, 0x030200)
    assert (device.subsystem_vendor_id, device.subsystem_device_id, device.revision) == (0x10DE, 0x16C1, 0xA1)
    assert (device.numa_node, device.slot, device.physical_function) == (1, "21", "")
    assert device.directory == str(directory)
    assert read_driver(device.directory) == "nvidia"


def test_a_virtual_function_names_its_physical_one(roots: Roots, tmp_path: Path) -> None:
    card = put_pci(tmp_path, "0000:15:01.0/0000:1a:00.0", {**GPU, "class": "0x020000"})
    function = put_pci(tmp_path, "0000:15:01.0/0000:1a:00.1", {**GPU, "class": "0x020000", "numa_node": -1})
    link(function / "physfn", card)
    device = read_pci(roots, "0000:1a:00.1", {})
    assert device is not None
    assert (device.kind, device.physical_function, device.numa_node) == ("network", "0000:1a:00.0", None)
    assert read_driver(device.directory) == ""


def test_one_that_left(roots: Roots, tmp_path: Path) -> None:
    assert list_pci(roots) == {}
    link(tmp_path / "bus/pci/devices/0000:16:00.0", tmp_path / "devices/pci0000:15/0000:16:00.0")
    assert list(list_pci(roots)) == ["0000:16:00.0"]
    assert read_pci(roots, "0000:16:00.0", {}) is None
    assert not read_is_suspended(str(tmp_path / "gone"))


@pytest.mark.parametrize(("status", "asleep"), [("active", False), ("suspended", True), ("suspending", True),
                                                ("unsupported", False), ("error", False)])  # fmt: skip
def test_sleep(tmp_path: Path, status: str, *, asleep: bool) -> None:
    put(tmp_path, {"power/runtime_status": status})
    assert read_is_suspended(str(tmp_path)) is asleep


@pytest.mark.parametrize(("driver", "expected"), [
    ("vfio-pci", True), ("mlx5_vfio_pci", True), ("nvgrace_gpu_vfio_pci", True), ("pciback", True),
    ("pci-stub", True), ("nvidia", False), ("mlx5_core", False), ("", False),
])  # fmt: skip
def test_drivers_that_hold_a_device_for_others(driver: str, *, expected: bool) -> None:
    assert is_stand_in(driver) is expected


@pytest.mark.parametrize(("code", "vendor", "kind"), [
    (0x030200, 0x10DE, "gpu"), (0x030000, 0x10DE, "gpu"), (0x038000, 0x1002, "gpu"), (0x120000, 0x1002, "gpu"),
    (0x030000, 0x1A03, "display"), (0x030000, 0x1234, "display"), (0x120000, 0x1DA3, "accelerator"),
    (0x020000, 0x15B3, "network"), (0x020700, 0x15B3, "network"), (0x010802, 0x144D, "nvme"), (0x010601, 0x8086, ""),
    (0x060400, 0x10DE, ""), (0, 0, ""),
])  # fmt: skip
def test_classes(code: int, vendor: int, kind: str) -> None:
    assert classify(code, vendor) == kind


def test_the_nearest_function_upwards() -> None:
    port = "/sys/devices/pci0000:59/0000:59:01.0"
    assert find_pci_directory(f"{port}/0000:5a:00.0/nvme/nvme0") == f"{port}/0000:5a:00.0"
    assert find_pci_directory("/sys/devices/platform/coretemp.0") == ""
    assert find_pci_directory("") == ""
    assert find_pci_directory("/sys/devices/pci10000:00/10000:00:02.0/x") == "/sys/devices/pci10000:00/10000:00:02.0"


@given(st.text())
def test_arbitrary_text(text: str) -> None:
    assert not is_pci_address(text) or len(text) in range(12, 17)
    assert find_pci_directory(text) in text


def test_the_real_host(roots: Roots) -> None:
    real = Roots()
    for address in list_pci(real):
        device = read_pci(real, address, read_slots(real))
        assert device is not None
        uevent = Path(device.directory, "uevent").read_text().splitlines()
        assert f"PCI_SLOT_NAME={address}" in uevent
        assert f"PCI_ID={device.vendor_id:04X}:{device.device_id:04X}" in uevent
        assert f"PCI_CLASS={device.class_code:X}" in uevent


def test_gpus_by_vendor(roots: Roots, tmp_path: Path) -> None:
    """A display of a console, the sound of a GPU and what lies on the bus half made are none."""
    for address, vendor, code in (
        ("0000:16:00.0", "0x10de", "0x030200"),
        ("0000:17:00.0", "0x1002", "0x120000"),
        ("0000:17:00.1", "0x1002", "0x040300"),
        ("0000:18:00.0", "0x1a03", "0x030000"),
        ("0000:19:00.0", "garbage", "0x030000"),
    ):
        put_pci(tmp_path, f"0000:15:01.0/{address}", {**GPU, "vendor": vendor, "class": code})
    assert list_gpus(roots) == {"0000:16:00.0": NVIDIA, "0000:17:00.0": AMD}
    assert list_gpus(Roots(sysfs=str(tmp_path / "none"))) == {}


def test_a_function_is_looked_at_once_for_as_long_as_it_stands_there(roots: Roots, tmp_path: Path) -> None:
    directory = put_pci(tmp_path, "0000:15:01.0/0000:16:00.0", GPU)
    name = tmp_path / "bus/pci/devices/0000:16:00.0"
    assert list_gpus(roots) == {"0000:16:00.0": NVIDIA}
    (directory / "vendor").write_text("0x8086\n")
    assert list_gpus(roots) == {"0000:16:00.0": NVIDIA}
    link(name.with_name("new"), name.resolve())
    name.with_name("new").rename(name)  # another inode under the name, as for a card that was plugged in
    assert list_gpus(roots) == {"0000:16:00.0": INTEL}
