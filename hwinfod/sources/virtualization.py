# SPDX-License-Identifier: MIT
"""Whether this is a virtual machine, and whether we run in a container.

The signs are those of systemd-detect-virt(1) (src/basic/virt.c), in words of its own: on x86 the processor says whether
there is a hypervisor, DMI says which. A bare-metal cloud machine has the cloud's DMI and no hypervisor.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import TYPE_CHECKING

from hwinfod.errors import ReadError
from hwinfod.sources.dmi import Dmi
from hwinfod.sources.files import read_file, read_optional, read_text

if TYPE_CHECKING:
    from hwinfod.core.host import RootPaths

NONE = "none"
_UNKNOWN = "vm-other"
_CPUINFO_LIMIT = 8192

# Start of a DMI string to the hypervisor, the first that fits counts; in the order of systemd's table.
_DMI_SIGNS = (
    ("KVM", "kvm"), ("OpenStack", "kvm"), ("KubeVirt", "kvm"), ("Amazon EC2", "amazon"), ("QEMU", "qemu"),
    ("VMware", "vmware"), ("VMW", "vmware"), ("innotek GmbH", "oracle"), ("VirtualBox", "oracle"),
    ("Oracle Corporation", "oracle"), ("Xen", "xen"), ("HVM domU", "xen"), ("Bochs", "bochs"),
    ("Parallels", "parallels"), ("BHYVE", "bhyve"), ("Hyper-V", "microsoft"), ("Apple Virtualization", "apple"),
    ("Google Compute Engine", "google"), ("Firecracker", "kvm"), ("Alibaba Cloud", "kvm"),
)  # fmt: skip
# The clock that a hypervisor lends to its guests tells where firmware does not (microvm, Firecracker):
# arch/x86/kernel/kvmclock.c, drivers/clocksource/hyperv_timer.c, arch/x86/xen/time.c.
_CLOCKS = {"kvm-clock": "kvm", "hyperv_clocksource_tsc_page": "microsoft", "hyperv_clocksource_msr": "microsoft",
           "xen": "xen"}  # fmt: skip
_HYPERV = ("Microsoft Corporation", "Virtual Machine")


@dataclass(frozen=True, slots=True)
class Virtualization:
    """`machine` is the hypervisor (kvm, vmware, xen, amazon... vm-other) or none; `container` the kind of container
    (docker, podman, lxc, systemd-nspawn... other) or none."""

    machine: str
    container: str

    @property
    def is_virtual_machine(self) -> bool:
        return self.machine != NONE


def parse_hypervisor_flag(data: bytes) -> bool | None:
    """From /proc/cpuinfo whether the processor says that a hypervisor runs it; None where it cannot say (not x86).
    Source: CPUID leaf 1, ECX bit 31; arch/x86/include/asm/cpufeatures.h X86_FEATURE_HYPERVISOR."""
    for line in data.splitlines():
        key, colon, value = line.partition(b":")
        if colon and key.strip() == b"flags":
            return b"hypervisor" in value.split()
    return None


def judge_dmi(dmi: Dmi | None) -> str:
    """The hypervisor whose firmware this is, or none."""
    if dmi is None:
        return NONE
    texts = (dmi.product_name, dmi.system_vendor, dmi.board_vendor, dmi.bios_vendor, dmi.product_version)
    for text in texts:
        for sign, name in _DMI_SIGNS:
            if text.startswith(sign):
                return name
    return "microsoft" if (dmi.system_vendor, dmi.product_name) == _HYPERV else NONE


def judge_clocks(names: str) -> str:
    """The hypervisor that gives one of these clock sources, or none."""
    return next((_CLOCKS[name] for name in names.split() if name in _CLOCKS), NONE)


def judge_machine(
    *, hypervisor_flag: bool | None, dmi: Dmi | None, clocks: str = "", xen_type: str = "", is_xen_control: bool = False
) -> str:
    """The verdict from all signs. The processor's word counts more than the firmware's."""
    if is_xen_control:
        return NONE  # dom0 sees the hardware as it is
    if xen_type == "xen":
        return "xen"
    by_dmi = judge_dmi(dmi)
    if hypervisor_flag is None:
        return by_dmi
    if not hypervisor_flag:
        return NONE
    return next((name for name in (by_dmi, judge_clocks(clocks)) if name != NONE), _UNKNOWN)


def read_virtualization(roots: RootPaths, dmi: Dmi | None) -> Virtualization:
    """Nothing is raised; what cannot be read is no sign."""
    try:
        flag = parse_hypervisor_flag(read_file(roots.proc("cpuinfo"), _CPUINFO_LIMIT))
    except ReadError:
        flag = None
    machine = judge_machine(
        hypervisor_flag=flag,
        dmi=dmi,
        clocks=read_text(roots.sys("devices/system/clocksource/clocksource0/available_clocksource")),
        xen_type=read_text(roots.sys("hypervisor/type")),
        is_xen_control=b"control_d" in (read_optional(roots.proc("xen/capabilities")) or b""),
    )
    if machine == NONE and flag is None and os.path.isdir(roots.proc("device-tree/hypervisor")):
        machine = _UNKNOWN  # Documentation/devicetree: a guest's tree has a node for its hypervisor
    return Virtualization(machine, _read_container(roots))


def _read_container(roots: RootPaths) -> str:
    """The container interface of systemd, then the marks that the others leave in the root of a container."""
    manager = read_text(roots.root("/run/systemd/container"))
    if manager:
        return manager
    for path, name in (("/.dockerenv", "docker"), ("/run/.containerenv", "podman")):
        if os.path.exists(roots.root(path)):
            return name
    return NONE
