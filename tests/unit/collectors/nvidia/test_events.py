# SPDX-License-Identifier: MIT
from __future__ import annotations

import errno
import fcntl
import logging
import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from hwinfod.collectors.nvidia import Nvidia
from hwinfod.collectors.nvidia_events import NvidiaEvents
from hwinfod.core.event import Event, EventKind, Severity
from hwinfod.core.health import State
from hwinfod.core.runner import RESCAN_SECONDS
from hwinfod.errors import Denied
from tests.support import nvml_profiles as profiles
from tests.support.bench import Bench
from tests.support.nvml import XID
from tests.support.nvml_machine import Machine, of
from tests.support.nvml_profiles import pci, uuid

pytestmark = pytest.mark.tier("compiler")

Start = Callable[..., Machine]


@pytest.fixture
def bench(a100: Machine) -> Bench:
    """With the inventory that the other collector makes."""
    bench = a100.bench(NvidiaEvents)
    values = a100.bench(Nvidia)
    values.run()
    bench.host.devices = values.host.devices
    return bench


def errors(bench: Bench) -> list[Event]:
    return [event for event in bench.events() if event.kind is EventKind.GPU_ERROR]


def test_an_xid_is_counted_and_told(bench: Bench, a100: Machine) -> None:
    assert bench.run() == {}
    a100.fake.event(3, XID, 79)
    values = bench.run()
    assert values[of(3, "xid_errors_total", xid="79", **{"class": "hardware"})] == 1
    assert values[of(3, "xid_last_timestamp_seconds", xid="79")] == pytest.approx(bench.clock.wall_ns() / 1e9)
    (event,) = errors(bench)
    assert event.severity is Severity.CRITICAL
    assert event.device == uuid(3)
    assert event.text == "GPU 3 A100-SXM4-80GB: Xid 79 (hardware): the GPU has fallen off the bus"


def test_a_flood_is_one_event(bench: Bench, a100: Machine) -> None:
    bench.run()
    for _ in range(300):
        a100.fake.event(1, XID, 13)
    values = bench.run()
    assert values[of(1, "xid_errors_total", xid="13", **{"class": "application"})] == 300
    (event,) = errors(bench)
    assert (event.severity, event.count) == (Severity.INFO, 300)


def test_other_events_are_counted_and_the_bad_ones_told(bench: Bench, a100: Machine) -> None:
    bench.run()
    a100.fake.event(0, 0x10)
    a100.fake.event(0, 0x2)
    values = bench.run()
    assert values[of(0, "events_total", event="clock_changed")] == 1
    assert values[of(0, "events_total", event="ecc_uncorrected")] == 1
    assert [event.text for event in errors(bench)] == ["GPU 0 A100-SXM4-80GB: ecc uncorrected"]


def test_a_lost_gpu_leaves_the_set_and_the_others_stay(bench: Bench, a100: Machine) -> None:
    bench.run()
    a100.fake.lose(2)
    a100.fake.fail("nvmlEventSetWait_v2", 15)
    bench.run()
    a100.fake.mend()
    a100.fake.lose(2)
    bench.run()
    a100.fake.event(5, XID, 31)
    assert bench.run()[of(5, "xid_errors_total", xid="31", **{"class": "application"})] == 1


def test_a_gpu_that_wakes_up_joins_the_set(a100: Machine) -> None:
    """And nothing of the others is lost by that."""
    a100.sleep(4)
    bench = a100.bench(NvidiaEvents)
    bench.run()
    a100.fake.event(4, XID, 31)
    assert bench.run(after=RESCAN_SECONDS) == {}
    a100.sleep(4, asleep=False)
    a100.fake.record()
    a100.fake.event(5, XID, 31)
    bench.run(after=RESCAN_SECONDS)
    a100.fake.event(4, XID, 31)
    values = bench.run()
    for gpu in (4, 5):
        assert values[f"hw_gpu_xid_errors_total{{gpu=,uuid={uuid(gpu)},xid=31,class=application}}"] == 1
    calls = a100.fake.calls()
    assert [gpu for name, gpu in calls if name == "nvmlDeviceRegisterEvents"] == [4]
    assert "nvmlEventSetFree" not in {name for name, _ in calls}


def test_events_that_are_refused_are_noted(a100: Machine) -> None:
    a100.fake.fail("nvmlDeviceRegisterEvents", 4, gpu=3)
    bench = a100.bench(NvidiaEvents)
    for _ in range(2):
        bench.run()
        assert bench.skipped == {"events of GPU number 3": "nvmlDeviceRegisterEvents: no permission"}
    a100.fake.mend()
    a100.sleep(4)  # a reason to look anew
    bench.run(after=RESCAN_SECONDS)
    assert bench.skipped == {}
    bench.runner.close()
    a100.fake.fail("nvmlEventSetCreate", 4)
    bench = a100.bench(NvidiaEvents)
    for _ in range(2):
        bench.run()
        assert bench.skipped == {"events": "nvmlEventSetCreate: no permission"}


