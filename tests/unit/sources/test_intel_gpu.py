# SPDX-License-Identifier: MIT
from __future__ import annotations

from pathlib import Path

import pytest

from hwinfod.sources.intel_gpu import GtValues, find_gts, read_memory_bytes
from tests.fixtures.host.gpus import GIB, GpuHost


@pytest.fixture
def host(tmp_path: Path) -> GpuHost:
    return GpuHost(tmp_path)


def test_xe_has_its_parts_below_tiles(host):
    directory = str(host.add_max().directory)
    first, second = find_gts(directory)
    assert (first.name, second.name, second.limit_hertz) == ("gt0", "gt1", 1_600_000_000)
    assert first.read() == GtValues(1_300_000_000, 5.0, {"power": False, "thermal": False})
    assert second.read() == GtValues(1_301_000_000, 5.001, {"power": True, "thermal": False})
    assert read_memory_bytes(directory) == 128 * GIB


def test_i915_has_its_parts_below_the_card(host):
    directory = str(host.add_integrated().directory)
    (gt,) = find_gts(directory)
    assert gt.read() == GtValues(0, 123.456, {"prochot": False})
    assert read_memory_bytes(directory) is None


def test_several_reasons_of_one_kind_are_one(host):
    board = host.add_max()
    board.write(**{"tile0/gt0/freq0/throttle/reason_pl1": 0, "tile0/gt0/freq0/throttle/reason_pl2": 1,
                   "tile0/gt0/freq0/throttle/reason_pl4": 0})  # fmt: skip
    assert find_gts(str(board.directory))[0].read().throttled["power"]


def test_garbage_costs_its_value(host):
    board = host.add_max()
    board.write(
        **{
            "tile0/gt0/freq0/act_freq": b"\xff\xfe",
            "tile0/gt0/freq0/rp0_freq": "",
            "tile0/gt0/gtidle/idle_residency_ms": "N/A",
        }
    )
    gt = find_gts(str(board.directory))[0]
    assert gt.limit_hertz is None
    assert gt.read()[:2] == (None, None)


def test_a_function_without_any(tmp_path):
    assert find_gts(str(tmp_path)) == []


def test_intels_own_i915_tells_the_memory(host):
    """A Flex 170."""
    card = host.add_intel("0000:4d:00.0", 0x56C0, {"drm/card0/lmem_total_bytes": 16 * GIB}, {}, driver="i915")
    assert read_memory_bytes(str(card.directory)) == 16 * GIB
