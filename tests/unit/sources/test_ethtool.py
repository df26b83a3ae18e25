# SPDX-License-Identifier: MIT
from __future__ import annotations

import contextlib
import errno
import subprocess
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hwinfod.errors import Gone, NotProvided, ParseError, ReadError
from hwinfod.sources.ethtool import EthtoolSocket, Statistics, parse_names
from tests.support.ethtool import GSSET_INFO, GSTATS, GSTRINGS, Driver
from tests.support.netns import isolated

MLX5 = {"rx_packets": 10, "rx_prio0_pause": 3, "rx_prio3_pause": 2**64 - 1, "tx_prio3_pause": 0, "rx0_packets": 7}


def is_pause(name: str) -> bool:
    return name.endswith("_pause")


@pytest.fixture
def driver() -> Driver:
    return Driver({"ens1np0": dict(MLX5), "lo": {}})


def test_wanted_statistics_are_read(driver):
    statistics = Statistics(driver, "ens1np0", is_pause)
    assert statistics.read() == [3, 2**64 - 1, 0]
    assert statistics.names == ("rx_prio0_pause", "rx_prio3_pause", "tx_prio3_pause")
    driver.statistics["ens1np0"]["rx_prio0_pause"] = 4
    assert statistics.read() == [4, 2**64 - 1, 0]


def test_names_are_asked_once(driver):
    statistics = Statistics(driver, "ens1np0", is_pause)
    for _ in range(3):
        statistics.read()
    assert driver.calls.count(GSTRINGS) == 1
    assert driver.calls.count(GSTATS) == 3


def test_more_queues_are_learned_anew(driver):
    statistics = Statistics(driver, "ens1np0", is_pause)
    statistics.read()
    driver.statistics["ens1np0"] = {"rx1_packets": 1, "rx2_packets": 2, **MLX5, "rx_prio7_pause": 9}
    values = statistics.read()
    assert dict(zip(statistics.names, values)) == {
        "rx_prio0_pause": 3, "rx_prio3_pause": 2**64 - 1, "tx_prio3_pause": 0, "rx_prio7_pause": 9,
    }  # fmt: skip


def test_queues_that_come_between_count_and_reading_do_not_overrun(driver):
    class Growing(Driver):
        def __call__(self, interface, buffer):
            super().__call__(interface, buffer)
            if self.calls[-1] == GSSET_INFO:
                self.statistics[interface].update({f"rx{queue}_bytes": queue for queue in range(4000)})

    statistics = Statistics(Growing({"ens1np0": dict(MLX5)}), "ens1np0", is_pause)
    assert statistics.read() == [3, 2**64 - 1, 0]  # the test's driver raises where the buffer is too small


def test_an_interface_without_statistics_has_none(driver):
    statistics = Statistics(driver, "lo", is_pause)
    assert statistics.read() == []
    assert statistics.names == ()


def test_nothing_wanted_asks_no_values(driver):
    assert Statistics(driver, "ens1np0", lambda name: False).read() == []
    assert GSTATS not in driver.calls


def test_an_interface_that_left_and_came_back(driver):
    statistics = Statistics(driver, "ens1np0", is_pause)
    statistics.read()
    gone = driver.statistics.pop("ens1np0")
    with pytest.raises(Gone) as caught:
        statistics.read()
    assert caught.value.errno == errno.ENODEV
    driver.statistics["ens1np0"] = gone
    assert statistics.read() == [3, 2**64 - 1, 0]


def test_an_impossible_count_is_refused():
    class Mad(Driver):
        def __call__(self, interface, buffer):
            buffer[1] = 2
            buffer[2] = 0xFFFFFFFF

    with pytest.raises(ParseError, match="4294967295"):
        Statistics(Mad({}), "ens1np0", is_pause).read()


@given(st.binary(max_size=200), st.integers(0, 10))
def test_any_bytes_are_names_or_a_parse_error(data, count):
    with contextlib.suppress(ParseError):
        assert len(parse_names(data, count)) == count


def test_the_kernel_answers():
    """The loopback of this machine: a driver without statistics or with few, but never a crash."""
    kernel = EthtoolSocket()
    try:
        statistics = Statistics(kernel, "lo", lambda name: True)
        with contextlib.suppress(NotProvided):
            assert len(statistics.read()) == len(statistics.names)
        with pytest.raises(ReadError) as caught:
            Statistics(kernel, "nonexistent0", is_pause).read()
        assert caught.value.errno == errno.ENODEV
    finally:
        kernel.close()


@pytest.mark.tier("netns")
@isolated
def test_a_real_driver_is_read() -> None:
    """A veth pair counts, among others, what passes its XDP hooks by queue."""
    subprocess.run(["ip", "link", "add", "name", "v0", "type", "veth", "peer", "name", "v1"], check=True)
    index = int(Path("/sys/class/net/v1/ifindex").read_text())
    kernel = EthtoolSocket()
    statistics = Statistics(kernel, "v0", lambda name: name == "peer_ifindex" or name.startswith("rx_queue_0_"))
    read = statistics.read()
    values = dict(zip(statistics.names, read))
    kernel.close()
    assert values["peer_ifindex"] == index
    assert values["rx_queue_0_xdp_packets"] == 0
