# SPDX-License-Identifier: MIT
"""The system: machine, firmware, kernel, distribution, virtualisation. Facts only; a change is an event."""

from __future__ import annotations

from hwinfod.core.collector import Collector, beat
from hwinfod.core.device import Device
from hwinfod.core.metric import Kind, Metric
from hwinfod.sources.dmi import Dmi, read_dmi
from hwinfod.sources.kernel import read_kernel
from hwinfod.sources.os_release import read_os_release
from hwinfod.sources.virtualization import read_virtualization

_DMI = "/sys/class/dmi/id"
_OF_ROOT = frozenset({"serial", "uuid", "board_serial", "chassis_serial"})  # mode 0400: drivers/firmware/dmi-id.c

SYSTEM_INFO = Metric(
    name="hw_system_info",
    kind=Kind.INFO,
    help="The machine, as its firmware names it.",
    source=f"{_DMI}/{{sys_vendor,product_name,product_version,product_family,chassis_type}}",
    labels=("vendor", "product", "version", "family", "chassis"),
)
BIOS_INFO = Metric(
    name="hw_bios_info",
    kind=Kind.INFO,
    help="The firmware of the machine.",
    source=f"{_DMI}/{{bios_vendor,bios_version,bios_date,bios_release}}",
    labels=("vendor", "version", "date", "release"),
)
KERNEL_INFO = Metric(
    name="hw_kernel_info",
    kind=Kind.INFO,
    help="The kernel that runs.",
    source="/proc/sys/kernel/{osrelease,version,arch}",
    labels=("release", "version", "machine"),
)
OS_INFO = Metric(
    name="hw_os_info",
    kind=Kind.INFO,
    help="The distribution that is installed.",
    source="/etc/os-release",
    labels=("distribution", "version", "name"),
)
VIRTUALIZATION_INFO = Metric(
    name="hw_virtualization_info",
    kind=Kind.INFO,
    help="Whether this is a virtual machine, and of which hypervisor; whether the daemon runs in a container.",
    source=f"/proc/cpuinfo, flag hypervisor; {_DMI}; /sys/hypervisor; /run/systemd/container",
    labels=("machine", "container"),
)


class System(Collector):
    name = "system"
    summary = "machine, firmware, kernel, distribution, virtualisation"
    lane = "facts"

    def open(self) -> None:
        self.dmi = read_dmi(self.roots)

    @beat(seconds=60)
    def sample(self) -> None:
        """A host name or a distribution may change while we run; what firmware says does not."""
        devices = [self._kernel(), self._distribution(), self._virtualization()]
        if self.dmi is not None:
            devices += [_machine(self.dmi), _firmware(self.dmi)]
        self.host.devices.reconcile(self.name, devices)

    def _kernel(self) -> Device:
        kernel = read_kernel(self.roots)
        facts = {
            "release": kernel.release,
            "version": kernel.version,
            "machine": kernel.machine,
            "hostname": kernel.hostname,
            "boot_id": kernel.boot_id,
        }
        return Device("kernel", "kernel", f"Linux {kernel.release}".strip(), facts, KERNEL_INFO)

    def _distribution(self) -> Device:
        release = read_os_release(self.roots)
        name = release.get("PRETTY_NAME", "") or release.get("NAME", "")
        facts = {
            "distribution": release.get("ID", ""),
            "version": release.get("VERSION_ID", ""),
            "name": name,
            "like": release.get("ID_LIKE", ""),
            "codename": release.get("VERSION_CODENAME", ""),
        }
        return Device("os", "distribution", name or "unknown", facts, OS_INFO)

    def _virtualization(self) -> Device:
        found = read_virtualization(self.roots, self.dmi)
        name = f"virtual machine ({found.machine})" if found.is_virtual_machine else "bare metal"
        facts = {"machine": found.machine, "container": found.container}
        return Device("virtualization", "virtualization", name, facts, VIRTUALIZATION_INFO)


def _machine(dmi: Dmi) -> Device:
    """Serial numbers are facts and no labels: the API knows who asks, a TCP port does not."""
    facts = {
        "vendor": dmi.system_vendor,
        "product": dmi.product_name,
        "version": dmi.product_version,
        "family": dmi.product_family,
        "chassis": dmi.chassis_type,
        "sku": dmi.product_sku,
        "serial": dmi.product_serial,
        "uuid": dmi.product_uuid,
        "board_vendor": dmi.board_vendor,
        "board": dmi.board_name,
        "board_version": dmi.board_version,
        "board_serial": dmi.board_serial,
        "chassis_vendor": dmi.chassis_vendor,
        "chassis_serial": dmi.chassis_serial,
        "chassis_asset_tag": dmi.chassis_asset_tag,
    }
    name = f"{dmi.system_vendor} {dmi.product_name}".strip()
    return Device("system", "system", name, facts, SYSTEM_INFO, private=_OF_ROOT)


def _firmware(dmi: Dmi) -> Device:
    facts = {
        "vendor": dmi.bios_vendor,
        "version": dmi.bios_version,
        "date": dmi.bios_date,
        "release": dmi.bios_release,
        "controller_release": dmi.controller_firmware,
    }
    return Device("bios", "firmware", f"{dmi.bios_vendor} {dmi.bios_version}".strip(), facts, BIOS_INFO)
