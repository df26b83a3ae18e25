# SPDX-License-Identifier: MIT
from __future__ import annotations

import contextlib
import shutil
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hwinfod.errors import ParseError
from hwinfod.sources.files import Roots
from hwinfod.sources.infiniband import (
    Gid,
    PortFiles,
    PortState,
    Rate,
    list_devices,
    list_nodes,
    parse_gid,
    parse_numbered,
    parse_rate,
    read_device,
    read_gids,
    read_port_facts,
)
from hwinfod.sources.infiniband_counters import CounterFiles, in_base_unit, parse_counter, saturation

CAPTURED = Path(__file__).parents[2] / "fixtures" / "rdma" / "sysfs"
EMPTY_GID = "0000:0000:0000:0000:0000:0000:0000:0000"


def put(directory: Path, files: dict[str, object]) -> None:
    for name, content in files.items():
        path = directory / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"{content}\n")


@pytest.fixture
def roots(tmp_path: Path) -> Roots:
    """The captured soft-RoCE device and one ConnectX with two InfiniBand ports, the second one down."""
    shutil.copytree(CAPTURED, tmp_path, dirs_exist_ok=True)
    pci = tmp_path / "devices/pci0000:16/0000:16:01.0/0000:17:00.0"
    device = pci / "infiniband/mlx5_7"
    put(pci, {"numa_node": 1, "net/ib0/dev_port": 0, "net/ib1/dev_port": 1})
    put(
        device,
        {
            "node_type": "1: CA",
            "node_guid": "9803:9bff:fe12:3456",
            "sys_image_guid": "9803:9bff:fe12:3450",
            "node_desc": "gpu-17 mlx5_7",
            "fw_ver": "20.40.1000",
            "hca_type": "MT4123",
            "board_id": "MT_0000000223",
        },
    )
    for port in (1, 2):
        put(
            device / f"ports/{port}",
            {
                "link_layer": "InfiniBand",
                "state": "4: ACTIVE" if port == 1 else "1: DOWN",
                "phys_state": "5: LinkUp" if port == 1 else "3: Disabled",
                "rate": "200 Gb/sec (4X HDR)" if port == 1 else "10 Gb/sec (4X SDR)",
                "lid": "0x11" if port == 1 else "0xffff",
                "sm_lid": "0x1",
                "gids/0": f"fe80:0000:0000:0000:9803:9bff:fe12:345{5 + port}",
                **{f"gids/{index}": EMPTY_GID for index in range(1, 20)},
            },
        )
    (device / "device").symlink_to("../..")
    (pci / "driver").symlink_to("../../../../bus/pci/drivers/mlx5_core")
    (tmp_path / "class/infiniband/mlx5_7").symlink_to(device)
    put(
        tmp_path / "class",
        {
            "infiniband_verbs/uverbs0/ibdev": "mlx5_7",
            "infiniband_verbs/uverbs4/ibdev": "rxe0",
            "infiniband_verbs/abi_version": "6",
            "infiniband_mad/umad2/ibdev": "mlx5_7",
            "infiniband_mad/issm2/ibdev": "mlx5_7",
        },
    )
    return Roots(sysfs=str(tmp_path))


def device_of(roots: Roots, name: str):
    return read_device(roots, name, list_nodes(roots))


def test_the_captured_device(roots):
    device = device_of(roots, "rxe0")
    assert (device.node_type, device.guid, device.ports) == ("CA", "1cdc:01ff:fe62:e54c", (1,))
    assert (device.firmware, device.board_id, device.pci_address, device.driver) == ("", "", "", "")
    assert (device.numa_node, device.is_virtual_function) == (None, False)
    facts = read_port_facts(device, 1)
    assert facts.gids == (
        Gid(0, "fe80::1cdc:1ff:fe62:e54c", "RoCE v2", "veth0"),
        Gid(1, "::ffff:10.9.0.1", "RoCE v2", "veth0"),
    )
    assert (facts.link_layer, facts.lid, facts.interface) == ("Ethernet", None, "veth0")
    assert PortFiles(device, 1).read() == PortState(4, 5, Rate(10_000_000_000, 1, "FDR10"))
    files = CounterFiles(f"{device.directory}/ports/1/hw_counters")
    counters = dict(zip(files.names, files.read()))
    assert (counters["sent_pkts"], counters["rcvd_pkts"], counters["link_downed"]) == (351956, 187206, 1)
    assert len(counters) == 15
    assert "lifespan" not in counters
    assert CounterFiles(f"{device.directory}/ports/1/counters").names == ()


def test_an_infiniband_adapter(roots):
    assert list_devices(roots) == ["mlx5_7", "rxe0"]
    device = device_of(roots, "mlx5_7")
    assert (device.pci_address, device.driver, device.numa_node) == ("0000:17:00.0", "mlx5_core", 1)
    assert (device.firmware, device.hca_type, device.board_id) == ("20.40.1000", "MT4123", "MT_0000000223")
    assert device.ports == (1, 2)
    first, second = read_port_facts(device, 1), read_port_facts(device, 2)
    assert (first.lid, first.sm_lid, first.guid, first.interface) == (17, 1, "9803:9bff:fe12:3456", "ib0")
    assert (second.interface, second.gids[0].address) == ("ib1", "fe80::9803:9bff:fe12:3457")
    assert PortFiles(device, 1).read() == PortState(4, 5, Rate(200_000_000_000, 4, "HDR"))
    assert PortFiles(device, 2).read().state == 1


