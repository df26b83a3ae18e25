# SPDX-License-Identifier: MIT
"""Runs in the guest: what a host is made of, against the kernel's own files and the tools of the trade."""

from __future__ import annotations

import json
import struct
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from in_guest import Daemon, report, sh, wait_for

NVME = Path("/sys/class/nvme/nvme0")
CHIP_ADDRESS = 0x48
AER_BAD_TLP, AER_COMPLETION_TIMEOUT = 0x40, 0x4000  # PCI_ERR_COR_BAD_TLP, PCI_ERR_UNC_COMP_TIME
_SAID_OF_WORK = {"ok", "absent", "disabled"}


class Guest:
    """The daemon on a host with two nodes, an NVMe disk behind a PCIe root port of the second, a network card that
    reports PCIe errors, a display, a BMC and a thermometer on i2c."""

    def __init__(self) -> None:
        for module in ("ipmi_si", "ipmi_devintf", "aer_inject", "i2c-dev", "lm75"):
            sh(f"modprobe {module}")
        sh(f"modprobe i2c-stub chip_addr={CHIP_ADDRESS}")
        sh("udevadm settle")
        wait_for("the disk", lambda: Path("/sys/block/nvme0n1").exists())
        self.bus = _stub_bus()
        self.set_temperature(25)
        Path(f"/sys/bus/i2c/devices/i2c-{self.bus}/new_device").write_text(f"lm75 {CHIP_ADDRESS:#x}")
        self.daemon = Daemon("hwinfod", collector="pcie")
        self.address = (NVME / "device").resolve().name

    def set_temperature(self, celsius: int) -> None:
        """Register 0 of an LM75 is a word, its first byte whole degrees. By force: the driver has the chip."""
        sh(f"i2cset -f -y {self.bus} {CHIP_ADDRESS} 0 {celsius} w")


def _stub_bus() -> int:
    """The number of the bus that is played by i2c-stub."""
    for name in Path("/sys/bus/i2c/devices").glob("i2c-*/name"):
        if "stub" in name.read_text():
            return int(name.parent.name.removeprefix("i2c-"))
    raise AssertionError("no bus of i2c-stub")


def check_every_collector_works(guest: Guest) -> None:
    """With a BMC that answers, whose kcs interface can sleep for seconds: none fails, hangs or leaves a part out."""
    sh("ipmitool mc info")

    def work() -> bool:
        states = {c["name"]: (c["state"], c["skipped"]) for c in guest.daemon.get("/v1/collectors")["collectors"]}
        trouble = {name: said for name, said in states.items() if said[0] not in _SAID_OF_WORK or said[1]}
        assert trouble == {}
        assert {states[name][0] for name in ("cpu", "disks", "network", "numa", "pcie", "sensors")} == {"ok"}
        return True

    wait_for("all work", work)


def check_numa_nodes(guest: Guest) -> None:
    def agree() -> bool:
        limits = guest.daemon.values("hw_numa_memory_limit_bytes")
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
            now, limit = (guest.daemon.values(f"hw_pcie_link_{metric.format(kind)}") for kind in ("", "_limit"))
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


def _disk(guest: Guest) -> Any:
    (disk,) = wait_for(
        "the disk", lambda: [d for d in guest.daemon.get("/v1/devices?kind=disk")["devices"] if d["name"] == "nvme0n1"]
    )
    return disk


def check_disk(guest: Guest) -> None:
    disk = _disk(guest)
    assert disk["facts"]["serial"] == "GUEST-NVME-0"
    assert (disk["facts"]["pci"], disk["facts"]["numa_node"]) == (guest.address, "1")
    sizes = guest.daemon.values("hw_disk_size_bytes")
    assert _of(sizes, "nvme0n1") == int(Path("/sys/block/nvme0n1/size").read_text()) * 512
    assert _of(guest.daemon.values("hw_disk_up"), "nvme0n1") == 1


def check_temperatures(guest: Guest) -> None:
    """Of the disk and of the chip on i2c, as `sensors` reads them."""
    chips = wait_for("both chips", lambda: (found := _by_sensors()) and len(found) == 2 and found)
    assert {name.partition("-")[0] for name in chips} == {"nvme", "lm75"}
    wait_for("the temperatures", lambda: _temperatures(guest) == {n.partition("-")[0]: t for n, t in chips.items()})
    guest.set_temperature(85)
    wait_for("it is hot", lambda: _temperatures(guest)["lm75"] == 85.0)
    assert max(_by_sensors().values()) == 85.0


