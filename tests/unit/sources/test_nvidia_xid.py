# SPDX-License-Identifier: MIT
from __future__ import annotations

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from hwinfod.errors import ParseError
from hwinfod.sources.nvidia_xid import Xid, classify, explain, parse_xid


@pytest.mark.parametrize(
    ("line", "xid"),
    [
        (
            b"NVRM: Xid (PCI:0000:1B:00): 79, pid='<unknown>', name=<unknown>, GPU has fallen off the bus.",
            Xid("0000:1b:00", 79, None, "", "GPU has fallen off the bus."),
        ),
        (
            b"NVRM: Xid (PCI:0000:3b:00): 31, pid=1042, name=python3, Ch 00000008, intr 00000000. MMU Fault",
            Xid("0000:3b:00", 31, 1042, "python3", "Ch 00000008, intr 00000000. MMU Fault"),
        ),
        (b"NVRM: Xid (PCI:0000:3b:00): 43, Ch 00000010", Xid("0000:3b:00", 43, None, "", "Ch 00000010")),
        (
            b"NVRM: Xid (PCI:0000:9b:00): 119, pid=7, name=a\x1b[31mb, Timeout after 6s of waiting for RPC response",
            Xid("0000:9b:00", 119, 7, "a [31mb", "Timeout after 6s of waiting for RPC response"),
        ),
        (
            b"nvidia-nvswitch3: SXid (PCI:0000:c1:00.0): 20034, Fatal, Link 30 LTSSM Fault Up",
            Xid("0000:c1:00.0", 20034, None, "", "Link 30 LTSSM Fault Up", is_switch=True, severity="fatal"),
        ),
        (
            b"nvidia-nvswitch0: SXid (PCI:0000:c1:00.0): 26006, SOE init Failed(0)",
            Xid("0000:c1:00.0", 26006, None, "", "SOE init Failed(0)", is_switch=True),
        ),
    ],
)
def test_lines_of_the_log(line: bytes, xid: Xid) -> None:
    assert parse_xid(line) == xid


# As in NVIDIA/nvtrust issue 124.
@pytest.mark.parametrize("line", [
    b"22013, Severity 0 Engine instance 44 Sub-engine instance 00",
    b"22013, Data {0x0000002b, 0x0000002b, 0x00000000, 0x0000002b, 0x80005302, 0x00000000, 0x00000000, 0x00000000}",
])  # fmt: skip
def test_what_follows_an_sxid_is_no_other_one(line: bytes) -> None:
    with pytest.raises(ParseError):
        parse_xid(b"nvidia-nvswitch3: SXid (PCI:0000:04:00.0): " + line)


@given(st.binary(max_size=300))
@example(b"NVRM: Xid (PCI:0000:1b:00): 79")
@example(b"NVRM: Xid (PCI:0000:1b:00): 79, pid=")
@example(b"nvidia-nvswitch0: SXid (PCI:0000:c1:00.0): 1, \xff")
def test_anything_else_is_none(tail: bytes) -> None:
    for data in (tail, b"NVRM: Xid (PCI:0000:1b:00): 79, " + tail):
        try:
            xid = parse_xid(data)
        except ParseError:
            continue
        assert xid.detail.isprintable()
        assert xid.process.isprintable()


def test_only_hardware_is_hardware() -> None:
    assert [classify(number) for number in (13, 31, 43, 48, 74, 79, 95, 119, 9999)] == [
        *["application"] * 3, *["hardware"] * 4, *["driver"] * 2,
    ]  # fmt: skip
    assert explain(79) == "the GPU has fallen off the bus"
    assert explain(9999) == ""
