# SPDX-License-Identifier: MIT
"""gpu_metrics against the offsets that a compiler gave, sentinels, sizes, arbitrary bytes."""

from __future__ import annotations

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hwinfod.errors import ParseError
from hwinfod.sources.amdgpu_metrics import LAYOUTS, PARTITIONS, UnknownRevision, parse_gpu_metrics
from tests.fixtures.host.gpus import OFFSETS, described_metrics, gpu_metrics

VERSIONS = [f"v{major}_{minor}" for major, minor in LAYOUTS]
# Of the APU tables the list of offsets has the essential ones only.
_BESIDE_THE_LIST = {"average_mm_activity", "current_socclk", "current_uclk", "current_fclk"}


@pytest.mark.parametrize(("revision", "layout"), LAYOUTS.items())
def test_sizes_and_offsets_are_those_of_the_header(revision, layout):
    offsets = OFFSETS["v{}_{}".format(*revision)]
    size, fields = layout
    assert size == offsets.size
    unlisted = {name for name in fields if name not in offsets.fields}
    assert unlisted <= (_BESIDE_THE_LIST if revision[0] == 2 else set())
    for name in fields.keys() - unlisted:
        offset, type_ = fields[name]
        assert (offset, struct.calcsize(f"<{type_}")) == offsets.fields[name], name


@pytest.mark.parametrize(("revision", "partitions"), PARTITIONS.items())
def test_partitions_fill_their_part_of_the_table(revision, partitions):
    start, size, jpegs = partitions
    assert (start, 8 * size) == OFFSETS["v{}_{}".format(*revision)].fields["xcp_stats"]
    assert size in {OFFSETS[f"xcp_v1_{n}"].size for n in range(3)}
    assert size >= 32 + 2 * jpegs + 8


@pytest.mark.parametrize("version", VERSIONS)
def test_all_ones_are_absent(version):
    metrics = parse_gpu_metrics(gpu_metrics(version))
    numbers = (metrics.gfx_ratio, metrics.memory_ratio, metrics.socket_watts, metrics.energy_joules)
    assert numbers == (None,) * 4
    assert (metrics.pcie_width, metrics.pcie_gigatransfers_per_second, metrics.accumulation_ticks) == (None,) * 3
    for mapping in (
        *(metrics.engines, metrics.temperatures_celsius, metrics.clocks_hertz, metrics.residency_ticks),
        *(metrics.throttled, metrics.xgmi_read_bytes, metrics.xgmi_write_bytes, metrics.partitions),
    ):
        assert len(mapping) == 0


def test_a_board_in_base_units():
    metrics = parse_gpu_metrics(
        gpu_metrics(
            "v1_3", temperature_edge=40, temperature_mem=60, average_gfx_activity=25, average_umc_activity=5,
            average_mm_activity=50, average_socket_power=88, energy_accumulator=1 << 17, current_gfxclk=1500,
            current_uclk=1124, pcie_link_width=16, pcie_link_speed=160, indep_throttle_status=1 << 36 | 1 << 46,
        )
    )  # fmt: skip
    assert metrics.revision == "1.3"
    assert (metrics.gfx_ratio, metrics.memory_ratio, metrics.engines) == (0.25, 0.05, {"media": 0.5})
    assert (metrics.socket_watts, metrics.energy_joules) == (88, 2)
    assert metrics.temperatures_celsius == {"edge": 40, "memory": 60}
    assert metrics.clocks_hertz == {"graphics": 1_500_000_000, "memory": 1_124_000_000}
    assert (metrics.pcie_gigatransfers_per_second, metrics.pcie_width) == (16, 16)
    assert {reason for reason, holds in metrics.throttled.items() if holds} == {"thermal", "prochot"}


def test_an_apu_counts_in_hundredths_and_thousandths():
    metrics = parse_gpu_metrics(
        gpu_metrics("v2_4", temperature_gfx=4512, average_gfx_activity=1234, average_socket_power=15432)
    )
    assert metrics.gfx_ratio == 0.1234
    assert metrics.temperatures_celsius == {"edge": 45.12}
    assert metrics.socket_watts == 15.432


