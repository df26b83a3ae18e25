# SPDX-License-Identifier: MIT
from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from hwinfod.collectors.pcie import ERRORS, LINK_DEGRADED, Pcie
from hwinfod.core.check import evaluate
from hwinfod.core.device import Status
from hwinfod.core.event import EventKind, Severity
from hwinfod.core.health import State
from hwinfod.core.metric import Level
from tests.support.bench import Bench
from tests.support.sysfs import link, put, put_pci

FAST = {"current_link_speed": "32.0 GT/s PCIe", "current_link_width": 16, "max_link_speed": "32.0 GT/s PCIe",
        "max_link_width": 16}  # fmt: skip
ERRORS_NOW = {
    "aer_dev_correctable": b"RxErr 41\nBadTLP 0\nTOTAL_ERR_COR 41\n",
    "aer_dev_nonfatal": b"UnsupReq 0\nTOTAL_ERR_NONFATAL 0\n",
    "aer_dev_fatal": b"CmpltTO 0\nTOTAL_ERR_FATAL 0\n",
}
PORT = {"class": "0x060400", "vendor": "0x8086", "device": "0x352a", **FAST}
GPU = {"class": "0x030200", "vendor": "0x10de", "device": "0x2330", "numa_node": 0, **FAST, **ERRORS_NOW}
NIC = {"class": "0x020000", "vendor": "0x15b3", "device": "0x1021", "numa_node": 1, **FAST, **ERRORS_NOW}
DRIVE = {"class": "0x010802", "vendor": "0x144d", "device": "0xa826", "numa_node": 1, **FAST}
THE_GPU, THE_NIC, THE_DRIVE = "0000:16:00.0", "0000:1a:00.0", "0000:5a:00.0"
MEBIBYTE = 1 << 20


