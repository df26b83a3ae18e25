# SPDX-License-Identifier: MIT
"""The RDMA families, and which of the drivers' counters each is made of.

Drivers name their counters as they like. Everything is recorded under its own name (hw_rdma_hw_counter_total);
what operators alert on is also gathered in families whose labels mean the same on every card.
Source: Documentation/ABI/stable/sysfs-class-infiniband; drivers/infiniband/hw: mlx5/counters.c, bnxt_re/hw_counters.c,
irdma/verbs.c, efa/efa_verbs.c; drivers/infiniband/sw/rxe/rxe_hw_counters.c.
"""

from __future__ import annotations

from hwinfod.core.check import Check
from hwinfod.core.event import Severity
from hwinfod.core.metric import Kind, Level, Metric
from hwinfod.sources.nldev.enums import PHYSICAL_STATES, PORT_STATES

_PORT = ("device", "port")
_PRIORITY = (*_PORT, "priority")
_COUNTERS = "/sys/class/infiniband/*/ports/*/counters"
_HW_COUNTERS = "RDMA netlink STAT_GET, attribute STAT_HWCOUNTERS (80)"
_PORT_GET = "RDMA netlink PORT_GET"
_SCAN = "RDMA netlink RES_QP_GET, RES_MR_GET and their like"
_ETHTOOL = "ioctl SIOCETHTOOL, ETHTOOL_GSTATS"


def _counter(
    name: str, help_: str, source: str, *, labels: tuple[str, ...] = _PORT, unit: str = "", detailed: bool = False
) -> Metric:
    level = Level.DETAILED if detailed else Level.STANDARD
    return Metric(
        name=name, kind=Kind.COUNTER, help=help_, source=source, unit=unit, labels=labels, level=level
    )  # fmt: skip


PORT_INFO = Metric(
    name="hw_rdma_port_info",
    kind=Kind.INFO,
    help="What the port is.",
    source="/sys/class/infiniband/*, RDMA netlink GET and PORT_GET",
    labels=(*_PORT, "link_layer", "guid", "lid", "netdev", "pci", "numa_node", "firmware"),
)
SYSTEM_INFO = Metric(
    name="hw_rdma_system_info",
    kind=Kind.INFO,
    help="Whether RDMA devices are shared by all network namespaces or belong to one each (exclusive): then a device"
    " that moved into a container is not seen here any more.",
    source="RDMA netlink SYS_GET, attribute NETNS_MODE (66)",
    labels=("netns_mode",),
)
UP = Metric(
    name="hw_rdma_port_up",
    kind=Kind.GAUGE,
    help="Whether the port is ACTIVE (1).",
    source=f"{_PORT_GET}, attribute PORT_STATE (12)",
    labels=_PORT,
)
STATE = Metric(
    name="hw_rdma_port_state",
    kind=Kind.STATE,
    help="Logical state of the port.",
    source=f"{_PORT_GET}, attribute PORT_STATE (12)",
    labels=_PORT,
    level=Level.DETAILED,
    states=tuple(state.lower() for state in PORT_STATES),
)
PHYSICAL_STATE = Metric(
    name="hw_rdma_port_physical_state",
    kind=Kind.STATE,
    help="Physical state of the port.",
    source=f"{_PORT_GET}, attribute PORT_PHYS_STATE (13)",
    labels=_PORT,
    level=Level.DETAILED,
    states=tuple(state.lower() for state in PHYSICAL_STATES),
)
RATE = Metric(
    name="hw_rdma_port_rate_bytes_per_second",
    kind=Kind.GAUGE,
    unit="bytes_per_second",
    help="Rate of the link, in one direction.",
    source="/sys/class/infiniband/*/ports/*/rate",
    labels=_PORT,
    level=Level.DETAILED,
)
LINK_TRANSITIONS = _counter(
    "hw_rdma_link_transitions_total",
    "Times that the port lost its link.",
    f"{_COUNTERS}/link_downed; RoCE: /sys/class/net/*/carrier_down_count",
)
SATURATED = Metric(
    name="hw_rdma_port_saturated_counters",
    kind=Kind.GAUGE,
    help="Counters that stand at the most that their register holds, and count no more until they are reset.",
    source=_COUNTERS,
    labels=_PORT,
    level=Level.DETAILED,
)
FIXED = (UP, STATE, PHYSICAL_STATE, RATE, LINK_TRANSITIONS, SATURATED)