def _by_sensors() -> dict[str, float]:
    """The first temperature of each chip that has one."""
    said = json.loads(subprocess.run(["sensors", "-j"], capture_output=True, text=True, check=True).stdout)
    return {
        chip: float(value)
        for chip, features in said.items()
        for feature in features.values()
        if isinstance(feature, dict)
        for name, value in feature.items()
        if name == "temp1_input"
    }


def _temperatures(guest: Guest) -> dict[str, float]:
    return {
        chip: value
        for labels, value in guest.daemon.values("hw_temperature_celsius").items()
        for chip in ("nvme", "lm75")
        if chip in labels
    }


def check_firmware(guest: Guest) -> None:
    disk = _disk(guest)
    said = subprocess.run(["nvme", "id-ctrl", "-o", "json", "/dev/nvme0"], capture_output=True, text=True, check=True)
    identity = json.loads(said.stdout)
    assert disk["facts"]["firmware"] == identity["fr"].strip()
    assert (disk["facts"]["model"], disk["facts"]["serial"]) == (identity["mn"].strip(), identity["sn"].strip())


def check_pcie_errors(guest: Guest) -> None:
    """Injected into the card as its root port would report them; the kernel counts them, and recovers. The second comes
    when the first is counted: the port's interrupt is injected too, and that fails with EBUSY until the one before it
    was handled (kernel/irq/resend.c check_irq_resend)."""
    (card,) = [path.resolve() for path in Path("/sys/bus/pci/drivers/e1000e").glob("*:*")]
    zero = {("correctable",): 0, ("nonfatal",): 0, ("fatal",): 0}
    wait_for("counters", lambda: _errors(guest, card.name) == zero)
    _inject(card.name, correctable=AER_BAD_TLP)
    wait_for("the first is counted", lambda: _counted(card, "correctable") == 1)
    _inject(card.name, uncorrectable=AER_COMPLETION_TIMEOUT)

    def agree() -> bool:
        totals = {(severity,): _counted(card, severity) for severity in ("correctable", "nonfatal", "fatal")}
        assert totals == {**zero, ("correctable",): 1, ("nonfatal",): 1}
        assert _errors(guest, card.name) == totals
        return True

    wait_for("both are counted", agree)
    events = {e["attributes"]["severity"]: e for e in guest.daemon.events() if e["kind"] == "PCIe error"}
    assert {event["device"] for event in events.values()} == {card.name}
    assert (events["correctable"]["attributes"]["BadTLP"], events["nonfatal"]["attributes"]["CmpltTO"]) == ("1", "1")


def _counted(card: Path, severity: str) -> int:
    """By the kernel: the last line of the file is the total."""
    return int((card / f"aer_dev_{severity}").read_text().split()[-1])


def _errors(guest: Guest, address: str) -> dict[tuple[str, ...], Any]:
    values = guest.daemon.values("hw_pcie_aer_errors_total")
    return {
        tuple(label for label in labels if label != address): v for labels, v in values.items() if address in labels
    }


def _inject(address: str, *, correctable: int = 0, uncorrectable: int = 0) -> None:
    """struct aer_error_inj of drivers/pci/pcie/aer_inject.c: where, what, the header of the packet, the domain."""
    domain, bus, place = address.split(":")
    device, _, function = place.partition(".")
    where = (int(bus, 16), int(device, 16), int(function, 16))
    data = struct.pack("=3BxII4II", *where, uncorrectable, correctable, 0, 0, 0, 0, int(domain, 16))
    Path("/dev/aer_inject").write_bytes(data)


def check_display(guest: Guest) -> None:
    """udev's link by path names the function that the daemon lists."""
    (link,) = Path("/dev/dri/by-path").glob("*-card")
    address = link.name.removeprefix("pci-").removesuffix("-card")
    facts = wait_for("the function", lambda: guest.daemon.get(f"/v1/devices/{address}"))["facts"]
    assert (facts["class"], facts["driver"]) == ("display", "virtio-pci")


CHECKS: dict[str, Callable[[Guest], None]] = {
    name.removeprefix("check_"): check for name, check in list(globals().items()) if name.startswith("check_")
}


if __name__ == "__main__":
    sys.exit(report(CHECKS, Guest()))
