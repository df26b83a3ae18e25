# SPDX-License-Identifier: MIT
from __future__ import annotations

import contextlib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hwinfod.errors import ParseError
from hwinfod.sources.pci_traffic import parse_disk_traffic, read_traffic
from tests.support.sysfs import put

STAT = b"    9689     5781  1253778     4334     1651    11265   637432     1555        0     1788     6102\n"


def test_a_disk() -> None:
    assert parse_disk_traffic(STAT) == 512 * (1253778 + 637432)
    for data in (b"", b"1 2 3", b"1 2 x 4 5 6 7"):
        with pytest.raises(ParseError):
            parse_disk_traffic(data)


@given(st.binary())
def test_arbitrary_bytes(data: bytes) -> None:
    with contextlib.suppress(ParseError):
        assert isinstance(parse_disk_traffic(data), int)


def test_all_that_a_function_moves(tmp_path: Path) -> None:
    function = tmp_path / "0000:1a:00.0 [x]"
    assert read_traffic(str(function)) is None
    put(function / "net/ens1/statistics", {"rx_bytes": 1000, "tx_bytes": 200, "rx_packets": 7})
    put(
        function / "infiniband/mlx5_0/ports/1/counters",
        {"port_rcv_data": 10, "port_xmit_data": 1, "port_rcv_errors": 9},
    )
    put(function / "nvme/nvme0/nvme0n1", {"stat": STAT})
    put(function / "nvme/nvme0/nvme0c0n2", {"stat": b"garbage"})
    assert read_traffic(str(function)) == 1200 + 44 + parse_disk_traffic(STAT)
