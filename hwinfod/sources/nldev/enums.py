# SPDX-License-Identifier: MIT
"""Commands, message types and the words for numbers that RDMA_NL_NLDEV speaks.

The words are those that iproute2's `rdma` prints, which operators know; but for physical state 4, which it
calls ARMED, as the port state beside it.
Source: include/uapi/rdma/rdma_netlink.h (enum rdma_nldev_command and below), include/rdma/ib_verbs.h
(enum ib_qp_state, ib_qp_type, ib_port_state), include/rdma/rdma_cm.h, include/uapi/rdma/rdma_user_cm.h.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

NETLINK_RDMA = 20
RDMA_NL_NLDEV = 5
NOTIFY_GROUP = 4  # RDMA_NL_GROUP_NOTIFY

COMMANDS = {
    1: "GET",
    2: "SET",
    3: "NEWLINK",
    4: "DELLINK",
    5: "PORT_GET",
    6: "SYS_GET",
    7: "SYS_SET",
    9: "RES_GET",
    10: "RES_QP_GET",
    11: "RES_CM_ID_GET",
    12: "RES_CQ_GET",
    13: "RES_MR_GET",
    14: "RES_PD_GET",
    15: "GET_CHARDEV",
    16: "STAT_SET",
    17: "STAT_GET",
    18: "STAT_DEL",
    19: "RES_QP_GET_RAW",
    20: "RES_CQ_GET_RAW",
    21: "RES_MR_GET_RAW",
    22: "RES_CTX_GET",
    23: "RES_SRQ_GET",
    24: "STAT_GET_STATUS",
    25: "RES_SRQ_GET_RAW",
    26: "NEWDEV",
    27: "DELDEV",
    28: "MONITOR",
    29: "FRMR_POOLS_GET",
    30: "FRMR_POOLS_SET",
}
COMMAND = {name: number for number, name in COMMANDS.items()}


def message_type(command: int) -> int:
    """nlmsg_type of an NLDEV command: RDMA_NL_GET_TYPE(client, op)."""
    return (RDMA_NL_NLDEV << 10) | command


PORT_STATES = ("NOP", "DOWN", "INIT", "ARMED", "ACTIVE", "ACTIVE_DEFER")
PHYSICAL_STATES = (
    "NOP",
    "SLEEP",
    "POLLING",
    "DISABLED",
    "PORT_CONFIGURATION_TRAINING",
    "LINK_UP",
    "LINK_ERROR_RECOVER",
    "PHY_TEST",
)
NODE_TYPES = ("unknown", "ca", "switch", "router", "rnic", "usnic", "usnic_udp", "unspecified")
QP_STATES = ("RESET", "INIT", "RTR", "RTS", "SQD", "SQE", "ERR")
QP_TYPES = {
    0: "SMI",
    1: "GSI",
    2: "RC",
    3: "UC",
    4: "UD",
    5: "RAW_IPV6",
    6: "RAW_ETHERTYPE",
    8: "RAW_PACKET",
    9: "XRC_INI",
    10: "XRC_TGT",
    0xFF: "DRIVER",
}
CM_STATES = (
    "IDLE",
    "ADDR_QUERY",
    "ADDR_RESOLVED",
    "ROUTE_QUERY",
    "ROUTE_RESOLVED",
    "CONNECT",
    "DISCONNECT",
    "ADDR_BOUND",
    "LISTEN",
    "DEVICE_REMOVAL",
    "DESTROYING",
)
PORT_SPACES = {0x0002: "IPoIB", 0x0106: "TCP", 0x0111: "UDP", 0x013F: "IB"}
POLL_CONTEXTS = ("DIRECT", "SOFTIRQ", "WORKQUEUE", "UNBOUND_WORKQUEUE")
SRQ_TYPES = ("BASIC", "XRC", "TM")
NETNS_MODES = ("exclusive", "shared")
COUNTER_MODES = ("none", "auto", "manual")
EVENTS = ("register", "unregister", "netdev_attach", "netdev_detach", "rename", "netdev_rename")


def word(words: Sequence[str] | Mapping[int, str], number: int | None) -> str:
    """The word for a number, "UNKNOWN(n)" for one that a newer kernel made, "" where there is none."""
    if number is None:
        return ""
    try:
        return words[number]
    except LookupError:
        return f"UNKNOWN({number})"