def test_a_board_without_events_says_so_once(start: Start, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    bench = start(profiles.gb10()).bench(NvidiaEvents)
    for _ in range(3):
        bench.run(after=RESCAN_SECONDS)
    assert bench.skipped == {}
    said = [message for message in caplog.messages if "support" in message]
    assert said == ["this driver or GPU does not support nvmlDeviceGetSupportedEventTypes: it tells no events"]


def test_a_log_that_may_not_be_read_is_noted(a100: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(path: str, *, from_start: bool) -> None:
        raise Denied(path, errno.EPERM)

    monkeypatch.setattr("hwinfod.collectors._nvidia_event_reader.KernelLog", refuse)
    bench = a100.bench(NvidiaEvents)
    for _ in range(2):
        bench.run()
        assert bench.skipped["kernel log"].endswith("/dev/kmsg: Operation not permitted; CAP_SYSLOG allows it")


def test_without_a_driver_it_stays_quiet(a100: Machine) -> None:
    a100.fake.set("fail.nvmlInitWithFlags", 9)
    bench = a100.bench(NvidiaEvents)
    assert bench.attempt() is State.OK
    assert bench.skipped == {}


class Log:
    """The kernel's log of a machine: a FIFO in packet mode, one write is one read."""

    def __init__(self, machine: Machine) -> None:
        path = machine.directory / "root/dev/kmsg"
        path.parent.mkdir(parents=True)
        os.mkfifo(path)
        self.fd = os.open(path, os.O_RDWR | os.O_NONBLOCK)
        fcntl.fcntl(self.fd, fcntl.F_SETFL, os.O_DIRECT | os.O_NONBLOCK)

    def say(self, text: str, seconds: float, *, priority: int = 3) -> None:
        os.write(self.fd, f"{priority},1,{int(seconds * 1e6)},-;{text}\n".encode())


@pytest.fixture
def log(a100: Machine) -> Iterator[Log]:
    log = Log(a100)
    yield log
    os.close(log.fd)


OFF_THE_BUS = "NVRM: Xid (PCI:0000:1e:00): 79, pid=88213, name=python3, GPU has fallen off the bus."


def test_the_log_names_the_process_and_is_not_counted_twice(log: Log, bench: Bench, a100: Machine) -> None:
    bench.run()
    log.say(OFF_THE_BUS, bench.clock.monotonic())
    a100.fake.event(3, XID, 79)
    assert bench.run()[of(3, "xid_errors_total", xid="79", **{"class": "hardware"})] == 1
    (event,) = errors(bench)
    assert (event.count, event.attributes["pid"], event.attributes["process"]) == (1, "88213", "python3")
    assert event.private == {"pid", "process"}


def test_what_the_log_remembers_is_counted_and_no_event(log: Log, bench: Bench) -> None:
    log.say(OFF_THE_BUS, bench.clock.monotonic() - 100)
    values = bench.run()
    assert values[of(3, "xid_errors_total", xid="79", **{"class": "hardware"})] == 1
    age = bench.clock.wall_ns() / 1e9 - values[of(3, "xid_last_timestamp_seconds", xid="79")]
    assert age == pytest.approx(101, abs=0.01)
    assert errors(bench) == []


def test_what_the_log_said_of_an_address_is_its_gpus(log: Log, a100: Machine) -> None:
    """The log is read before there is an inventory; the GPU may be known by its address alone at first."""
    a100.drive(3)
    a100.fake.lose(3)
    values = a100.bench(Nvidia)
    bench = a100.bench(NvidiaEvents, beside=values)
    log.say(OFF_THE_BUS, bench.clock.monotonic() - 100)

    def counted() -> dict[str, int | float]:
        return {name: value for name, value in bench.run().items() if "xid_errors" in name}

    labels = "xid=79,class=hardware"
    assert counted() == {f"hw_gpu_xid_errors_total{{gpu=,uuid=0000:1e:00,{labels}}}": 1}
    values.run()
    assert counted() == {f"hw_gpu_xid_errors_total{{gpu=3,uuid=gpu:{pci(3)},{labels}}}": 1}
    a100.fake.remove("gpu.3.fail")
    values.run(after=61)
    bench.run()  # both let go before one connects anew
    values.run()
    bench.run()
    a100.fake.event(3, XID, 79)
    a100.fake.event(3, XID, 79)
    assert counted() == {f"hw_gpu_xid_errors_total{{gpu=3,uuid={uuid(3)},{labels}}}": 2}
    log.say(OFF_THE_BUS, bench.clock.monotonic())
    assert counted() == {f"hw_gpu_xid_errors_total{{gpu=3,uuid={uuid(3)},{labels}}}": 2}
    assert [event.device for event in errors(bench)] == [uuid(3)]


def test_a_process_cannot_forge_an_xid(log: Log, bench: Bench) -> None:
    bench.run()
    log.say(OFF_THE_BUS, bench.clock.monotonic(), priority=11)
    assert bench.run() == {}


def test_a_switch_has_errors_of_its_own(log: Log, bench: Bench) -> None:
    """Each is three lines or more."""
    bench.run()
    for line in ("Non-fatal, Link 32 egress", "Severity 0 Engine instance 32 Sub-engine instance 00", "Data {0x50, 0}"):
        log.say(f"nvidia-nvswitch3: SXid (PCI:0000:c1:00.0): 12028, {line}", bench.clock.monotonic())
    labels = "{pci=0000:c1:00.0,sxid=12028,class=non-fatal}"
    told = bench.clock.wall_ns() / 1e9
    values = bench.run()
    assert values == {
        f"hw_nvswitch_sxid_errors_total{labels}": 1,
        f"hw_nvswitch_sxid_last_timestamp_seconds{labels}": pytest.approx(told),
    }
    (event,) = errors(bench)
    assert (event.text, event.count) == ("NVSwitch 0000:c1:00.0: SXid 12028 non-fatal", 1)


def test_a_host_without_nvidia_is_absent(tmp_path: Path) -> None:
    assert Bench(NvidiaEvents, tmp_path).attempt() is State.ABSENT