def test_a_node_belongs_to_the_device_that_it_names(roots):
    assert list_nodes(roots) == {"mlx5_7": ["uverbs0", "issm2", "umad2"], "rxe0": ["uverbs4"]}
    assert device_of(roots, "rxe0").nodes == ("uverbs4",)


def test_a_virtual_function_says_so(roots):
    pci = Path(device_of(roots, "mlx5_7").pci_directory)
    (pci / "physfn").symlink_to("../0000:17:00.1")
    assert device_of(roots, "mlx5_7").is_virtual_function


def test_a_device_that_left(roots):
    assert read_device(roots, "mlx5_9", {}) is None
    device = device_of(roots, "mlx5_7")
    files, counters = PortFiles(device, 1), CounterFiles(f"{device.directory}/ports/1/counters")
    shutil.rmtree(device.directory)
    assert files.read() == PortState(None, None, None)
    assert counters.read() == []
    assert read_port_facts(device, 1).gids == ()


def test_a_host_without_the_class(tmp_path):
    roots = Roots(sysfs=str(tmp_path))
    assert list_devices(roots) == []
    assert list_nodes(roots) == {}


def test_a_long_table_of_gids_is_left_at_its_empty_end(tmp_path):
    put(tmp_path, {f"gids/{index}": EMPTY_GID for index in range(1024)})
    put(tmp_path, {"gids/3": "0000:0000:0000:0000:0000:ffff:0a09:0001", "gids/20": "fe80::1"})
    assert [gid.position for gid in read_gids(str(tmp_path))] == [3]


def test_a_full_table_of_gids_is_bounded(tmp_path):
    put(tmp_path, {f"gids/{index}": "fe80:0000:0000:0000:0000:0000:0000:0001" for index in range(100)})
    assert len(read_gids(str(tmp_path))) == 64


@pytest.mark.parametrize(
    ("text", "rate"),
    [
        (b"100 Gb/sec (4X EDR)\n", Rate(100_000_000_000, 4, "EDR")),
        (b"2.5 Gb/sec (1X SDR)\n", Rate(2_500_000_000, 1, "SDR")),
        (b"10 Gb/sec (4X)\n", Rate(10_000_000_000, 4, "")),
        (b"400 Gb/sec (4X NDR)\n", Rate(400_000_000_000, 4, "NDR")),
        (b"800 Gb/sec\n", Rate(800_000_000_000, None, "")),
    ],
)
def test_rates(text, rate):
    assert parse_rate(text) == rate


@pytest.mark.parametrize("data", [b"", b"fast", b"100 Gb/sec (4X EDR) or so", b"100 Mb/sec", b"-1 Gb/sec (4X EDR)"])
def test_what_is_no_rate_is_refused(data):
    with pytest.raises(ParseError):
        parse_rate(data)


@pytest.mark.parametrize(
    ("text", "parsed"),
    [
        (b"4: ACTIVE\n", (4, "ACTIVE")),
        (b"5: LinkUp\n", (5, "LinkUp")),
        (b"4: PortConfigurationTraining", (4, "PortConfigurationTraining")),
        (b"8: <unknown>\n", (8, "<unknown>")),
    ],
)
def test_numbered_words(text, parsed):
    assert parse_numbered(text) == parsed


@pytest.mark.parametrize("data", [b"", b"ACTIVE", b"-1: X", b"4: ACTIVE\n5: LinkUp\n", b"\xff\xfe"])
def test_what_is_no_numbered_word_is_refused(data):
    with pytest.raises(ParseError):
        parse_numbered(data)


@pytest.mark.parametrize("data", [b"", b"fe80::1", b"\xff", EMPTY_GID.encode()[:-4], b"zz" * 16])
def test_what_is_no_gid_is_refused(data):
    with pytest.raises(ParseError):
        parse_gid(data)


def test_counters():
    assert parse_counter(b"18446744073709551615\n") == 2**64 - 1
    assert parse_counter(b"N/A (no PMA)\n") is None
    with pytest.raises(ParseError):
        parse_counter(b"\xff\n")


def test_a_counter_that_fails_costs_itself(tmp_path):
    put(tmp_path, {"port_xmit_data": 25, "port_xmit_wait": "N/A (no PMA)", "symbol_error": "oops", "VL15_dropped": 0})
    (tmp_path / "link_downed").mkdir()  # reading it fails, with EISDIR
    files = CounterFiles(str(tmp_path))
    assert dict(zip(files.names, files.read())) == {
        "VL15_dropped": 0,
        "link_downed": None,
        "port_xmit_data": 25,
        "port_xmit_wait": None,
        "symbol_error": None,
    }


def test_data_is_counted_in_words_of_four_bytes():
    assert in_base_unit("port_rcv_data", 100) == 400
    assert in_base_unit("port_xmit_data_64", 100) == 400
    assert in_base_unit("port_rcv_packets", 100) == 100


def test_classic_counters_stop_at_their_maximum():
    assert saturation("symbol_error") == 0xFFFF
    assert saturation("link_downed") == 0xFF
    assert saturation("local_link_integrity_errors") == 0xF
    assert saturation("port_xmit_data") == 0xFFFFFFFF
    assert saturation("unicast_xmit_packets") is None
    assert saturation("rx_write_requests") is None


@given(st.binary(max_size=80))
def test_any_bytes_raise_nothing_but_parse_errors(data):
    for parse in (parse_numbered, parse_rate, parse_gid, parse_counter):
        with contextlib.suppress(ParseError):
            parse(data)
