# SPDX-License-Identifier: MIT
"""`hwinfoctl gpus` and `gpu`: what a person sees of GPUs that work, and of those that are gone."""

from __future__ import annotations

import pytest

from hwinfod.collectors import _amd_families as amd
from hwinfod.collectors import _gpu_families as gpu
from hwinfod.collectors import _nvidia_families as nvidia
from hwinfod.core.device import Device, Status
from hwinfod.ctl import __main__ as ctl
from hwinfod.ctl.commands.gpu import _parts
from tests.unit.ctl.test_commands import RouteClient, run
from tests.unit.serve.test_api import Asker

LABELS = ("0", "GPU-1")


@pytest.fixture
def asker(monkeypatch):
    RouteClient.asker = asker = Asker()
    monkeypatch.setattr(ctl, "Client", RouteClient)
    facts = {"gpu": "0", "uuid": "GPU-1", "model": "H100", "pci": "0000:18:00.0"}
    asker.host.devices.report("nvidia", Device("GPU-1", "gpu", "0 H100", facts))
    columns = {
        (gpu.UP, LABELS): 1, (gpu.UTILIZATION, LABELS): 0.5, (gpu.TEMPERATURE, (*LABELS, "gpu")): 61,
        **{(nvidia.LINK_UP, (*LABELS, str(link))): 1 for link in range(18)},
    }  # fmt: skip
    table = asker.host.runners["everything"].tables["sample"]
    group = table.bind_columns(list(columns))
    table.begin()
    group.set(list(columns.values()))
    table.publish(asker.host.clock.boottime_ns())
    return asker


def test_what_is_gone_is_a_sentence_and_no_column(asker, capsys):
    lost = {"gpu": "1", "uuid": "GPU-2", "pci": "0000:19:00.0", "driver": "nvidia"}
    given = {"pci": "0000:b9:00.0", "driver": "vfio-pci"}
    asker.host.devices.report("nvidia", Device("GPU-2", "gpu", "1", lost, status=Status.LOST))
    asker.host.devices.report("nvidia", Device("gpu:b9", "gpu", "b9", given, status=Status.PASSED_THROUGH))
    head, first, second, third = run(capsys, "gpus")[1].splitlines()
    assert first.split()[:2] == ["0", "50%"]
    assert second.split()[:3] == ["1", "LOST", "since"]
    assert second.split()[4:] == ["0000:19:00.0", "nvidia"]
    assert third.split()[:4] == ["-", "PASSED", "THROUGH", "since"]
    assert len(head) < 80


def test_links_are_those_of_the_vendor(asker, capsys):
    table = asker.host.runners["everything"].tables["sample"]
    columns = [(amd.XGMI_LINKS, (*LABELS, "active")), (gpu.MEMORY_LIMIT, LABELS), (gpu.UP, LABELS)]
    group = table.bind_columns(columns)
    table.begin()
    group.set([7, 128 << 30, 1])
    table.publish(asker.host.clock.boottime_ns())
    head, line = run(capsys, "gpus")[1].splitlines()
    assert head.split()[-3:] == ["XGMI", "HEALTH", "OWNER"]
    assert "7" in line.split()
    assert "-/128" in line.split()


def test_one_gpu_is_one_screen(asker, capsys):
    lines = run(capsys, "gpu", "0")[1].splitlines()
    (links,) = [line for line in lines if line.startswith("nvlink_up")]
    assert links.split() == "nvlink_up 1 each of 18".split()
    assert any(line.split() == ["temperature_celsius", "gpu", "61", "C"] for line in lines)


@pytest.mark.parametrize(("by_label", "parts"), [
    ({"10": 1, "2": 2, "9": 3}, ["2 2", "9 3", "10 1"]),
    ({"0": 7, "1": 7, "2": 7}, ["7 each of 3"]),
    ({"default": 7, "max": 7, "min": 7}, ["default 7", "max 7", "min 7"]),
    ({"a": 0, "b": 0, "c": 0}, ["0 each of 3"]),
    ({"a": 0, "b": 1, "c": 0}, ["b 1", "2 others 0"]),
    ({"a": 0, "b": 1, "c": 2}, ["a 0", "b 1", "c 2"]),
    ({"failed": 0, "pending": 0}, ["failed 0", "pending 0"]),
    ({"\x1b": "on"}, ["? on"]),
])  # fmt: skip
def test_what_is_the_same_is_said_once(by_label, parts):
    assert _parts("name", by_label) == parts