def test_a_strix_has_averages_and_leaves_its_load_to_another_file():
    metrics = parse_gpu_metrics(
        gpu_metrics(
            "v3_0", temperature_gfx=4512, temperature_soc=4001, average_gfx_activity=50, average_socket_power=54321,
            average_gfxclk_frequency=2900, average_uclk_frequency=1000,
        )
    )  # fmt: skip
    assert metrics.gfx_ratio is None
    assert metrics.temperatures_celsius == {"edge": 45.12, "soc": 40.01}
    assert metrics.socket_watts == 54.321
    assert metrics.clocks_hertz == {"graphics": 2_900_000_000, "memory": 1_000_000_000}


@pytest.mark.parametrize(("version", "has_naks"), [
    ("v1_4", False), ("v1_5", False), ("v1_6", True), ("v1_7", True), ("v1_8", True),
])  # fmt: skip
def test_errors_of_the_link(version, has_naks):
    counts = {"pcie_l0_to_recov_count_acc": 1, "pcie_replay_count_acc": 2, "pcie_replay_rover_count_acc": 3}
    naks = {"pcie_nak_sent_count_acc": 4, "pcie_nak_rcvd_count_acc": 5} if has_naks else {}
    expected = {"recovery": 1, "replay": 2, "replay_rollover": 3}
    expected |= {"nak_sent": 4, "nak_received": 5} if has_naks else {}
    assert parse_gpu_metrics(gpu_metrics(version, **counts, **naks)).pcie_errors == expected


@pytest.mark.parametrize("code", ["Q", "I"])
def test_a_table_that_describes_itself(code):
    metrics = parse_gpu_metrics(
        described_metrics(
            (2, 0, "h", [51]), (2, 1, "h", [-1]), (3, 3, "H", [402]), (10, 4, "H", [90]), (0, 7, "Q", [1 << 17]),
            (0, 9, "Q", [5000]), (0, 11, "Q", [100]), (0, 16, "H", [16]), (7, 17, "H", [320]), (0, 25, "Q", [2]),
            (9, 29, "Q", [0, 2, 0, 0]), (0, 31, "H", [1, 0, 0xFFFF]), (1, 33, "H", [2100, 1900, 0xFFFF]),
            (10, 42, "H", [10, 30]), (0, 999, "B", [1, 2, 3]), (0, 2, "h", [47]), code=code,
        )
    )  # fmt: skip
    assert (metrics.revision, metrics.gfx_ratio, metrics.socket_watts, metrics.energy_joules) == ("1.9", 0.9, 402, 2)
    assert metrics.temperatures_celsius == {"junction": 51}, "no memory: all ones; no vr_soc: not in degrees"
    assert (metrics.accumulation_ticks, metrics.residency_ticks) == (5000, {"power": 100})
    assert (metrics.pcie_gigatransfers_per_second, metrics.pcie_width) == (32, 16)
    assert metrics.pcie_errors == {"replay": 2}
    assert metrics.xgmi_read_bytes == {0: 0, 1: 2048, 2: 0, 3: 0}
    assert metrics.xgmi_links == {"active": 1, "inactive": 1}
    assert metrics.clocks_hertz == {"graphics": 2_100_000_000}
    assert (metrics.engines, metrics.partitions) == ({"vcn": 0.2}, ())


@pytest.mark.parametrize("change", [
    lambda table: table + b"\0",  # more than its attributes
    lambda table: table[:4] + b"\3" + table[5:],  # more attributes than there are
    lambda table: table[:10] + b"\xff" + table[11:],  # a type that does not exist
    lambda table: table[:4] + b"\xff\xff\xff\xff" + table[8:],
])  # fmt: skip
def test_a_table_that_describes_itself_wrongly_is_not_believed(change):
    table = change(described_metrics((3, 3, "H", [402]), (10, 4, "H", [90])))
    with pytest.raises(UnknownRevision):
        parse_gpu_metrics(struct.pack("<H", len(table)) + table[2:])


