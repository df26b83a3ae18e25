# SPDX-License-Identifier: MIT
"""What comes and goes around the GPUs: driver, library, resets, modes, profilers, and the daemon's own letting go."""

from __future__ import annotations

import logging
import shutil
from collections.abc import Callable

import pytest

from hwinfod.collectors.nvidia import Nvidia
from hwinfod.collectors.nvidia_events import NvidiaEvents
from hwinfod.core.collector import Collector
from hwinfod.core.device import Status
from hwinfod.core.event import EventKind
from hwinfod.core.health import State
from hwinfod.core.runner import RESCAN_SECONDS
from tests.support import nvml_profiles as profiles
from tests.support.nvml import XID
from tests.support.nvml_machine import Machine, of
from tests.support.nvml_profiles import pci, uuid
from tests.support.sysfs import put

pytestmark = pytest.mark.tier("compiler")

Start = Callable[..., Machine]
GPUS = range(8)
TICKS = 60


def without_anything(machine: Machine) -> None:
    machine.unload_driver()
    for gpu in GPUS:
        machine.unplug(gpu)


def without_library(machine: Machine) -> None:
    shutil.rmtree(machine.fake.place)


def without_driver(machine: Machine) -> None:
    """The library is there, and finds no kernel module."""
    machine.fake.fail("nvmlInitWithFlags", 9)


LACKS = {
    without_anything: "no NVIDIA driver and no NVIDIA GPU",
    without_library: "no libnvidia-ml.so.1, though there is NVIDIA hardware or a driver; see nvidia.library_roots",
    without_driver: "the NVIDIA driver is not loaded",
}


@pytest.mark.parametrize("lack", LACKS)
def test_where_there_is_nothing_one_line_says_so(
    a100: Machine, caplog: pytest.LogCaptureFixture, lack: Callable[[Machine], None]
) -> None:
    """And every ten seconds one look: no table is filled, no handle is asked for."""
    caplog.set_level(logging.INFO)
    lack(a100)
    a100.fake.record()
    values = a100.bench()
    events = a100.bench(NvidiaEvents, beside=values)
    for tick in range(TICKS):
        if tick % RESCAN_SECONDS == 0:
            assert values.attempt(after=0) is State.ABSENT
        events.attempt()
        assert events.runner.health.state in (State.OK, State.ABSENT)
    assert values.reason == LACKS[lack]
    assert values.runner.wait_seconds("sample") == RESCAN_SECONDS
    assert values.runner.health.failures == events.runner.health.failures == 0
    assert [(line.levelno, line.getMessage()) for line in caplog.records] == [
        (logging.INFO, f"nvidia: not on this host: {LACKS[lack]}")
    ]
    looks = TICKS / RESCAN_SECONDS
    calls = [name for name, _ in a100.fake.calls()]
    assert calls == ["nvmlInitWithFlags"] * int(2 * looks if lack is without_driver else 0)


@pytest.mark.parametrize("kind", [Nvidia, NvidiaEvents])
def test_a_driver_that_is_loaded_later_is_found(a100: Machine, kind: type[Collector]) -> None:
    a100.unload_driver()
    for gpu in GPUS:
        a100.unplug(gpu)
    bench = a100.bench(kind)
    assert bench.attempt() is State.ABSENT
    a100.load_driver()
    for gpu in GPUS:
        a100.plug(gpu)
    a100.fake.event(5, XID, 79)
    bench.run()
    values = bench.run(after=RESCAN_SECONDS)
    if kind is Nvidia:
        assert [values[of(gpu, "up")] for gpu in GPUS] == [1] * 8
    else:
        a100.fake.event(5, XID, 79)
        assert [name for name in bench.run() if "xid_errors" in name and f"uuid={uuid(5)}" in name]


def test_a_reset_by_hand_is_survived(a100: Machine) -> None:
    """nvidia-smi -r: the GPU wants it, the daemon lets go for it, and has the same GPU afterwards."""
    bench = a100.bench()
    bench.run()
    a100.fake.lose(3, 16)
    assert bench.run()[of(3, "up")] == 0
    assert bench.host.devices.current[uuid(3)].status is Status.PRESENT
    a100.fake.record()
    bench.host.hold.take(600, "asked for")
    assert bench.host.hold.holding() == []
    assert [name for name, _ in a100.fake.calls()] == ["nvmlShutdown"]
    assert bench.run() == {"hwinfod_gpu_released": 1}
    a100.fake.mend()
    bench.host.hold.drop()
    values = bench.run()
    assert [values[of(gpu, "up")] for gpu in GPUS] == [1] * 8
    assert bench.host.devices.current[uuid(3)].facts["gpu"] == "3"


