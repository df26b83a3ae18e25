# SPDX-License-Identifier: MIT
from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hwinfod.sources.dmi import Dmi, read_dmi
from hwinfod.sources.files import Roots
from hwinfod.sources.virtualization import (
    Virtualization,
    judge_clocks,
    judge_dmi,
    judge_machine,
    parse_hypervisor_flag,
    read_virtualization,
)
from tests.support.sysfs import put

GUEST = b"processor\t: 0\nvendor_id\t: AuthenticAMD\nflags\t\t: fpu sse hypervisor lahf_lm\nbugs\t\t: hypervisor\n"
BARE = GUEST.replace(b" hypervisor lahf", b" lahf")
ARM = b"processor\t: 0\nFeatures\t: fp asimd\nCPU implementer\t: 0x41\n"


def dmi(**texts: str) -> Dmi:
    return Dmi(**{**dict.fromkeys(Dmi.__dataclass_fields__, ""), **texts})


def test_the_flag() -> None:
    assert [parse_hypervisor_flag(data) for data in (GUEST, BARE, ARM, b"")] == [True, False, None, None]


@given(st.binary())
def test_arbitrary_bytes(data: bytes) -> None:
    assert parse_hypervisor_flag(data) in (True, False, None)


@pytest.mark.parametrize(("firmware", "name"), [
    (dmi(system_vendor="QEMU", product_name="Standard PC (Q35 + ICH9, 2009)"), "qemu"),
    (dmi(system_vendor="QEMU", product_name="KVM"), "kvm"),
    (dmi(system_vendor="VMware, Inc.", product_name="VMware7,1"), "vmware"),
    (dmi(system_vendor="Microsoft Corporation", product_name="Virtual Machine"), "microsoft"),
    (dmi(system_vendor="Microsoft Corporation", product_name="Surface Pro"), "none"),
    (dmi(system_vendor="Amazon EC2", product_name="p5.48xlarge"), "amazon"),
    (dmi(system_vendor="Google", product_name="Google Compute Engine"), "google"),
    (dmi(system_vendor="OpenStack Foundation", product_name="OpenStack Nova"), "kvm"),
    (dmi(system_vendor="Supermicro", product_name="SYS-821GE-TNHR"), "none"),
    (None, "none"),
])  # fmt: skip
def test_firmware(firmware: Dmi | None, name: str) -> None:
    assert judge_dmi(firmware) == name


def test_the_processor_is_believed_before_the_firmware() -> None:
    metal = dmi(system_vendor="Amazon EC2", product_name="p5.metal")
    assert judge_machine(hypervisor_flag=False, dmi=metal) == "none"
    assert judge_machine(hypervisor_flag=True, dmi=metal) == "amazon"
    assert judge_machine(hypervisor_flag=None, dmi=metal) == "amazon"  # arm64: the processor cannot say


def test_a_guest_without_firmware() -> None:
    assert judge_clocks("tsc kvm-clock") == "kvm"
    assert judge_clocks("tsc hpet acpi_pm") == "none"
    assert judge_machine(hypervisor_flag=True, dmi=None, clocks="tsc kvm-clock") == "kvm"
    assert judge_machine(hypervisor_flag=True, dmi=None) == "vm-other"
    assert judge_machine(hypervisor_flag=False, dmi=None, clocks="kvm-clock") == "none"


def test_xen() -> None:
    assert judge_machine(hypervisor_flag=True, dmi=None, xen_type="xen") == "xen"
    assert judge_machine(hypervisor_flag=True, dmi=None, xen_type="xen", is_xen_control=True) == "none"


def test_signs_on_the_host(tmp_path: Path) -> None:
    roots = Roots(procfs=str(tmp_path / "proc"), sysfs=str(tmp_path / "sys"), rootfs=str(tmp_path / "root"))
    assert read_virtualization(roots, None) == Virtualization("none", "none")
    put(tmp_path / "proc", {"device-tree/hypervisor/compatible": "linux,kvm"})
    assert read_virtualization(roots, None) == Virtualization("vm-other", "none")
    put(tmp_path / "proc", {"cpuinfo": BARE})
    put(tmp_path / "root", {".dockerenv": ""})
    assert read_virtualization(roots, None) == Virtualization("none", "docker")
    put(tmp_path / "proc", {"cpuinfo": GUEST})
    put(tmp_path / "root", {"run/systemd/container": "lxc"})
    found = read_virtualization(roots, None)
    assert (found, found.is_virtual_machine) == (Virtualization("vm-other", "lxc"), True)


@pytest.mark.skipif(not shutil.which("systemd-detect-virt"), reason="no systemd-detect-virt")
def test_systemd_agrees_on_the_real_host() -> None:
    told = subprocess.run(["systemd-detect-virt", "--vm"], capture_output=True, text=True, check=False).stdout.strip()
    ours = read_virtualization(Roots(), read_dmi(Roots()))
    assert ours.is_virtual_machine is (told != "none")
