# SPDX-License-Identifier: MIT
from __future__ import annotations

import shutil
from pathlib import Path

import psutil
import pytest

from hwinfod.collectors.disks import DOWN, Disks
from hwinfod.core.check import evaluate
from hwinfod.core.device import Status
from hwinfod.core.health import State
from hwinfod.core.metric import Level
from tests.support.bench import Bench
from tests.support.sysfs import link, put

BUSY_MS = 9


class Machine:
    """Block devices whose figures a test moves."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.sysfs = directory / "sys"
        self.figures: dict[str, list[int]] = {}

    def add_nvme(self, number: int, *, serial: str = "", wwid: str = "", size: int = 1000) -> None:
        name = f"nvme{number}n1"
        pci = put(self.sysfs / f"devices/pci0000:40/0000:4{number}:00.0", {"numa_node": 1})
        controller = put(
            pci / "nvme" / f"nvme{number}",
            {"model": "Model  X", "serial": serial or f"S{number}", "firmware_rev": "F1", "state": "live"},
        )
        disk = put(controller / name, {"size": size, "queue/rotational": 0, "removable": 0, "wwid": wwid})
        link(disk / "device", controller)
        self._register(name, disk)

    def add(self, name: str, *, sign: str = "size", size: int = 1000) -> None:
        """A device that is no hardware: `sign` is the file that tells its kind."""
        self._register(name, put(self.sysfs / "devices/virtual/block" / name, {"size": size, sign: 0}))

    def add_scsi(self, name: str, *, wwid: str = "", size: int = 1000) -> None:
        device = put(self.sysfs / "devices/host0" / name, {"wwid": wwid, "state": "running", "ioerr_cnt": "0x11"})
        disk = put(device / "block" / name, {"size": size})
        link(disk / "device", device)
        self._register(name, disk)

    def _register(self, name: str, directory: Path) -> None:
        link(self.sysfs / "class/block" / name, directory)
        self.figures[name] = [0] * 17
        self.show()

    def remove(self, name: str) -> None:
        shutil.rmtree((self.sysfs / "class/block" / name / "device").resolve())
        (self.sysfs / "class/block" / name).unlink()
        del self.figures[name]
        self.show()

    def show(self) -> None:
        lines = [f"8 {i} {name} " + " ".join(map(str, row)) for i, (name, row) in enumerate(self.figures.items())]
        put(self.directory / "proc", {"diskstats": "\n".join(lines)})


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    machine = Machine(tmp_path)
    machine.add_nvme(0)
    return machine


@pytest.fixture
def bench(machine: Machine, tmp_path: Path) -> Bench:
    return Bench(Disks, tmp_path)


def test_traffic(machine: Machine, bench: Bench) -> None:
    bench.run()
    machine.figures["nvme0n1"] = [5, 1, 80, 1500, 6, 2, 160, 2500, 3, 250, 4000, 7, 0, 16, 30, 8, 40]
    machine.show()
    values = bench.run()
    name = "{device=nvme0n1}"
    assert values[f"hw_disk_utilization_ratio{name}"] == 0.25
    assert (values[f"hw_disk_reads_total{name}"], values[f"hw_disk_writes_total{name}"]) == (5, 6)
    assert values[f"hw_disk_read_bytes_total{name}"] == 80 * 512
    assert values[f"hw_disk_written_bytes_total{name}"] == 160 * 512
    assert (values[f"hw_disk_read_seconds_total{name}"], values[f"hw_disk_write_seconds_total{name}"]) == (1.5, 2.5)
    assert values[f"hw_disk_requests_in_flight{name}"] == 3
    assert (values[f"hw_disk_busy_seconds_total{name}"], values[f"hw_disk_queue_seconds_total{name}"]) == (0.25, 4.0)
    assert values[f"hw_disk_discarded_bytes_total{name}"] == 16 * 512
    assert (values[f"hw_disk_flushes_total{name}"], values[f"hw_disk_flush_seconds_total{name}"]) == (8, 0.04)


def test_a_counter_that_wraps_drops_one_interval(machine: Machine, bench: Bench) -> None:
    machine.figures["nvme0n1"][BUSY_MS] = 2**32 - 100
    machine.show()
    bench.run()
    machine.figures["nvme0n1"][BUSY_MS] = 50
    machine.show()
    assert "hw_disk_utilization_ratio{device=nvme0n1}" not in bench.run()
    machine.figures["nvme0n1"][BUSY_MS] = 550
    machine.show()
    assert bench.run()["hw_disk_utilization_ratio{device=nvme0n1}"] == 0.5


def test_only_disks_count(machine: Machine, bench: Bench) -> None:
    for name, sign in (
        ("loop0", "size"),
        ("zram0", "size"),
        ("dm-0", "dm/name"),
        ("md0", "md/level"),
        ("sr0", "device"),
    ):
        machine.add(name, sign=sign)
    machine.add("nvme0n1p1", sign="partition")
    assert {name.rpartition("device=")[2] for name in bench.run()} == {"nvme0n1}"}


def test_a_disk_that_is_pulled_and_put_back(machine: Machine, bench: Bench) -> None:
    machine.add_nvme(1)
    bench.run()
    bench.run("facts")
    machine.remove("nvme1n1")
    assert not any("nvme1n1" in name for name in bench.run())
    assert not any("nvme1n1" in name for name in bench.run("facts"))
    (lost,) = [d for d in bench.host.devices.current.values() if d.status is Status.LOST]
    assert lost.facts["device"] == "nvme1n1"
    machine.add_nvme(1)
    values = bench.run()
    assert "hw_disk_reads_total{device=nvme1n1}" in values
    assert "hw_disk_utilization_ratio{device=nvme1n1}" not in values, "nothing to compare with yet"
    bench.run("facts")
    assert bench.host.devices.current[lost.id].status is Status.PRESENT


def test_another_disk_under_the_same_name(machine: Machine, bench: Bench) -> None:
    bench.run()
    bench.run("facts")
    machine.remove("nvme0n1")
    bench.run()
    machine.add_nvme(0, serial="OTHER")
    bench.run()
    bench.run("facts")
    statuses = {device.facts["serial"]: device.status for device in bench.host.devices.current.values()}
    assert statuses == {"S0": Status.LOST, "OTHER": Status.PRESENT}


def test_identity(machine: Machine, bench: Bench) -> None:
    machine.add_nvme(1, wwid="eui.0025")
    bench.run()
    assert bench.run("facts") == {
        "hw_disk_size_bytes{device=nvme0n1}": 512_000,
        "hw_disk_up{device=nvme0n1}": 1,
        "hw_disk_size_bytes{device=nvme1n1}": 512_000,
        "hw_disk_up{device=nvme1n1}": 1,
    }
    assert set(bench.host.devices.current) == {"disk:Model-X-S0", "disk:eui.0025"}
    assert bench.host.devices.current["disk:eui.0025"].parent == "0000:41:00.0"
    assert (
        "hw_disk_info{device=nvme0n1,model=Model  X,serial=S0,firmware=F1,transport=pcie,rotational=0,"
        "pci=0000:40:00.0,numa_node=1}"
    ) in bench.infos()


def test_two_paths_to_one_disk_are_two_devices(machine: Machine, bench: Bench) -> None:
    for name in ("sda", "sdb"):
        machine.add_scsi(name, wwid="naa.5000")
    bench.run()
    bench.run("facts")
    assert {"disk:naa.5000", "disk:naa.5000:sdb"} < set(bench.host.devices.current)


def test_a_drive_without_a_medium_is_no_disk_until_it_has_one(machine: Machine, bench: Bench) -> None:
    machine.add_scsi("sda", size=0)
    assert not any("sda" in name for name in bench.run())
    assert not any("sda" in name for name in bench.run("facts"))
    put(machine.sysfs / "class/block/sda", {"size": 77})
    bench.run()
    assert bench.run("facts")["hw_disk_size_bytes{device=sda}"] == 77 * 512


def test_a_disk_that_grows_leaves_an_event(machine: Machine, bench: Bench) -> None:
    bench.run()
    bench.run("facts")
    put(machine.sysfs / "class/block/nvme0n1", {"size": 2000})
    bench.run("facts")
    assert bench.events()[-1].attributes == {"size_bytes": "512000 -> 1024000"}


def test_a_dead_disk_is_down_and_wrong(machine: Machine, bench: Bench) -> None:
    machine.add_scsi("sda")
    bench.host.runners = {"disks": bench.runner}
    bench.run()
    assert bench.run("facts")["hw_disk_command_errors_total{device=sda}"] == 17
    assert evaluate(bench.host, [DOWN]) == []
    put(machine.sysfs / "class/block/sda/device", {"state": "offline"})
    assert bench.run("facts")["hw_disk_up{device=sda}"] == 0
    assert [finding.text for finding in evaluate(bench.host, [DOWN])] == ["disk sda does not take requests"]


def test_a_broken_line_costs_its_disk(machine: Machine, bench: Bench) -> None:
    machine.add_nvme(1)
    bench.run()
    machine.figures["nvme0n1"] = [1, 2, 3]
    machine.show()
    values = bench.run()
    assert not any("nvme0n1" in name for name in values)
    assert values["hw_disk_reads_total{device=nvme1n1}"] == 0
    assert list(bench.skipped) == ["nvme0n1"]


def test_no_proc_is_absent_and_no_disk_is_nothing(tmp_path: Path) -> None:
    assert Bench(Disks, tmp_path).attempt() is State.ABSENT
    put(tmp_path / "proc", {"diskstats": ""})
    assert Bench(Disks, tmp_path).run() == {}


def test_this_machine_agrees_with_psutil() -> None:
    bench = Bench(Disks)
    before = psutil.disk_io_counters(perdisk=True, nowrap=False)
    values = bench.run()
    after = psutil.disk_io_counters(perdisk=True, nowrap=False)
    disks = {name.rpartition("=")[2].rstrip("}") for name in bench.values(level=Level.STANDARD)}
    assert disks <= set(before)
    for disk in disks:
        written = values[f"hw_disk_written_bytes_total{{device={disk}}}"]
        assert before[disk].write_bytes <= written <= after[disk].write_bytes