class Machine:
    """A GPU, a network card and a drive, each in a port of its own, all links as wide and fast as they can be."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.sysfs = directory / "sys"
        put(directory / "proc", {"cpuinfo": "flags\t\t: fpu sse lahf_lm"})
        self.functions = {
            address: self.add(port, address, files, driver)
            for port, address, files, driver in (
                ("0000:15:01.0", THE_GPU, GPU, "nvidia"),
                ("0000:15:02.0", THE_NIC, NIC, "mlx5_core"),
                ("0000:59:01.0", THE_DRIVE, DRIVE, "nvme"),
            )
        }
        self.moved = 0
        self.work(0)

    def add(self, port: str, address: str, files: dict[str, object], driver: str) -> Path:
        if not (self.sysfs / "bus/pci/devices" / port).exists():
            put_pci(self.sysfs, port, PORT)
        return put_pci(self.sysfs, f"{port}/{address}", files, driver)

    def remove(self, address: str) -> None:
        shutil.rmtree(self.functions.pop(address))
        # kept, so that the next link gets another inode, as sysfs gives it
        link_ = self.sysfs / "bus/pci/devices" / address
        link_.rename(put(self.directory / "gone", {}) / f"{address} {link_.lstat().st_ino}")

    def work(self, bytes_: int) -> None:
        """Traffic of the card and of the drive."""
        self.moved += bytes_
        put(self.functions[THE_NIC] / "net/ens1/statistics", {"rx_bytes": self.moved, "tx_bytes": 0})
        sectors = f"1 0 {self.moved // 512} 1 1 0 0 0 0 0 0"
        put(self.functions[THE_DRIVE] / "nvme/nvme0/nvme0n1", {"stat": sectors})

    def train(self, address: str, speed: str, width: int) -> None:
        put(self.functions[address], {"current_link_speed": f"{speed} GT/s PCIe", "current_link_width": width})


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    return Machine(tmp_path)


@pytest.fixture
def bench(machine: Machine) -> Bench:
    bench = Bench(Pcie, machine.directory)
    bench.host.runners = {"pcie": bench.runner}
    bench.run()
    return bench


def degraded(bench: Bench, address: str) -> int | float | None:
    """What the family says after one more look."""
    found = [
        value for name, value in bench.run(after=10).items() if name.startswith(f"hw_pcie_link_degraded{{pci={address}")
    ]
    return found[0] if found else None


def test_links_errors_and_levels(bench: Bench) -> None:
    gpu = f"{{pci={THE_GPU},class=gpu}}"
    values = bench.values()
    assert values[f"hw_pcie_link_width_lanes{gpu}"] == values[f"hw_pcie_link_width_limit_lanes{gpu}"] == 16
    assert values[f"hw_pcie_link_speed_transfers_per_second{gpu}"] == 32_000_000_000
    assert values[f"hw_pcie_link_speed_limit_transfers_per_second{gpu}"] == 32_000_000_000
    assert values[f"hw_pcie_link_degraded{{pci={THE_DRIVE},class=nvme}}"] == 0
    assert bench.values(level=Level.STANDARD) == {
        f"hw_pcie_link_degraded{gpu}": 0,
        f"hw_pcie_link_degraded{{pci={THE_NIC},class=network}}": 0,
        **{
            f"hw_pcie_aer_errors_total{{pci={address},severity={severity}}}": count
            for address in (THE_GPU, THE_NIC)
            for severity, count in (("correctable", 41), ("nonfatal", 0), ("fatal", 0))
        },
    }


def test_devices(bench: Bench, machine: Machine) -> None:
    assert set(bench.host.devices.current) == {THE_GPU, THE_NIC, THE_DRIVE}, "and no port"
    gpu = bench.host.devices.current[THE_GPU]
    assert (gpu.status, gpu.missed, gpu.facts["driver"]) == (Status.PRESENT, True, "nvidia")
    assert gpu.facts["path"] == f"pci0000:15 0000:15:01.0 {THE_GPU}"
    assert (
        f"hw_pci_device_info{{pci={THE_GPU},class=gpu,vendor_id=10de,device_id=2330,driver=nvidia,numa_node=0,slot=}}"
        in (bench.infos())
    )


@pytest.mark.parametrize(("address", "speed", "width"), [(THE_NIC, "32.0", 8), (THE_DRIVE, "16.0", 16)])
def test_narrow_or_slow_at_work_is_degraded(
    bench: Bench, machine: Machine, address: str, speed: str, width: int
) -> None:
    machine.train(address, speed, width)
    told = []
    for _ in range(4):
        machine.work(100 * MEBIBYTE)
        told.append(degraded(bench, address))
    assert told == [0, 0, 0, 1], "one look to know the traffic, three at work"
    (event,) = bench.events()
    assert (event.kind, event.severity, event.device) == (EventKind.PCIE_ERROR, Severity.WARNING, address)
    (finding,) = evaluate(bench.host, [LINK_DEGRADED])
    assert address in finding.text
    assert degraded(bench, address) == 1, "a pause proves nothing"
    machine.train(address, "32.0", 16)
    assert degraded(bench, address) == 0
    assert [event.text for event in bench.events()][-1].endswith("PCIe link runs at x16 32.0 GT/s again")


def test_an_idle_link_may_drop(bench: Bench, machine: Machine) -> None:
    machine.train(THE_NIC, "2.5", 1)
    for _ in range(8):
        machine.work(MEBIBYTE)  # a tenth of what counts as work
        assert degraded(bench, THE_NIC) == 0
    assert bench.events() == []


def test_somebody_else_knows_that_a_gpu_works(bench: Bench, machine: Machine) -> None:
    machine.train(THE_GPU, "32.0", 8)
    assert [degraded(bench, THE_GPU) for _ in range(5)] == [0] * 5
    told = []
    for _ in range(3):
        bench.clock.advance(5)
        bench.host.activity.note(THE_GPU)
        told.append(degraded(bench, THE_GPU))
    assert told == [0, 0, 1]


def test_what_the_slot_can_not_is_not_missed(tmp_path: Path) -> None:
    machine = Machine(tmp_path)
    put(tmp_path / "sys/bus/pci/devices/0000:15:02.0", {"max_link_width": 8})
    machine.train(THE_NIC, "32.0", 8)
    bench = Bench(Pcie, tmp_path)
    for _ in range(6):
        machine.work(100 * MEBIBYTE)
        assert degraded(bench, THE_NIC) == 0
    assert bench.values()[f"hw_pcie_link_width_limit_lanes{{pci={THE_NIC},class=network}}"] == 8


def test_never_in_a_virtual_machine(tmp_path: Path) -> None:
    machine = Machine(tmp_path)
    put(tmp_path / "proc", {"cpuinfo": "flags\t\t: fpu hypervisor"})
    machine.train(THE_NIC, "2.5", 1)
    bench = Bench(Pcie, tmp_path)
    for _ in range(6):
        machine.work(100 * MEBIBYTE)
        assert degraded(bench, THE_NIC) is None
    assert bench.events() == []
    assert bench.values()[f"hw_pcie_link_width_lanes{{pci={THE_NIC},class=network}}"] == 1


def test_a_sleeping_device_is_not_asked(bench: Bench, machine: Machine) -> None:
    put(machine.functions[THE_GPU], {"power/runtime_status": "suspended"})
    machine.train(THE_GPU, "2.5", 1)
    assert degraded(bench, THE_GPU) is None
    assert f"hw_pcie_link_width_lanes{{pci={THE_GPU},class=gpu}}" not in bench.values()
    assert bench.host.devices.current[THE_GPU].status is Status.SUSPENDED
    put(machine.functions[THE_GPU], {"power/runtime_status": "active"})
    assert degraded(bench, THE_GPU) == 0


def test_a_device_given_to_a_virtual_machine_is_not_lost(bench: Bench, machine: Machine) -> None:
    driver = machine.functions[THE_GPU] / "driver"
    driver.unlink()
    link(driver, machine.sysfs / "bus/pci/drivers/vfio-pci")
    assert degraded(bench, THE_GPU) is None
    assert bench.host.devices.current[THE_GPU].status is Status.PASSED_THROUGH


def test_a_virtual_function_is_a_device_and_its_link_is_its_card_s(bench: Bench, machine: Machine) -> None:
    function = machine.add("0000:15:02.0", "0000:1a:00.1", NIC, "vfio-pci")
    link(function / "physfn", machine.functions[THE_NIC])
    bench.run(after=10)
    device = bench.host.devices.current["0000:1a:00.1"]
    assert (device.status, device.parent, device.missed) == (Status.PASSED_THROUGH, THE_NIC, False)
    assert not any("0000:1a:00.1" in name for name in bench.values())


def test_errors_name_themselves(bench: Bench, machine: Machine) -> None:
    put(machine.functions[THE_GPU], {
        "aer_dev_correctable": b"RxErr 41\nBadTLP 2\nTOTAL_ERR_COR 43\n",
        "aer_dev_fatal": b"CmpltTO 1\nTOTAL_ERR_FATAL 1\n",
    })  # fmt: skip
    bench.run(after=10)
    correctable, fatal = bench.events()
    assert (correctable.severity, dict(correctable.attributes)) == (
        Severity.INFO,
        {"severity": "correctable", "errors": "2", "BadTLP": "2"},
    )
    assert (fatal.kind, fatal.severity) == (EventKind.PCIE_ERROR, Severity.CRITICAL)
    assert fatal.text == f"gpu {THE_GPU}: 1 fatal PCIe error: CmpltTO"
    assert [finding.check.name for finding in evaluate(bench.host, ERRORS)] == ["pcie_fatal_errors"]


def test_garbage_costs_the_errors_of_one_device(bench: Bench, machine: Machine) -> None:
    put(machine.functions[THE_GPU], {"aer_dev_fatal": b"\xff", "current_link_width": b"\xff"})
    values = bench.run(after=10)
    assert list(bench.skipped) == [f"{THE_GPU} errors"]
    assert not any(name.startswith(f"hw_pcie_aer_errors_total{{pci={THE_GPU}") for name in values)
    assert f"hw_pcie_link_degraded{{pci={THE_GPU},class=gpu}}" not in values
    assert f"hw_pcie_aer_errors_total{{pci={THE_NIC},severity=fatal}}" in values


def test_hot_plug(bench: Bench, machine: Machine) -> None:
    machine.remove(THE_GPU)
    assert degraded(bench, THE_GPU) is None
    assert bench.host.devices.current[THE_GPU].status is Status.LOST
    machine.functions[THE_GPU] = machine.add("0000:15:01.0", THE_GPU, GPU, "nvidia")
    assert degraded(bench, THE_GPU) == 0
    assert bench.host.devices.current[THE_GPU].status is Status.PRESENT
    machine.remove(THE_NIC)
    machine.functions[THE_NIC] = machine.add("0000:15:02.0", THE_NIC, {**NIC, "device": "0x1023"}, "mlx5_core")
    bench.run(after=10)
    assert bench.host.devices.current[THE_NIC].facts["device_id"] == "1023", "another card in the same slot"
    assert [event.kind for event in bench.events()] == [
        EventKind.DEVICE_LOST,
        EventKind.DEVICE_RETURNED,
        EventKind.DEVICE_CHANGED,
    ]


def test_a_host_without_pci(tmp_path: Path) -> None:
    assert Bench(Pcie, tmp_path).attempt() is State.ABSENT


def test_the_real_host() -> None:
    bench = Bench(Pcie)
    if bench.attempt() is State.ABSENT:
        return
    for address, device in bench.host.devices.current.items():
        assert Path("/sys/bus/pci/devices", address).exists()
        assert int(Path("/sys/bus/pci/devices", address, "vendor").read_text(), 16) == int(
            device.facts["vendor_id"], 16
        )
