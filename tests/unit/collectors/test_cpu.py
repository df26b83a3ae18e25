# SPDX-License-Identifier: MIT
from __future__ import annotations

from pathlib import Path

import psutil
import pytest

from hwinfod.collectors.cpu import Cpu
from hwinfod.core.health import State
from hwinfod.core.metric import Level
from tests.support.bench import Bench
from tests.support.sysfs import put

IDLE, IOWAIT = 3, 4


class Machine:
    """Processors whose ticks a test moves; sum and files follow."""

    def __init__(self, directory: Path, cpus: int = 2) -> None:
        self.directory = directory
        self.ticks = {cpu: [100, 10, 50, 1000, 20, 1, 2, 3, 40, 4] for cpu in range(cpus)}
        for cpu in self.ticks:
            put(
                directory / f"sys/devices/system/cpu/cpu{cpu}",
                {
                    "topology/physical_package_id": cpu,
                    "topology/thread_siblings_list": cpu,
                    "microcode/version": "0x2b",
                },
            )
        put(directory / "proc", {"cpuinfo": "vendor_id : GenuineIntel\nmodel name : Xeon"})
        self.show()

    def show(self) -> None:
        total = [sum(column) for column in zip(*self.ticks.values())]
        lines = ["cpu  " + " ".join(map(str, total))]
        lines += [f"cpu{cpu} " + " ".join(map(str, ticks)) for cpu, ticks in self.ticks.items()]
        lines += ["intr 5 1 2", "ctxt 6", "btime 1700000000", "processes 7", "procs_running 8", "procs_blocked 9"]
        put(self.directory / "proc", {"stat": "\n".join([*lines, "softirq 10 1"])})
        put(self.directory / "sys/devices/system/cpu", {"online": ",".join(map(str, self.ticks))})

    def pass_time(self, cpu: int, *, user: int = 0, idle: int = 0, iowait: int = 0) -> None:
        self.ticks[cpu][0] += user
        self.ticks[cpu][IDLE] += idle
        self.ticks[cpu][IOWAIT] += iowait
        self.show()


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    return Machine(tmp_path)


@pytest.fixture
def bench(machine: Machine, tmp_path: Path) -> Bench:
    return Bench(Cpu, tmp_path)


def test_the_first_sample_has_counters_and_no_ratio(bench: Bench) -> None:
    values = bench.run()
    assert values["hw_cpu_seconds_total{mode=user}"] == 2.0
    assert values["hw_cpu_core_seconds_total{cpu=1,mode=idle}"] == 10.0
    assert values["hw_cpu_guest_seconds_total{mode=guest}"] == 0.8
    assert (values["hw_interrupts_total"], values["hw_context_switches_total"]) == (5, 6)
    assert (values["hw_processes_running"], values["hw_processes_blocked"]) == (8, 9)
    assert values["hw_boot_timestamp_seconds"] == 1700000000
    assert (values["hw_cpu_sockets"], values["hw_cpu_cores"]) == (2, 2)
    assert (values["hw_cpu_threads"], values["hw_cpu_threads_online"]) == (2, 2)
    assert not any("utilization" in name for name in values)


def test_utilisation_is_what_is_neither_idle_nor_waiting(machine: Machine, bench: Bench) -> None:
    bench.run()
    machine.pass_time(0, user=25, idle=50, iowait=25)
    machine.pass_time(1, idle=100)
    values = bench.run()
    assert values["hw_cpu_core_utilization_ratio{cpu=0}"] == 0.25
    assert values["hw_cpu_core_utilization_ratio{cpu=1}"] == 0.0
    assert values["hw_cpu_utilization_ratio"] == 0.125


def test_an_interval_without_a_tick_has_no_ratio(machine: Machine, bench: Bench) -> None:
    bench.run()
    machine.pass_time(0, user=1)
    values = bench.run()
    assert values["hw_cpu_core_utilization_ratio{cpu=0}"] == 1.0
    assert "hw_cpu_core_utilization_ratio{cpu=1}" not in values