def test_a_table_of_the_same_size_may_have_other_attributes():
    """Of another driver, or of a board beside."""
    tables = [described_metrics((10, number, "H", [50]), (3, 3, "H", [402])) for number in (4, 5)]
    for _ in range(2):
        first, second = map(parse_gpu_metrics, tables)
        assert (first.gfx_ratio, first.memory_ratio) == (0.5, None)
        assert (second.gfx_ratio, second.memory_ratio) == (None, 0.5)


@given(st.binary(max_size=400), st.integers(0, 20))
def test_any_description(body, count):
    table = struct.pack("<HBBi", 8 + len(body), 1, 9, count) + body
    try:
        metrics = parse_gpu_metrics(table)
    except UnknownRevision:
        return
    assert metrics.gfx_ratio is None or 0 <= metrics.gfx_ratio <= 1


@pytest.mark.parametrize("version", ["v1_6", "v1_7", "v1_8"])
def test_partitions_have_their_own_engines(version):
    parts = [{"gfx": [90], "vcn": [10, 30], "jpeg": [4] * 8}, {"gfx": [10]}, {"gfx": [0], "vcn": [0]}]
    metrics = parse_gpu_metrics(
        gpu_metrics(
            version, parts, num_partition=3, accumulation_counter=900, ppt_residency_acc=9, hbm_thm_residency_acc=1,
            xgmi_read_data_acc=[0, 2, *[0] * 6],
        )
    )  # fmt: skip
    assert [part.gfx_ratio for part in metrics.partitions] == [0.9, 0.1, 0.0]
    assert [part.engines for part in metrics.partitions] == [{"vcn": 0.2, "jpeg": 0.04}, {}, {"vcn": 0.0}]
    assert metrics.engines == {"vcn": 0.1, "jpeg": 0.04}
    assert (metrics.accumulation_ticks, metrics.residency_ticks) == (900, {"power": 9, "memory_thermal": 1})
    assert metrics.xgmi_read_bytes[1] == 2048
    assert metrics.xgmi_write_bytes == {}


def test_instances_that_are_not_there_do_not_count():
    metrics = parse_gpu_metrics(gpu_metrics("v1_5", vcn_activity=[40, 20], jpeg_activity=[0] * 8))
    assert metrics.engines == {"vcn": 0.3, "jpeg": 0.0}


def test_more_than_all_of_the_time_is_no_share():
    assert parse_gpu_metrics(gpu_metrics("v1_3", average_gfx_activity=250)).gfx_ratio is None


@pytest.mark.parametrize(
    "head", [struct.pack("<HBB", 120, 3, 0), struct.pack("<HBB", 328, 1, 4), struct.pack("<HBB", 120, 0, 0)]
)
def test_an_unknown_revision_or_size_is_not_believed(head):
    with pytest.raises(UnknownRevision):
        parse_gpu_metrics(head + bytes(4000))


@pytest.mark.parametrize("version", VERSIONS)
def test_less_than_a_table(version):
    table = gpu_metrics(version)
    for length in (0, 3, 4, len(table) - 1):
        with pytest.raises(ParseError):
            parse_gpu_metrics(table[:length])


@given(st.sampled_from(sorted(LAYOUTS)), st.randoms(use_true_random=False), st.integers(0, 4096))
def test_any_content_gives_sane_values_or_a_parse_error(revision, random, length):
    head = struct.pack("<HBB", LAYOUTS[revision][0], *revision)
    try:
        metrics = parse_gpu_metrics(head + random.randbytes(length))
    except ParseError:
        assert length + 4 < LAYOUTS[revision][0]
        return
    shares = [metrics.gfx_ratio, metrics.memory_ratio, *metrics.engines.values()]
    shares += [part.gfx_ratio for part in metrics.partitions]
    assert all(share is None or 0 <= share <= 1 for share in shares)


@given(st.binary(max_size=300))
def test_arbitrary_bytes(data):
    try:
        parse_gpu_metrics(data)
    except ParseError:
        return
    assert data[2:4] in {bytes(revision) for revision in (*LAYOUTS, (1, 9))}
