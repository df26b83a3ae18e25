# SPDX-License-Identifier: MIT
"""What a node exports by default stays small, and has what operators asked for: eight H100, two of their instances, and
the rich host's 23 drives, network and RDMA ports, on which 26 collectors work."""

from __future__ import annotations

import dataclasses
import shutil
from collections import Counter
from collections.abc import Iterator

import pytest

from tests.fixtures.host import Host
from tests.fixtures.host.shape import RICH
from tests.support import nvml_profiles as profiles
from tests.support.daemon import Daemon, make_directory
from tests.support.exposition import Exposition
from tests.support.nvml_daemon import running

pytestmark = pytest.mark.tier("compiler")

# About 700 of an ordinary node with eight GPUs and ten drives: docs/adr/0013.
MOST = 800
# By the beginning of families: the label that says of which thing a series is, and how many there may be of one.
MOST_OF_ONE = {
    "hw_gpu_": ("uuid", 36), "hw_rdma_": ("device", 22), "hw_network_": ("interface", 8), "hw_disk_": ("device", 4),
    "hw_pcie_": ("pci", 4), "hw_filesystem_": ("mountpoint", 5), "hwinfod_collector_": ("collector", 5),
}  # fmt: skip
PROMISED = """
gpu_info gpu_up gpu_utilization_ratio gpu_engine_utilization_ratio gpu_memory_usage_bytes gpu_memory_limit_bytes
gpu_memory_controller_utilization_ratio gpu_tensor_active_ratio gpu_power_watts gpu_power_enforced_limit_watts
gpu_energy_joules_total gpu_temperature_celsius gpu_clock_hertz gpu_throttle_seconds_total gpu_ecc_errors_total
gpu_row_remap gpu_nvlinks gpu_nvlink_errors_total gpu_fabric_state gpu_mig_memory_usage_bytes
gpu_memory_unattributed_bytes rdma_port_info rdma_port_up rdma_port_receive_bytes_total rdma_port_transmit_bytes_total
rdma_port_errors_total rdma_retransmits_total rdma_congestion_total rdma_link_transitions_total pcie_link_degraded
pcie_aer_errors_total devices_present cpu_seconds_total load1 memory_usage_bytes swap_usage_bytes
pressure_some_seconds_total disk_utilization_ratio disk_read_bytes_total disk_written_bytes_total
network_receive_bytes_total network_transmit_bytes_total filesystem_utilization_ratio temperature_celsius fan_speed_rpm
power_watts memory_corrected_errors_total memory_uncorrected_errors_total memory_oom_kills_total clock_offset_seconds
clock_synchronized
""".split()  # without what has no series before something happens: Xids, owners, an accepted inventory
PROMISED_OF_OURS = """
hwinfod_build_info hwinfod_collector_success hwinfod_collector_duration_seconds
hwinfod_collector_last_success_timestamp_seconds hwinfod_collector_overruns_total hwinfod_collector_stuck
hwinfod_ring_bytes hwinfod_series_dropped_total process_cpu_seconds_total process_resident_memory_bytes
""".split()


@pytest.fixture(scope="module")
def standard() -> Iterator[Exposition]:
    """After two samples of what needs two."""
    directory = make_directory("host")
    pci = tuple((address, port, kind, "" if kind == "gpu" else note) for address, port, kind, note in RICH.pci)
    gpus = [address for address, _, kind, _ in pci if kind == "gpu"]
    state = profiles.h100(len(gpus)) | {f"gpu.{n}.pci": f"0000{address.upper()}" for n, address in enumerate(gpus)}
    assert len(gpus) == 8
    host = Host(directory, shape=dataclasses.replace(RICH, pci=pci), seed=1)
    with running(host, state) as (daemon, _):
        daemon.wait_samples(1)
        daemon.wait_until(lambda: has_two(daemon), "second samples")
        of_owners = "hw_gpu_memory_unattributed_bytes"  # there when processes were read, and owners after them
        daemon.wait_until(lambda: len(daemon.scrape().series(of_owners)) == len(gpus), of_owners)
        yield daemon.scrape()
    shutil.rmtree(directory)


def has_two(daemon: Daemon) -> bool:
    states = daemon.collectors()
    return all(states[name]["tables"][0]["sequence"] >= 2 for name in ("cpu", "disks", "nvidia"))


def test_there_are_few_series(standard: Exposition) -> None:
    counts = Counter(name for name, _ in standard.samples)
    assert sum(counts.values()) <= MOST, counts.most_common()


def test_there_are_few_of_each_thing(standard: Exposition) -> None:
    """So that a node with more of them stays small as well."""
    for family, (label, most) in MOST_OF_ONE.items():
        series = [dict(labels) for name, labels in standard.samples if name.startswith(family)]
        counts = Counter(labels.get(label) for labels in series)
        assert len(counts) > 1, family
        assert max(counts.values()) <= most, (family, counts.most_common(3))


def test_it_has_what_was_promised(standard: Exposition) -> None:
    names = {name for name, _ in standard.samples}
    assert {*PROMISED_OF_OURS, *(f"hw_{name}" for name in PROMISED)} - names == set()


def test_a_gpu_is_one_device(standard: Exposition) -> None:
    """PCI has it, and NVML tells of it."""
    assert standard.value("hw_devices_present", **{"class": "gpu"}) == 8


def test_what_is_set_aside_is_not_there(standard: Exposition) -> None:
    clocks = {dict(labels)["clock"] for labels in standard.series("hw_gpu_clock_hertz")}
    reasons = {dict(labels)["reason"] for labels in standard.series("hw_gpu_throttle_seconds_total")}
    assert clocks == {"graphics", "memory"}
    assert reasons == {"sw_power_cap", "thermal", "hw_power_brake"}
    links = [dict(labels) for labels in standard.series("hw_pcie_link_degraded")]
    assert {link["class"] for link in links} == {"gpu", "network"}
    with_errors = {dict(labels)["pci"] for labels in standard.series("hw_pcie_aer_errors_total")}
    assert with_errors == {link["pci"] for link in links}
