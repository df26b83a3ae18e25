# SPDX-License-Identifier: MIT
from __future__ import annotations

import os
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hwinfod.errors import Gone, ParseError, ReadError
from hwinfod.sources.kmsg import KernelLog, KernelRecord, parse_record


def test_record_with_its_dictionary_and_newer_fields() -> None:
    data = b"4,3345,5140900,-,caller=T1;usb 1-1: new device\n SUBSYSTEM=usb\n DEVICE=c189:1\n"
    assert parse_record(data) == KernelRecord(4, 0, 3345, 5140900, b"usb 1-1: new device")


def test_facility_tells_who_wrote() -> None:
    assert parse_record(b"6,1,2,-;from the kernel\n").is_from_kernel
    # devkmsg_write(): <14> is facility 1 (user), level 6.
    record = parse_record(b"14,1,2,-;Out of memory: forged\n")
    assert (record.is_from_kernel, record.facility, record.priority) == (False, 1, 6)


def test_what_is_not_printable_comes_back() -> None:
    assert parse_record(b"6,1,2,-;a\\x5cb\\x09c \\xzz\n").text == b"a\\b\tc \\xzz"


@pytest.mark.parametrize("data", [b"", b"text", b"6,1;text", b"a,b,c,-;text", b" SUBSYSTEM=usb\n"])
def test_garbage_is_a_parse_error(data: bytes) -> None:
    with pytest.raises(ParseError):
        parse_record(data)


@given(st.binary() | st.binary().map(lambda text: b"6,1,2,-;" + text))
def test_arbitrary_bytes(data: bytes) -> None:
    try:
        record = parse_record(data)
    except ParseError:
        return
    assert b"\n" not in data.partition(b";")[2].partition(b"\n")[0]
    assert 0 <= record.priority <= 7


@pytest.fixture
def log(tmp_path: Path) -> Iterator[tuple[KernelLog, socket.socket]]:
    """A log whose device is one end of a pair of packet sockets: one read is one record, and none does not block."""
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    ours.setblocking(False)
    path = tmp_path / "kmsg"
    path.touch()
    kernel_log = KernelLog(str(path))
    os.dup2(ours.fileno(), kernel_log.fileno(), inheritable=False)
    ours.close()
    yield kernel_log, theirs
    kernel_log.close()
    theirs.close()


def test_records_once_each_and_never_a_block(log: tuple[KernelLog, socket.socket]) -> None:
    kernel_log, device = log
    assert kernel_log.read() == []
    device.send(b"6,1,2,-;one\n")
    device.send(b"no record at all")
    device.send(b"3,2,9,-;two\n")
    assert [record.text for record in kernel_log.read()] == [b"one", b"two"]
    assert kernel_log.read() == []


def test_a_burst_is_left_for_the_next_call(log: tuple[KernelLog, socket.socket]) -> None:
    kernel_log, device = log
    for number in range(5):
        device.send(b"6,%d,2,-;text\n" % number)
    assert [record.sequence for record in kernel_log.read(limit=3)] == [0, 1, 2]
    assert [record.sequence for record in kernel_log.read(limit=3)] == [3, 4]


def test_only_what_somebody_wants_is_parsed(log: tuple[KernelLog, socket.socket]) -> None:
    kernel_log, device = log
    for text in (b"NVRM: Xid (PCI:0000:4b:00): 79", b"noise", b"Killed process 1 (a)"):
        device.send(b"4,1,2,-;" + text + b"\n")
    assert [record.text for record in kernel_log.read((b"Xid", b"Killed"))] == [
        b"NVRM: Xid (PCI:0000:4b:00): 79",
        b"Killed process 1 (a)",
    ]


def test_overwritten_records_are_counted_and_skipped(
    log: tuple[KernelLog, socket.socket], monkeypatch: pytest.MonkeyPatch
) -> None:
    kernel_log, device = log
    device.send(b"6,900,2,-;oldest left\n")
    real_read, overwritten = os.read, iter([True])

    def read(fd: int, size: int) -> bytes:
        if next(overwritten, False):
            raise BrokenPipeError(32, "overwritten")
        return real_read(fd, size)

    monkeypatch.setattr(os, "read", read)
    assert [record.sequence for record in kernel_log.read()] == [900]
    assert kernel_log.lost == 1


def test_no_device_is_gone(tmp_path: Path) -> None:
    with pytest.raises(Gone):
        KernelLog(str(tmp_path / "kmsg"))


def test_the_real_log_parses_from_its_start() -> None:
    try:
        records = KernelLog("/dev/kmsg", from_start=True).read()
    except ReadError as error:  # kernel.dmesg_restrict refuses at open, whatever the mode says
        pytest.skip(str(error))
    sequences = [record.sequence for record in records]
    assert sequences == sorted(set(sequences))
    assert any(record.is_from_kernel for record in records)
