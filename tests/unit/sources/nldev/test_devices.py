# SPDX-License-Identifier: MIT
"""Replies that soft-RoCE does not give, made by hand: InfiniBand, newer kernels, missing and foreign attributes."""

from __future__ import annotations

import pytest

from hwinfod.errors import ParseError
from hwinfod.sources.nldev import devices, enums
from hwinfod.sources.nldev.tree import format_guid
from tests.support.netlink import attribute, device, table, text, u8, u32, u64


def test_a_device_of_a_newer_kernel():
    payload = (
        device(4, "mlx5_4")
        + u32("PORT_INDEX", 1)
        + u64("CAP_FLAGS", 0x1425321C36, padded=True)
        + text("FW_VERSION", "20.40.1000")
        + u64("NODE_GUID", 0x98039BFFFE123456)
        + u8("DEV_NODE_TYPE", 1)
        + u8("DEV_DIM", 1)
        + text("DEV_PROTOCOL", "ib")
        + u8("DEV_TYPE", 1)
        + text("PARENT_NAME", "mlx5_0")
        + attribute(999, b"from the future")
    )
    found = devices.parse_device(payload)
    assert (found.device_index, found.name, found.firmware, found.parent) == (4, "mlx5_4", "20.40.1000", "mlx5_0")
    assert format_guid(found.guid) == "9803:9bff:fe12:3456"
    assert found.capabilities == 0x1425321C36


def test_an_infiniband_port_has_addresses_of_its_fabric():
    payload = (
        device(0, "mlx5_0")
        + u32("PORT_INDEX", 2)
        + u64("SUBNET_PREFIX", 0xFE80000000000000)
        + u32("LID", 17)
        + u32("SM_LID", 1)
        + u8("LMC", 0)
        + u8("PORT_STATE", 1)
        + u8("PORT_PHYS_STATE", 3)
    )
    port = devices.parse_port(payload)
    assert (port.number, port.lid, port.sm_lid, port.lid_mask_count) == (2, 17, 1, 0)
    assert (enums.PORT_STATES[port.state], enums.PHYSICAL_STATES[port.physical_state]) == ("DOWN", "DISABLED")
    assert port.interface is None


def test_exclusive_network_namespaces_and_monitoring_are_told():
    system = devices.parse_system(u8("NETNS_MODE", 0) + u8("MONITOR_MODE", 1))
    assert enums.NETNS_MODES[system.netns_mode] == "exclusive"
    assert (system.monitor, system.copy_on_fork) == (1, None)


def test_a_notification():
    payload = u8("EVENT_TYPE", 2) + device(1, "mlx5_1") + u32("PORT_INDEX", 1) + u32("NDEV_INDEX", 7)
    event = devices.parse_event(payload)
    assert enums.EVENTS[event.kind] == "netdev_attach"
    assert (event.device_index, event.device, event.port, event.interface_index, event.interface) == (
        1, "mlx5_1", 1, 7, None,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("parse", "payload", "said"),
    [
        (devices.parse_device, b"", "device without its index or name"),
        (devices.parse_port, device(0, "a"), "port without its index or name"),
        (devices.parse_event, device(0, "a"), "event without"),
        (devices.parse_summary, text("DEV_NAME", "a"), "summary without"),
        (
            devices.parse_summary,
            device(0, "a") + table("RES_SUMMARY", table("RES_SUMMARY_ENTRY", text("RES_SUMMARY_ENTRY_NAME", "qp"))),
            "without name or count",
        ),
        (devices.parse_device, attribute(1, b"\x01") + text("DEV_NAME", "a"), "DEV_INDEX.*1 bytes, 4 expected"),
        (devices.parse_device, u32("DEV_INDEX", 1)[:-1], "7 bytes are left"),
        (devices.parse_device, b"\x00\x00\x01\x00", "length 0"),
    ],
)
def test_what_is_missing_or_broken_is_said(parse, payload, said):
    with pytest.raises(ParseError, match=said):
        parse(payload)


def test_words_for_numbers_of_the_future():
    assert enums.word(enums.QP_STATES, 3) == "RTS"
    assert enums.word(enums.QP_STATES, 77) == "UNKNOWN(77)"
    assert enums.word(enums.QP_TYPES, 7) == "UNKNOWN(7)"
    assert enums.word(enums.QP_TYPES, None) == ""