def test_a_release_ends_by_itself(a100: Machine) -> None:
    values = a100.bench()
    events = a100.bench(NvidiaEvents, beside=values)
    values.run()
    events.run()
    values.host.hold.take(600, "asked for")
    assert values.host.hold.holding() == []
    assert of(0, "up") not in values.run(after=598)
    events.run(after=0)
    assert values.host.hold.holding() == []
    assert values.run(after=2)[of(0, "up")] == 1
    events.run(after=0)
    assert values.host.hold.holding() == ["nvidia", "nvidia_events"]


def test_a_pending_mode_is_let_happen_once_in_ten_minutes(a100: Machine) -> None:
    bench = a100.bench()
    bench.run()
    a100.fake.set("gpu.1.mig.pending", 1)
    bench.run("facts")
    assert bench.host.hold.is_active
    assert bench.host.hold.reason == "a change of the MIG mode of GPU 1 is pending"
    assert bench.host.hold.holding() == []
    assert bench.run(after=61)[of(1, "up")] == 1
    bench.run("facts", after=10)
    assert not bench.host.hold.is_active
    bench.run("facts", after=600)
    assert bench.host.hold.is_active
    assert len([event for event in bench.events() if event.kind is EventKind.GPU_RELEASED]) >= 1
    a100.fake.set("gpu.1.mig.current", 1)
    bench.run(after=61)
    bench.run("facts", after=600)
    assert not bench.host.hold.is_active
    assert bench.host.devices.current[uuid(1)].facts["mig_mode"] == "on"


@pytest.mark.parametrize("name", ["nv-hostengine", "dcgm-exporter", "ncu", "nsys", "nsys-launcher"])
def test_gpm_is_left_to_whoever_profiles(h100: Machine, name: str) -> None:
    """Not one call of GPM is made while it runs; whatever else has that in its name is no profiler."""
    put(h100.directory / "proc/4241", {"comm": f"not-{name}"[:15]})
    bench = h100.bench()
    bench.run()
    bench.run("facts")
    bench.run()
    assert bench.run()[of(0, "sm_active_ratio")] == 0.815
    put(h100.directory / "proc/4242", {"comm": name})
    bench.run("facts")
    bench.run()
    h100.fake.record()
    values = bench.run()
    assert not [call for call, _ in h100.fake.calls() if "Gpm" in call]
    assert (of(0, "sm_active_ratio") in values, values[of(0, "utilization_ratio")]) == (False, 0.37)


@pytest.mark.parametrize(("function", "skipped"), [
    ("nvmlGpmSampleGet", [f"GPU {gpu} GPM" for gpu in GPUS if gpu != 2]),
    ("nvmlGpmMigSampleGet", ["GPU 2 GPM"]),
    ("nvmlDeviceGetMaxMigDeviceCount", ["GPU 2 MIG"]),
    ("nvmlDeviceGetMigDeviceHandleByIndex", ["GPU 2 MIG"]),
    ("nvmlDeviceGetAttributes_v2", ["GPU 2 MIG"]),
])  # fmt: skip
def test_what_is_refused_is_noted(h100: Machine, function: str, skipped: list[str]) -> None:
    h100.fake.fail(function, 4)
    bench = h100.bench()
    reason = f"{function.removesuffix('_v2')}: no permission"
    for _ in range(2):
        bench.run()
        assert bench.skipped == dict.fromkeys(skipped, reason)


def test_gpm_samples_a_gpu_instance_once_a_tick(h100: Machine) -> None:
    """However many compute instances share it: two samples must be 100 ms apart."""
    first = {key: value for key, value in h100.fake.state.items() if key.startswith("gpu.2.mig.0.")}
    h100.fake.update({key.replace("mig.0", "mig.1"): value for key, value in first.items()})
    h100.fake.update({"gpu.2.mig.1.uuid": "MIG-second", "gpu.2.mig.1.ci": 1})
    bench = h100.bench()
    bench.run()
    h100.fake.record()
    values = bench.run()
    assert h100.fake.calls().count(("nvmlGpmMigSampleGet", 2)) == 2, "the instance that is shared, and the other one"
    assert [value for name, value in values.items() if "mig_sm_active" in name] == [0.5, 0.5, 0.52]


def test_a_gpu_that_works_is_known_to_work(start: Start) -> None:
    """Its link is judged by that: what idles may save power."""
    machine = start(profiles.h100(4, mig=(2, 3)))
    machine.fake.update({"gpu.1.utilization.gpu": 2, "gpu.1.gpm.2": 1.5, "gpu.3.gi.1.gpm.2": 0, "gpu.3.gi.9.gpm.2": 0})
    bench = machine.bench()
    bench.run()
    bench.run()
    idle = [bench.host.activity.idle_seconds(pci(gpu)) for gpu in range(4)]
    assert idle == [0, None, 0, None]
    machine.fake.update({"gpu.0.utilization.gpu": 0, "gpu.0.gpm.2": 0})
    bench.run()
    assert bench.host.activity.idle_seconds(pci(0)) == 1
