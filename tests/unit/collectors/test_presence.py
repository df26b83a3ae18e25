# SPDX-License-Identifier: MIT
from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from hwinfod.collectors.presence import DEVICES_MISSING, Presence, accept_inventory, class_of, take_inventory
from hwinfod.core.check import evaluate
from hwinfod.core.device import Device, Status
from hwinfod.core.event import EventKind, Severity
from hwinfod.core.health import State
from hwinfod.settings.daemon import STATE_DIR
from hwinfod.sources.inventory import FILE
from tests.support.bench import Bench


def pci(id_: str, class_: str, **more: Any) -> Device:
    facts = {"class": class_, "physical_function": more.pop("physical_function", "")}
    return Device(id=id_, kind="pci", name=id_, facts=facts, **more)


GPUS = [pci(f"0000:1{n}:00.0", "gpu") for n in range(8)]
CARD = pci("0000:3a:00.0", "network")
OTHERS = [
    pci("0000:03:00.0", "display"),
    pci("0000:3a:00.2", "network", physical_function="0000:3a:00.0"),
    Device(id="kernel", kind="kernel", name="Linux", facts={}),
    Device(id="GPU-1", kind="gpu", name="0 H100", facts={"pci": "0000:18:00.0"}),
]
DIMM = Device(id="dimm:mc0/dimm0", kind="dimm", name="A1", facts={})


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    """The collectors that see PCI devices and modules have looked."""
    bench = Bench(Presence, tmp_path, {STATE_DIR: str(tmp_path)})
    looked: Any = SimpleNamespace(health=SimpleNamespace(state=State.OK), tables={})
    bench.host.runners = {"pcie": looked, "edac": looked, "presence": bench.runner}
    see(bench, [*GPUS, CARD, *OTHERS])
    return bench


def see(bench: Bench, devices: list[Device]) -> None:
    bench.host.devices.reconcile("pcie", devices)


def test_classes() -> None:
    assert [class_of(device) for device in (GPUS[0], CARD, *OTHERS, DIMM)] == ["gpu", "network", *[""] * 4, "dimm"]
    lost = replace(GPUS[1], status=Status.LOST)
    given = replace(GPUS[2], status=Status.PASSED_THROUGH)
    assert take_inventory([GPUS[0], lost, given, *OTHERS]) == {"gpu": (GPUS[0].id, GPUS[2].id)}


def test_without_an_inventory_nothing_is_expected(bench: Bench) -> None:
    assert bench.run() == {"hw_devices_present{class=gpu}": 8, "hw_devices_present{class=network}": 1}


def test_a_gpu_that_is_lost(bench: Bench, tmp_path: Path) -> None:
    accept_inventory(bench.host, str(tmp_path))
    assert bench.run() == {
        "hw_devices_present{class=gpu}": 8,
        "hw_devices_expected{class=gpu}": 8,
        "hw_devices_missing{class=gpu}": 0,
        "hw_devices_present{class=network}": 1,
        "hw_devices_expected{class=network}": 1,
        "hw_devices_missing{class=network}": 0,
    }
    assert evaluate(bench.host, [DEVICES_MISSING]) == []
    see(bench, [*GPUS[:7], CARD])
    values = bench.run()
    assert (values["hw_devices_present{class=gpu}"], values["hw_devices_missing{class=gpu}"]) == (7, 1)
    (finding,) = evaluate(bench.host, [DEVICES_MISSING])
    assert finding.text == "1 of the expected devices of class gpu are missing"
    lost = [event.device for event in bench.events() if event.kind is EventKind.DEVICE_LOST]
    assert sorted(lost) == sorted([GPUS[7].id, *(device.id for device in OTHERS)]), "told once, by who saw it"


def test_one_that_was_never_seen_since_the_start_is_told_once(bench: Bench, tmp_path: Path) -> None:
    see(bench, [])
    bench.host.devices.reconcile("pcie", [*GPUS, CARD])
    accept_inventory(bench.host, str(tmp_path))
    later = Bench(Presence, tmp_path, {STATE_DIR: str(tmp_path)})
    later.host.runners = bench.host.runners
    see(later, [*GPUS[:7], CARD])
    later.run()
    later.run(after=120)
    (event,) = later.events()
    assert (event.kind, event.severity, event.device) == (EventKind.DEVICE_LOST, Severity.WARNING, GPUS[7].id)
    assert event.text == f"gpu {GPUS[7].id}: in the inventory of 2023-11-14, and not here"


def test_a_card_in_another_slot_is_missing_in_its_own(bench: Bench, tmp_path: Path) -> None:
    accept_inventory(bench.host, str(tmp_path))
    see(bench, [*GPUS[:7], pci("0000:99:00.0", "gpu"), CARD])
    values = bench.run()
    assert (values["hw_devices_present{class=gpu}"], values["hw_devices_missing{class=gpu}"]) == (8, 1)


def test_before_anybody_has_looked_nothing_is_missing(bench: Bench, tmp_path: Path) -> None:
    accept_inventory(bench.host, str(tmp_path))
    bench.host.runners["pcie"].health.state = State.STARTING
    assert bench.run() == {"hw_devices_expected{class=gpu}": 8, "hw_devices_expected{class=network}": 1}


def test_a_new_inventory_is_taken_and_a_broken_one_is_none(bench: Bench, tmp_path: Path) -> None:
    accept_inventory(bench.host, str(tmp_path))
    bench.run()
    see(bench, GPUS[:4])
    accept_inventory(bench.host, str(tmp_path))
    assert bench.run()["hw_devices_expected{class=gpu}"] == 4
    (tmp_path / FILE).write_bytes(b"garbage")
    for _ in range(2):
        assert bench.run() == {"hw_devices_present{class=gpu}": 4}
        assert list(bench.skipped) == [FILE]
    (tmp_path / FILE).unlink()
    bench.run()
    assert bench.skipped == {}
