# SPDX-License-Identifier: MIT
"""The families of the pcie collector, and what counts as wrong with them."""

from __future__ import annotations

from hwinfod.core.check import Check
from hwinfod.core.event import Severity
from hwinfod.core.metric import Kind, Level, Metric

_DEVICE = "/sys/bus/pci/devices/*"
_LABELS = ("pci", "class")
# A node has dozens of drives; what goes wrong with their links is an event and a check, and at level detailed a series.
OF_DRIVES = frozenset({"nvme"})

DEGRADED = Metric(
    name="hw_pcie_link_degraded",
    kind=Kind.GAUGE,
    help="Whether the link stays narrower or slower than both its ends can while the device works (1) or not (0);"
    " absent in a virtual machine, for sleeping devices and for those given to one.",
    source=f"{_DEVICE}/{{current,max}}_link_{{width,speed}}, and those of the port above",
    labels=_LABELS,
    aside={"class": OF_DRIVES},
)
WIDTH = Metric(
    name="hw_pcie_link_width_lanes",
    kind=Kind.GAUGE,
    help="Lanes that the link runs on.",
    source=f"{_DEVICE}/current_link_width",
    labels=_LABELS,
    level=Level.DETAILED,
)
SPEED = Metric(
    name="hw_pcie_link_speed_transfers_per_second",
    kind=Kind.GAUGE,
    unit="transfers_per_second",
    help="Transfers a second on each lane of the link: 16e9 is PCIe 4.0.",
    source=f"{_DEVICE}/current_link_speed",
    labels=_LABELS,
    level=Level.DETAILED,
)
WIDTH_LIMIT = Metric(
    name="hw_pcie_link_width_limit_lanes",
    kind=Kind.GAUGE,
    help="Lanes that both ends of the link can use.",
    source=f"{_DEVICE}/max_link_width, and that of the port above",
    labels=_LABELS,
    level=Level.DETAILED,
)
SPEED_LIMIT = Metric(
    name="hw_pcie_link_speed_limit_transfers_per_second",
    kind=Kind.GAUGE,
    unit="transfers_per_second",
    help="Transfers a second that both ends of the link can do.",
    source=f"{_DEVICE}/max_link_speed, and that of the port above",
    labels=_LABELS,
    level=Level.DETAILED,
)
AER_ERRORS = Metric(
    name="hw_pcie_aer_errors_total",
    kind=Kind.COUNTER,
    help="PCI Express errors that the device reported since boot, by what they did: mended by the link (correctable),"
    " a transaction lost (nonfatal), the link not to be trusted any more (fatal).",
    source=f"{_DEVICE}/aer_dev_{{correctable,nonfatal,fatal}}, TOTAL_ERR_*",
    labels=("pci", "severity"),
)
INFO = Metric(
    name="hw_pci_device_info",
    kind=Kind.INFO,
    help="PCI devices that compute, connect or store.",
    source=f"{_DEVICE}/{{class,vendor,device,driver,numa_node}}, /sys/bus/pci/slots",
    labels=("pci", "class", "vendor_id", "device_id", "driver", "numa_node", "slot"),
    level=Level.DETAILED,
)
LINK = (DEGRADED, WIDTH, SPEED, WIDTH_LIMIT, SPEED_LIMIT)

LINK_DEGRADED = Check(
    name="pcie_link_degraded",
    metric=DEGRADED,
    wrong=lambda degraded: degraded == 1,
    severity=Severity.WARNING,
    text="{class} {pci}: the PCIe link is narrower or slower than both ends can",
    remedy="hwinfoctl show pcie; reseat the device",
)


def _errors(severity: str, judged: Severity, at_least: int) -> Check:
    return Check(
        name=f"pcie_{severity}_errors",
        metric=AER_ERRORS,
        wrong=lambda errors: errors >= at_least,
        severity=judged,
        text="PCI device {pci}: {value:.0f} {severity} PCIe errors in an hour",
        remedy="hwinfoctl events; dmesg",
        increase_seconds=3600,
        only={"severity": severity},
    )


# A link mends a bit error now and then; a thousand an hour are a bad contact.
ERRORS = (
    _errors("fatal", Severity.CRITICAL, 1),
    _errors("nonfatal", Severity.WARNING, 1),
    _errors("correctable", Severity.WARNING, 1000),
)
