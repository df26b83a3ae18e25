# SPDX-License-Identifier: MIT
"""System containers and virtual machines: LXC (LXD, Incus, Proxmox), systemd-nspawn, libvirt, QEMU, Firecracker.

Their id is the name that their own tool lists. Inner directories (the guest's init, libvirt's emulator and
vcpu threads) belong to the machine.
"""

from __future__ import annotations

from hwinfod.owners.identity import CONTAINER, VM, Owner
from hwinfod.owners.rules.segments import before, is_number, unescape

_SCOPE = ".scope"
_PAYLOAD = "lxc.payload."
# libvirt's drivers as virDomainDriverGenerateMachineName() writes them: machine-<driver>-<id>-<name>.scope
_KIND_OF_DRIVER = {"qemu": VM, "ch": VM, "xen": VM, "lxc": CONTAINER}


def machine(segments: list[str], position: int) -> Owner | None:
    """A machine's directory. LXC's monitor and nspawn's supervisor tell apart as their tools do: the monitor
    is the host's and belongs to nobody, the supervisor is inside the machine's own unit."""
    segment = segments[position]
    if segment.startswith("machine-"):
        return _of_scope(segment)
    if segment.startswith(_PAYLOAD):
        return Owner(CONTAINER, "lxc", segment[len(_PAYLOAD) :]) if len(segment) > len(_PAYLOAD) else None
    if segment.startswith(("systemd-nspawn@", "systemd-vmspawn@")):
        return _of_service(segment)
    parent = before(segments, position)
    if parent in ("lxc", "lxc.payload"):
        return _lxc(segments, position)
    return _virtual(segments, position, parent)


def _lxc(segments: list[str], position: int) -> Owner:
    if before(segments, position, 2) == "libvirt":
        return Owner(CONTAINER, "libvirt", segments[position])
    return Owner(CONTAINER, "lxc", segments[position])


def _of_scope(segment: str) -> Owner | None:
    """machined's scopes: libvirt writes driver and number before the name, nspawn the name alone."""
    if not segment.endswith(_SCOPE):
        return None
    name = unescape(segment[len("machine-") : -len(_SCOPE)])
    return _of_libvirt(name) or (Owner(CONTAINER, "nspawn", name) if name else None)


def _of_libvirt(name: str) -> Owner | None:
    driver, _, rest = name.partition("-")
    if rest.startswith("embed-"):  # a program that has the driver in itself: 8 digits of its root directory's hash
        rest = rest[len("embed-") :].partition("-")[2]
    number, _, domain = rest.partition("-")
    kind = _KIND_OF_DRIVER.get(driver)
    return Owner(kind, "libvirt", domain) if kind and domain and is_number(number) else None


def _of_service(segment: str) -> Owner | None:
    template, _, instance = segment.removesuffix(".service").partition("@")
    if not instance or not segment.endswith(".service"):
        return None
    name = unescape(instance)
    return Owner(CONTAINER, "nspawn", name) if template == "systemd-nspawn" else Owner(VM, "vmspawn", name)


def _virtual(segments: list[str], position: int, parent: str) -> Owner | None:
    segment = segments[position]
    if segment.endswith((".libvirt-qemu", ".libvirt-lxc")):  # v1 without systemd: machine/qemu-1-web.libvirt-qemu
        name, _, driver = segment.rpartition(".libvirt-")
        return _of_libvirt(name) or (Owner(_KIND_OF_DRIVER[driver], "libvirt", name) if name else None)
    if parent == "qemu" and before(segments, position, 2) == "libvirt":
        return Owner(VM, "libvirt", segment)
    if parent == "qemu.slice" and segment.endswith(_SCOPE):  # Proxmox VE
        number = segment[: -len(_SCOPE)]
        return Owner(VM, "qemu", number) if is_number(number) else None
    if parent == "firecracker" or parent.startswith("firecracker-v"):  # the jailer, by its file's name
        return Owner(VM, "firecracker", segment)
    return None
