# SPDX-License-Identifier: MIT
"""A real node_exporter takes the fixture host for a real one: its formats are the kernel's, not our idea of them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.fixtures.host import Host
from tests.support.exposition import Exposition
from tests.support.peers import NodeExporter

pytestmark = pytest.mark.tier("node-exporter")

# What the fixture host has; node_exporter's other collectors are for file systems and services that it has not.
COLLECTORS = (
    "bonding cpu cpufreq diskstats dmi edac hwmon infiniband loadavg meminfo meminfo_numa netclass netdev nvme os"
    " pressure rapl stat thermal_zone uname vmstat"
)


@pytest.fixture(scope="module")
def host(tmp_path_factory: pytest.TempPathFactory) -> Host:
    return Host(tmp_path_factory.mktemp("host"), seed=1)


@pytest.fixture(scope="module")
def scraped(host: Host) -> Iterator[Exposition]:
    flags = ["--collector.disable-defaults", *(f"--collector.{name}" for name in COLLECTORS.split())]
    flags.append("--no-collector.netdev.netlink")  # which would show this machine's interfaces
    with NodeExporter.start(*flags, host=host) as exporter:
        yield exporter.scrape()


def number(host: Host, path: str) -> int:
    return int(Path(host.sysfs, path).read_text())


def test_every_collector_finds_what_it_looks_for(scraped: Exposition) -> None:
    success = {
        dict(labels)["collector"]: value for labels, value in scraped.series("node_scrape_collector_success").items()
    }
    assert success == dict.fromkeys(COLLECTORS.split(), 1.0)


def test_processors(scraped: Exposition, host: Host) -> None:
    for cpu in (0, 127):
        ticks = host.cpu.cores[cpu].ticks
        assert scraped.value("node_cpu_seconds_total", cpu=str(cpu), mode="user") == ticks[0] / 100
        assert scraped.value("node_cpu_seconds_total", cpu=str(cpu), mode="idle") == ticks[3] / 100
    khz = number(host, "devices/system/cpu/cpu77/cpufreq/scaling_cur_freq")
    assert scraped.value("node_cpu_scaling_frequency_hertz", cpu="77") == khz * 1000
    assert len(scraped.series("node_cpu_core_throttles_total")) == 64


def test_memory_and_its_errors(scraped: Exposition, host: Host) -> None:
    assert scraped.value("node_memory_MemTotal_bytes") == 2 * host.shape.node_memory_kib * 1024
    nodes = scraped.series("node_memory_numa_MemFree").values()
    assert sum(nodes) == scraped.value("node_memory_MemFree_bytes")
    assert scraped.value("node_edac_correctable_errors_total", controller="1") == 17
    assert scraped.value("node_vmstat_oom_kill") == 0


def test_disks(scraped: Exposition, host: Host) -> None:
    figures = list(map(int, Path(host.sysfs, "block/nvme6n1/stat").read_text().split()))
    assert scraped.value("node_disk_read_bytes_total", device="nvme6n1") == figures[2] * 512
    assert scraped.value("node_disk_io_time_seconds_total", device="nvme6n1") == pytest.approx(figures[9] / 1000)
    assert scraped.labels("node_nvme_info", "serial") == {disk.serial for disk in host.shape.disks[8:28]}
    disk = {dict(labels)["device"]: dict(labels) for labels in scraped.series("node_disk_info")}["sdc"]
    assert (disk["serial"], disk["revision"]) == ("ZL2A0C7V", "SN03")


def test_interfaces(scraped: Exposition, host: Host) -> None:
    for name in host.net.interfaces.keys() - {"ens9", "lo"}:
        received = number(host, f"class/net/{name}/statistics/rx_bytes")
        assert scraped.value("node_network_receive_bytes_total", device=name) == received
    assert scraped.value("node_network_speed_bytes", device="ens1np0") == 50e9
    assert scraped.value("node_network_up", device="eno4") == 0
    assert scraped.value("node_bonding_active", master="bond0") == 2


def test_sensors_and_energy(scraped: Exposition, host: Host) -> None:
    assert scraped.labels("node_hwmon_chip_names", "chip_name") == {
        *("acpitz", "coretemp", "mlx5", "nct6798", "nvme", "pmbus", "power_meter")
    }
    package = number(host, "devices/platform/coretemp.1/hwmon/hwmon23/temp1_input")
    assert scraped.value("node_hwmon_temp_celsius", chip="platform_coretemp_1", sensor="temp1") == package / 1000
    assert len(scraped.series("node_hwmon_fan_rpm")) == 6  # the seventh answers with nothing
    assert len(scraped.series("node_thermal_zone_temp")) == 3
    joules = number(host, "class/powercap/intel-rapl:0/energy_uj") / 1e6
    (read,) = (v for labels, v in scraped.series("node_rapl_package_joules_total").items() if ("index", "0") in labels)
    assert read == pytest.approx(joules)


def test_ports(scraped: Exposition, host: Host) -> None:
    words = number(host, "class/infiniband/mlx5_1/ports/1/counters/port_rcv_data")
    received = scraped.value("node_infiniband_port_data_received_bytes_total", device="mlx5_1", port="1")
    assert received == float(words * 4)
    assert scraped.value("node_infiniband_state_id", device="mlx5_1", port="1") == 4
    assert scraped.value("node_infiniband_rate_bytes_per_second", device="mlx5_1", port="1") == 50e9
