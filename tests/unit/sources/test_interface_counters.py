# SPDX-License-Identifier: MIT
from __future__ import annotations

import errno
from pathlib import Path

import pytest

from hwinfod.errors import Gone, ParseError, ReadError
from hwinfod.sources import interface_counters
from hwinfod.sources.files import Roots
from hwinfod.sources.interface_counters import CounterReader, FileCounters, NetlinkCounters, open_counters
from hwinfod.sources.proc_net_dev import InterfaceCounters
from hwinfod.sources.rtnetlink import LinkStats
from tests.support.sysfs import put

ZERO = InterfaceCounters(*[0] * 12)
STATS = (0,) * 21
LATER = (1,) * 21
HEADER = b"Inter-|   Receive\n face |bytes\n"
LINE = b" eth0: 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16\n"


class Kernel:
    """Interfaces by index, as RTM_GETSTATS and if_indextoname(3) tell of them."""

    def __init__(self, **names: int) -> None:
        self.names = {index: name for name, index in names.items()}
        self.unnamed: set[int] = set()
        self.asked = 0
        self.refusal = errno.ENODEV

    def read(self) -> dict[int, LinkStats]:
        return dict.fromkeys(sorted({*self.names, *self.unnamed}), STATS)

    def read_some(self, indexes: list[int]) -> dict[int, LinkStats]:
        if not set(indexes) <= self.names.keys():
            raise ReadError("rtnetlink RTM_GETSTATS", self.refusal)
        return dict.fromkeys(indexes, LATER)

    def name_of(self, index: int) -> str:
        self.asked += 1
        if index not in self.names:
            raise OSError(6, "No such device or address")
        return self.names[index]

    def close(self) -> None: ...


def look(reader: CounterReader) -> tuple[set[str], set[str]]:
    names, new = reader.read()
    return set(names), new


def reader_of(kernel: Kernel) -> NetlinkCounters:
    return NetlinkCounters(kernel, kernel.name_of)  # type: ignore[arg-type]


def test_a_name_is_asked_for_once() -> None:
    kernel = Kernel(lo=1, eth0=2)
    reader = reader_of(kernel)
    assert look(reader) == ({"lo", "eth0"}, {"lo", "eth0"})
    assert look(reader) == ({"lo", "eth0"}, set())
    assert kernel.asked == 2
    assert reader.counters("eth0") == ZERO


def test_some_are_asked_for_without_the_rest() -> None:
    kernel = Kernel(lo=1, eth0=2)
    reader = reader_of(kernel)
    reader.read()
    assert reader.refresh(["eth0"])
    assert (reader.counters("eth0").receive_bytes, reader.counters("lo")) == (1, ZERO)
    kernel.names = {1: "lo", 7: "eth0"}
    assert not reader.refresh(["eth0"]), "another one has the name by now"
    kernel.refusal = errno.ENOBUFS
    with pytest.raises(ReadError, match="buffer space"):
        reader.refresh(["eth0"])


def test_one_that_came_back_is_new() -> None:
    kernel = Kernel(lo=1, eth0=2)
    reader = reader_of(kernel)
    reader.read()
    kernel.names = {1: "lo", 7: "eth0"}
    assert look(reader) == ({"lo", "eth0"}, {"eth0"})


def test_a_new_name_is_new() -> None:
    kernel = Kernel(lo=1, eth0=2)
    reader = reader_of(kernel)
    reader.read()
    kernel.names[2] = "ens1"
    assert look(reader) == ({"lo", "eth0"}, set())
    reader.check_names()
    assert look(reader) == ({"lo", "ens1"}, {"ens1"})
    reader.check_names()
    assert look(reader) == ({"lo", "ens1"}, set())


def test_two_that_swapped_their_names_are_both_new() -> None:
    kernel = Kernel(eth0=2, eth1=3)
    reader = reader_of(kernel)
    reader.read()
    kernel.names = {2: "eth1", 3: "eth0"}
    reader.check_names()
    assert look(reader) == ({"eth0", "eth1"}, {"eth0", "eth1"})


def test_one_that_leaves_before_its_name_is_known() -> None:
    kernel = Kernel(lo=1)
    kernel.unnamed = {9}
    reader = reader_of(kernel)
    assert look(reader)[0] == {"lo"}
    kernel.names[9], kernel.unnamed = "late0", set()
    assert look(reader) == ({"lo", "late0"}, {"late0"})


def test_names_that_are_no_text_do_not_reach_a_terminal() -> None:
    kernel = Kernel(**{"a\x1b[2J": 1, "b\udcff": 2})
    assert look(reader_of(kernel))[0] == {"a [2J", "b\N{REPLACEMENT CHARACTER}"}


def test_files_know_their_names(tmp_path: Path) -> None:
    put(tmp_path, {"net/dev": HEADER + LINE})
    reader = FileCounters(Roots(procfs=str(tmp_path)))
    assert look(reader) == ({"eth0"}, {"eth0"})
    assert reader.counters("eth0").receive_bytes == 1
    assert not reader.refresh(["eth0"]), "a file is read whole"
    put(tmp_path, {"net/dev": HEADER + LINE.replace(b"eth0", b"eth1") + b"eth2: broken\n"})
    assert look(reader) == ({"eth1", "eth2"}, {"eth1", "eth2"})
    with pytest.raises(ParseError):
        reader.counters("eth2")
    reader.close()


def test_our_own_host_is_asked_by_netlink_and_others_by_file(tmp_path: Path) -> None:
    own = open_counters(Roots())
    assert isinstance(own, NetlinkCounters)
    assert "lo" in own.read()[0]
    own.close()
    with pytest.raises(Gone):
        open_counters(Roots(procfs=str(tmp_path)))
    put(tmp_path, {"net/dev": HEADER + LINE})
    assert isinstance(open_counters(Roots(procfs=str(tmp_path))), FileCounters)


def test_a_sandbox_without_netlink(monkeypatch: pytest.MonkeyPatch) -> None:
    """RestrictAddressFamilies= without AF_NETLINK: socket(2) says EAFNOSUPPORT."""

    def refuse(_self: object) -> None:
        raise ReadError("rtnetlink socket", 97)

    monkeypatch.setattr(interface_counters.StatsSocket, "read", refuse)
    reader = open_counters(Roots())
    assert isinstance(reader, FileCounters)
    assert "lo" in reader.read()[0]
    reader.close()
