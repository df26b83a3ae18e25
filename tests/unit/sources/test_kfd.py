# SPDX-License-Identifier: MIT
from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hwinfod.errors import ParseError
from hwinfod.sources.files import Roots
from hwinfod.sources.kfd import Use, list_processes, parse_properties, read_nodes, read_uses
from tests.fixtures.host.gpus import GIB, GpuHost
from tests.support.sysfs import put


@pytest.fixture
def host(tmp_path: Path) -> GpuHost:
    return GpuHost(tmp_path)


@pytest.fixture
def roots(host: GpuHost) -> Roots:
    return Roots(str(host.proc), str(host.sys))


def test_partitions_are_nodes_with_the_place_of_their_board(host, roots):
    host.add_instinct(0)
    host.add_instinct(1, partitions=8)
    nodes = read_nodes(roots)
    assert [(n.pci_address, n.partition) for n in nodes] == [
        ("0000:05:00.0", 0), *(("0000:25:00.0", part) for part in range(8))
    ]  # fmt: skip
    assert nodes[0].unique_id == "cfc7b4d5b96c0a00"
    assert (nodes[0].compute_units, nodes[1].compute_units) == (304, 38)
    assert (nodes[0].memory_bytes, nodes[8].memory_bytes) == (192 * GIB, 24 * GIB)
    assert (nodes[8].render, nodes[8].architecture, nodes[8].is_apu) == ("renderD185", "gfx942", False)
    assert nodes[8].peers == tuple(range(8))


def test_an_apu_is_one_node_of_both_kinds(host, roots):
    host.add_apu()
    (node,) = read_nodes(roots)
    assert node.is_apu
    assert (node.pci_address, node.unique_id, node.memory_bytes, node.peers) == ("0000:c4:00.0", "", None, ())


@pytest.mark.parametrize("gpu_id", ["0", "", "x"])
def test_processors_and_nodes_that_are_not_ours_are_left_out(host, roots, gpu_id):
    put(host.sys / "class/kfd/kfd/topology/nodes/0", {"gpu_id": gpu_id, "properties": "simd_count 0"})
    assert read_nodes(roots) == []


def test_a_node_whose_properties_are_garbage_costs_itself(host, roots):
    host.add_instinct(0)
    host.add_instinct(1)
    put(host.sys / "class/kfd/kfd/topology/nodes/0", {"properties": b"\xff\xff"})
    assert [node.number for node in read_nodes(roots)] == [1]


def test_what_a_process_holds(host, roots):
    host.use(4711, {50000: GIB, 50100: 0}, copied=1500, units=19)
    host.use(4712, {50100: 7})
    assert list_processes(roots) == [4711, 4712]
    assert read_uses(roots, 4711, [50000, 50100]) == {50000: Use(GIB, 1500, 19)}
    assert read_uses(roots, 4712, [50000, 50100]) == {50100: Use(7, 0, None)}
    assert read_uses(roots, 1, [50000]) == {}


def test_a_host_without_kfd(tmp_path):
    roots = Roots(sysfs=str(tmp_path))
    assert (read_nodes(roots), list_processes(roots)) == ([], [])


@given(st.binary(max_size=200) | st.text("simd_count 0129\n", max_size=60).map(str.encode))
def test_arbitrary_bytes(data):
    try:
        properties = parse_properties(data)
    except ParseError:
        return
    assert all(0 <= value < 10**20 for value in properties.values())
