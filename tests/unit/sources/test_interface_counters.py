# SPDX-License-Identifier: MIT
from __future__ import annotations

from pathlib import Path

import pytest

from hwinfod.errors import Gone, ReadError
from hwinfod.sources import interface_counters
from hwinfod.sources.files import Roots
from hwinfod.sources.interface_counters import FileCounters, NetlinkCounters, open_counters
from hwinfod.sources.proc_net_dev import InterfaceCounters
from tests.support.sysfs import put

ZERO = InterfaceCounters(*[0] * 12)
HEADER = b"Inter-|   Receive\n face |bytes\n"
LINE = b" eth0: 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16\n"


class Kernel:
    """Interfaces by index, as RTM_GETSTATS and if_indextoname(3) tell of them."""

    def __init__(self, **names: int) -> None:
        self.names = {index: name for name, index in names.items()}
        self.unnamed: set[int] = set()
        self.asked = 0

    def read(self) -> dict[int, InterfaceCounters]:
        return dict.fromkeys(sorted({*self.names, *self.unnamed}), ZERO)

    def name_of(self, index: int) -> str:
        self.asked += 1
        if index not in self.names:
            raise OSError(6, "No such device or address")
        return self.names[index]

    def close(self) -> None: ...


def reader_of(kernel: Kernel) -> NetlinkCounters:
    return NetlinkCounters(kernel, kernel.name_of)  # type: ignore[arg-type]


def test_a_name_is_asked_for_once() -> None:
    kernel = Kernel(lo=1, eth0=2)
    reader = reader_of(kernel)
    assert reader.read() == ({"lo": ZERO, "eth0": ZERO}, {"lo", "eth0"})
    assert reader.read() == ({"lo": ZERO, "eth0": ZERO}, set())
    assert kernel.asked == 2


def test_one_that_came_back_is_new() -> None:
    kernel = Kernel(lo=1, eth0=2)
    reader = reader_of(kernel)
    reader.read()
    kernel.names = {1: "lo", 7: "eth0"}
    assert reader.read() == ({"lo": ZERO, "eth0": ZERO}, {"eth0"})


def test_a_new_name_is_new() -> None:
    kernel = Kernel(lo=1, eth0=2)
    reader = reader_of(kernel)
    reader.read()
    kernel.names[2] = "ens1"
    assert set(reader.read()[0]) == {"lo", "eth0"}
    reader.check_names()
    assert reader.read() == ({"lo": ZERO, "ens1": ZERO}, {"ens1"})


def test_one_that_leaves_before_its_name_is_known() -> None:
    kernel = Kernel(lo=1)
    kernel.unnamed = {9}
    reader = reader_of(kernel)
    assert set(reader.read()[0]) == {"lo"}
    kernel.names[9], kernel.unnamed = "late0", set()
    assert reader.read() == ({"lo": ZERO, "late0": ZERO}, {"late0"})


def test_names_that_are_no_text_do_not_reach_a_terminal() -> None:
    kernel = Kernel(**{"a\x1b[2J": 1, "b\udcff": 2})
    assert set(reader_of(kernel).read()[0]) == {"a [2J", "b\N{REPLACEMENT CHARACTER}"}


def test_files_know_their_names(tmp_path: Path) -> None:
    put(tmp_path, {"net/dev": HEADER + LINE})
    reader = FileCounters(Roots(procfs=str(tmp_path)))
    assert reader.read()[1] == {"eth0"}
    put(tmp_path, {"net/dev": HEADER + LINE.replace(b"eth0", b"eth1")})
    counters, new = reader.read()
    assert (set(counters), new) == ({"eth1"}, {"eth1"})
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