HW_COUNTER = _counter(
    "hw_rdma_hw_counter_total",
    "Any counter of a port under the kernel's own name, data in bytes; without port, of the whole device.",
    f"{_HW_COUNTERS}, {_COUNTERS}",
    labels=(*_PORT, "counter"),
    detailed=True,
)
ERRORS = _counter(
    "hw_rdma_port_errors_total",
    "Errors of link, port and transport, by the kernel's name of the counter.",
    f"{_COUNTERS}, {_HW_COUNTERS}",
    labels=(*_PORT, "error"),
)
RETRANSMITS = _counter(
    "hw_rdma_retransmits_total",
    "Times that a requester had to send again, by cause.",
    _HW_COUNTERS,
    labels=(*_PORT, "cause"),
)
CONGESTION = _counter(
    "hw_rdma_congestion_total",
    "Signs of congestion: ECN marks, congestion notifications, receivers out of buffers.",
    _HW_COUNTERS,
    labels=(*_PORT, "kind"),
)

# Families of one series a port: the metric, then where it comes from, the first that the port has.
# "counters/" is the port's management agent; a name alone is a counter of the driver.
SINGLE: tuple[tuple[Metric, tuple[str, ...]], ...] = (
    (
        _counter("hw_rdma_port_receive_bytes_total", "Data received.", f"{_COUNTERS}/port_rcv_data", unit="bytes"),
        ("counters/port_rcv_data", "rx_bytes"),
    ),
    (
        _counter("hw_rdma_port_transmit_bytes_total", "Data sent.", f"{_COUNTERS}/port_xmit_data", unit="bytes"),
        ("counters/port_xmit_data", "tx_bytes"),
    ),
    (
        _counter(
            "hw_rdma_port_receive_packets_total",
            "Packets received.",
            f"{_COUNTERS}/port_rcv_packets",
            unit="packets",
            detailed=True,
        ),
        ("counters/port_rcv_packets", "rx_pkts", "rcvd_pkts"),
    ),
    (
        _counter(
            "hw_rdma_port_transmit_packets_total",
            "Packets sent.",
            f"{_COUNTERS}/port_xmit_packets",
            unit="packets",
            detailed=True,
        ),
        ("counters/port_xmit_packets", "tx_pkts", "sent_pkts"),
    ),
    (
        _counter(
            "hw_rdma_port_transmit_wait_total",
            "Ticks of the port's own clock in which there was data to send and no credit to send it.",
            f"{_COUNTERS}/port_xmit_wait",
            detailed=True,
        ),
        ("counters/port_xmit_wait",),
    ),
)

# Families with a label: counter to label value.
LABELLED: tuple[tuple[Metric, dict[str, str]], ...] = (
    (
        ERRORS,
        {
            "counters/symbol_error": "symbol_error",
            "counters/link_error_recovery": "link_error_recovery",
            "counters/local_link_integrity_errors": "local_link_integrity_errors",
            "counters/excessive_buffer_overrun_errors": "excessive_buffer_overrun_errors",
            "counters/port_rcv_errors": "port_rcv_errors",
            "counters/port_xmit_discards": "port_xmit_discards",
            "rx_icrc_encapsulated": "rx_icrc_encapsulated",
            "req_cqe_error": "req_cqe_error",
            "resp_cqe_error": "resp_cqe_error",
            "rnr_nak_retry_err": "rnr_nak_retry_err",  # mlx5: the queue pair is dead
            "max_retry_exceeded": "max_retry_exceeded",  # bnxt_re
            "retry_exceeded_err": "retry_exceeded_err",  # rxe
            "retry_rnr_exceeded_err": "retry_rnr_exceeded_err",
            "send_err": "send_err",
        },
    ),
    (
        RETRANSMITS,
        {
            "local_ack_timeout_err": "ack_timeout",
            "to_retransmits": "ack_timeout",  # bnxt_re
            "retrans_timeout_events": "ack_timeout",  # efa
            "packet_seq_err": "sequence_error",
            "seq_err_naks_rcvd": "sequence_error",  # bnxt_re
            "rcvd_seq_err": "sequence_error",  # rxe
            "implied_nak_seq_err": "implied_nak",
            "rnr_naks_rcvd": "receiver_not_ready",  # bnxt_re
            "rcvd_rnr_err": "receiver_not_ready",  # rxe
        },
    ),
    (
        CONGESTION,
        {
            "np_ecn_marked_roce_packets": "ecn_marked",
            "rx_ecn_marked_pkts": "ecn_marked",  # bnxt_re
            "RxECNMrkd": "ecn_marked",  # irdma
            "np_cnp_sent": "cnp_sent",
            "tx_cnp_pkts": "cnp_sent",
            "cnpSent": "cnp_sent",
            "rp_cnp_handled": "cnp_handled",
            "rx_cnp_pkts": "cnp_handled",
            "cnpHandled": "cnp_handled",
            "rp_cnp_ignored": "cnp_ignored",
            "cnpIgnored": "cnp_ignored",
            "out_of_buffer": "out_of_buffer",
            "roce_slow_restart": "slow_restart",
        },
    ),
)

