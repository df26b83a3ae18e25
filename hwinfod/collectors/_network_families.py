# SPDX-License-Identifier: MIT
"""The families of the network collector, and what counts as wrong with them."""

from __future__ import annotations

from hwinfod.core.check import Check
from hwinfod.core.event import Severity
from hwinfod.core.metric import Kind, Level, Metric
from hwinfod.sources.net_interface import OPERSTATES

_LABELS = ("interface",)
_FLAPS_AN_HOUR = 4


def _counter(name: str, help_: str, columns: str, unit: str = "", level: Level = Level.STANDARD) -> Metric:
    return Metric(
        name=f"hw_network_{name}_total",
        kind=Kind.COUNTER,
        unit=unit,
        help=help_,
        source=f"rtnetlink RTM_GETSTATS, IFLA_STATS_LINK_64: {columns}; or /proc/net/dev",
        labels=_LABELS,
        level=level,
    )


# In the order of sources.proc_net_dev.InterfaceCounters.
TRAFFIC = (
    _counter("receive_bytes", "Data received.", "rx_bytes", "bytes"),
    _counter("transmit_bytes", "Data sent.", "tx_bytes", "bytes"),
    _counter("receive_packets", "Packets received.", "rx_packets", "packets", Level.DETAILED),
    _counter("transmit_packets", "Packets sent.", "tx_packets", "packets", Level.DETAILED),
    _counter("receive_errors", "Packets received broken, or lost by the hardware.", "rx_errors"),
    _counter("transmit_errors", "Packets that could not be sent.", "tx_errors"),
    _counter(
        "receive_drops",
        "Packets received and dropped by the host, or missed by the hardware for lack of room.",
        "rx_dropped + rx_missed_errors",
    ),
    _counter("transmit_drops", "Packets dropped on the way out.", "tx_dropped"),
    _counter("receive_multicast", "Multicast packets received.", "multicast", level=Level.DETAILED),
    _counter("receive_fifo_errors", "Overruns of the receive queue.", "rx_fifo_errors", level=Level.DETAILED),
    _counter(
        "receive_frame_errors",
        "Frames received with a wrong length, checksum or alignment, or that overran the receiver.",
        "rx_length_errors + rx_over_errors + rx_crc_errors + rx_frame_errors",
        level=Level.DETAILED,
    ),
    _counter(
        "transmit_carrier_errors",
        "Packets not sent because the carrier was lost, or that were aborted.",
        "tx_carrier_errors + tx_aborted_errors + tx_window_errors + tx_heartbeat_errors",
        level=Level.DETAILED,
    ),
)
UP = Metric(
    name="hw_network_up",
    kind=Kind.GAUGE,
    help="Whether the interface can carry packets (1) or not (0); absent where the driver does not say.",
    source="/sys/class/net/*/operstate",
    labels=_LABELS,
)
CARRIER_CHANGES = Metric(
    name="hw_network_carrier_changes_total",
    kind=Kind.COUNTER,
    help="How often the carrier came or went.",
    source="/sys/class/net/*/carrier_changes",
    labels=_LABELS,
)
STATE = Metric(
    name="hw_network_state",
    kind=Kind.STATE,
    help="The operational state of the interface as RFC 2863 names it.",
    source="/sys/class/net/*/operstate",
    labels=_LABELS,
    level=Level.DETAILED,
    states=OPERSTATES,
)
SPEED = Metric(
    name="hw_network_speed_bytes_per_second",
    kind=Kind.GAUGE,
    unit="bytes_per_second",
    help="Speed of the link in one direction; absent while it is down.",
    source="/sys/class/net/*/speed",
    labels=_LABELS,
    level=Level.DETAILED,
)
MTU = Metric(
    name="hw_network_mtu_bytes",
    kind=Kind.GAUGE,
    unit="bytes",
    help="Largest packet that the interface takes.",
    source="/sys/class/net/*/mtu",
    labels=_LABELS,
    level=Level.DETAILED,
)
INFO = Metric(
    name="hw_network_info",
    kind=Kind.INFO,
    help="What the interface is, and what it hangs on.",
    source="/sys/class/net/*, /sys/class/net/*/device",
    labels=("interface", "kind", "address", "driver", "pci", "numa_node", "duplex", "master"),
    level=Level.DETAILED,
)

LINK = (UP, CARRIER_CHANGES, STATE)
FACTS = (SPEED, MTU)

FLAPPING = Check(
    name="network_flapping",
    metric=CARRIER_CHANGES,
    wrong=lambda changes: changes >= _FLAPS_AN_HOUR,
    severity=Severity.WARNING,
    text="interface {interface} lost and found its carrier: {value:.0f} changes in an hour",
    remedy="hwinfoctl events; look at cable and transceiver",
    increase_seconds=3600,
)