def test_iowait_that_falls_a_little_is_held(machine: Machine, bench: Bench) -> None:
    bench.run()
    machine.pass_time(0, user=50, idle=60, iowait=-10)
    values = bench.run()
    assert values["hw_cpu_core_seconds_total{cpu=0,mode=iowait}"] == 0.2
    assert values["hw_cpu_core_utilization_ratio{cpu=0}"] == round(50 / 110, 4)
    machine.pass_time(0, user=50, iowait=50)
    values = bench.run()
    assert values["hw_cpu_core_seconds_total{cpu=0,mode=iowait}"] == 0.6
    assert values["hw_cpu_core_utilization_ratio{cpu=0}"] == round(50 / 90, 4)


def test_idle_that_begins_anew_is_a_reset_without_a_ratio(machine: Machine, bench: Bench) -> None:
    bench.run()
    machine.pass_time(0, user=50, idle=-900)
    machine.pass_time(1, user=50, idle=50)
    values = bench.run()
    assert values["hw_cpu_core_seconds_total{cpu=0,mode=idle}"] == 1.0
    assert "hw_cpu_core_utilization_ratio{cpu=0}" not in values
    assert values["hw_cpu_core_utilization_ratio{cpu=1}"] == 0.5
    machine.pass_time(0, user=30, idle=70)
    assert bench.run()["hw_cpu_core_utilization_ratio{cpu=0}"] == 0.3


def test_a_processor_goes_offline_and_comes_back(machine: Machine, bench: Bench) -> None:
    bench.run()
    away = machine.ticks.pop(1)
    machine.show()
    values = bench.run()
    assert values["hw_cpu_threads_online"] == 1
    assert values["hw_cpu_threads"] == 2
    assert not any("cpu=1" in name for name in values)
    assert "hw_cpu_utilization_ratio" not in values, "the sum lost a processor: that interval is dropped"
    machine.ticks[1] = away
    machine.show()
    bench.run()
    machine.pass_time(1, user=10, idle=30)
    assert bench.run()["hw_cpu_core_utilization_ratio{cpu=1}"] == 0.25


def test_each_socket_is_a_device(bench: Bench) -> None:
    bench.run()
    assert bench.infos() == {
        f"hw_cpu_info{{socket={socket},vendor=GenuineIntel,model=Xeon,microcode=0x2b,cores=1,threads=1}}"
        for socket in (0, 1)
    }


def test_a_microcode_update_leaves_an_event_when_processors_change(machine: Machine, bench: Bench) -> None:
    bench.run()
    put(machine.directory / "sys/devices/system/cpu/cpu0/microcode", {"version": "0x2c"})
    del machine.ticks[1]
    machine.show()
    bench.run()
    texts = {str(event.attributes) for event in bench.events()}
    assert any("0x2b -> 0x2c" in text for text in texts)


def test_without_sysfs_the_kernel_still_counts(tmp_path: Path) -> None:
    put(tmp_path / "proc", {"stat": "cpu 1 2 3 4 5 6 7 8 9 10\ncpu0 1 2 3 4 5 6 7 8 9 10"})
    bench = Bench(Cpu, tmp_path)
    values = bench.run()
    assert values["hw_cpu_threads_online"] == 1
    assert "hw_cpu_sockets" not in values
    assert "hw_interrupts_total" not in values
    assert "cpuinfo" in bench.skipped


def test_garbage_fails_and_heals(machine: Machine, bench: Bench) -> None:
    bench.run()
    put(machine.directory / "proc", {"stat": "cpu nonsense"})
    assert bench.attempt() is State.FAILING
    assert "/proc/stat" in bench.reason
    machine.show()
    bench.run()


def test_without_proc_it_is_absent(tmp_path: Path) -> None:
    assert Bench(Cpu, tmp_path).attempt() is State.ABSENT


def test_only_what_is_of_the_whole_host_is_standard(bench: Bench) -> None:
    bench.run()
    assert not any("cpu=" in name for name in bench.values(level=Level.STANDARD))


def test_this_machine_agrees_with_psutil() -> None:
    bench = Bench(Cpu)
    values = bench.run()
    truth = psutil.cpu_times()
    for mode in ("user", "system", "idle"):
        assert values[f"hw_cpu_seconds_total{{mode={mode}}}"] == pytest.approx(getattr(truth, mode), abs=2.0)
    assert values["hw_boot_timestamp_seconds"] == pytest.approx(psutil.boot_time(), abs=1.0)
    assert values["hw_cpu_cores"] == psutil.cpu_count(logical=False)
    assert values["hw_context_switches_total"] == pytest.approx(psutil.cpu_stats().ctx_switches, rel=0.1)