RESOURCES = Metric(
    name="hw_rdma_resources",
    kind=Kind.GAUGE,
    help="Objects of the device by type: queue pairs (qp), completion queues (cq), memory regions (mr) and others.",
    source="RDMA netlink RES_GET",
    labels=("device", "type"),
    level=Level.DETAILED,
)
QPS = Metric(
    name="hw_rdma_qps",
    kind=Kind.GAUGE,
    help="Queue pairs by type and state.",
    source=f"{_SCAN}, attributes RES_TYPE (26) and RES_STATE (27)",
    labels=("device", "type", "state"),
    level=Level.DETAILED,
)
MR_BYTES = Metric(
    name="hw_rdma_mr_bytes",
    kind=Kind.GAUGE,
    unit="bytes",
    help="Memory registered with the device, counted as often as it is registered.",
    source=f"{_SCAN}, attribute RES_MRLEN (45)",
    labels=("device",),
    level=Level.DETAILED,
)
SCAN_AGE = Metric(
    name="hw_rdma_resources_age_seconds",
    kind=Kind.GAUGE,
    unit="seconds",
    help="How old the last complete look at all objects is; a long list is read over several seconds.",
    source=_SCAN,
    level=Level.DETAILED,
)

RECEIVE_PAUSES = _counter(
    "hw_rdma_priority_receive_pauses_total", "PFC pause frames received.", _ETHTOOL, labels=_PRIORITY, detailed=True
)
TRANSMIT_PAUSES = _counter(
    "hw_rdma_priority_transmit_pauses_total", "PFC pause frames sent.", _ETHTOOL, labels=_PRIORITY, detailed=True
)
RECEIVE_PAUSE_SECONDS = _counter(
    "hw_rdma_priority_receive_pause_seconds_total",
    "Time for which received pauses kept the priority from sending.",
    _ETHTOOL,
    labels=_PRIORITY,
    unit="seconds",
    detailed=True,
)
TRANSMIT_PAUSE_SECONDS = _counter(
    "hw_rdma_priority_transmit_pause_seconds_total",
    "Time for which the far end was paused; close to a second a second is a pause storm.",
    _ETHTOOL,
    labels=_PRIORITY,
    unit="seconds",
    detailed=True,
)
DISCARDS = _counter(
    "hw_rdma_priority_discards_total",
    "Received packets discarded for want of buffers.",
    _ETHTOOL,
    labels=_PRIORITY,
    detailed=True,
)
ECN_MARKED = _counter(
    "hw_rdma_priority_ecn_marked_total", "Packets marked with ECN.", _ETHTOOL, labels=_PRIORITY, detailed=True
)

METRICS = (
    *(PORT_INFO, SYSTEM_INFO, *FIXED, HW_COUNTER),
    *(metric for metric, _ in SINGLE),
    *(metric for metric, _ in LABELLED),
    *(RESOURCES, QPS, MR_BYTES, SCAN_AGE),
    *(RECEIVE_PAUSES, TRANSMIT_PAUSES, RECEIVE_PAUSE_SECONDS, TRANSMIT_PAUSE_SECONDS, DISCARDS, ECN_MARKED),
)

CHECKS = (
    Check(
        name="rdma_link_flaps",
        metric=LINK_TRANSITIONS,
        wrong=lambda increase: increase >= 3,
        severity=Severity.WARNING,
        text="RDMA port {device}/{port} lost its link {value:.0f} times in ten minutes",
        remedy="look at cable and transceiver: hwinfoctl rdma",
        increase_seconds=600,
    ),
    Check(
        name="rdma_counter_saturated",
        metric=SATURATED,
        wrong=lambda count: count > 0,
        severity=Severity.INFO,
        text="{value:.0f} counters of RDMA port {device}/{port} are at their maximum and count no more",
        remedy="perfquery -R resets them",
    ),
)
