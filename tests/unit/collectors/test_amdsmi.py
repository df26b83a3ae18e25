# SPDX-License-Identifier: MIT
"""ROCm's library beside amdgpu's files: only what these do not tell, and no GPU is woken for it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from types import MappingProxyType

import pytest

from hwinfod.collectors.amd import Amd
from hwinfod.collectors.amdsmi import AmdSmi
from hwinfod.core.device import Device, Status
from hwinfod.core.health import State
from hwinfod.errors import Absent
from hwinfod.sources import amdsmi
from hwinfod.sources.amdsmi import BoardReading
from tests.fixtures.host.gpus import GpuHost
from tests.support.bench import Bench

G = "gpu=0,uuid=GPU-cfc7b4d5b96c0a00"
READING = BoardReading({"umc": {"corrected": 3}}, {"power": 0.25}, 1)


class FakeLibrary:
    """Imported so often, and read so often."""

    fault: Absent | None = None
    imports = 0
    reads = 0

    def __init__(self) -> None:
        type(self).imports += 1
        if self.fault is not None:
            raise self.fault

    def read(self) -> dict[str, BoardReading]:
        type(self).reads += 1
        return {"0000:05:00.0": READING, "0000:05:00.1": READING}


@pytest.fixture
def library(monkeypatch: pytest.MonkeyPatch) -> type[FakeLibrary]:
    kind = type("Library", (FakeLibrary,), {})
    monkeypatch.setattr(amdsmi, "Library", kind)
    monkeypatch.setattr(AmdSmi, "refused", None)
    return kind


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(AmdSmi, tmp_path)


@pytest.fixture
def devices(tmp_path: Path, library: type[FakeLibrary]) -> Mapping[str, Device]:
    """As the collector of AMD GPUs reports them."""
    GpuHost(tmp_path).add_instinct(0)
    other = Bench(Amd, tmp_path)
    other.run()
    return other.host.devices.current


def test_violations_and_links(bench, devices):
    bench.host.devices.current = devices
    assert bench.run() == {f"hw_gpu_violation_ratio{{{G},violation=power}}": 0.25, f"hw_gpu_xgmi_error_state{{{G}}}": 1}


def test_error_counts_where_the_driver_has_none(bench, devices, tmp_path):
    for file in (tmp_path / "sys").rglob("*_err_count"):
        file.unlink()
    bench.host.devices.current = devices
    assert bench.run()[f"hw_gpu_ecc_errors_total{{{G},type=corrected,memory=umc}}"] == 3


def test_a_sleeping_gpu_is_not_woken(bench, devices, library):
    bench.host.devices.current = devices
    bench.run()
    asleep = {id_: replace(device, status=Status.SUSPENDED) for id_, device in devices.items()}
    bench.host.devices.current = MappingProxyType(asleep)
    assert bench.run() == {}
    assert library.reads == 1


def test_without_amdgpu_nothing_is_imported(bench, library):
    assert bench.attempt() is State.ABSENT
    assert (bench.reason, library.imports) == ("amdgpu is not loaded", 0)


def test_before_anybody_has_reported_a_gpu_nothing_is_imported(bench, devices, library):
    assert bench.attempt() is State.ABSENT
    assert (bench.reason, library.imports) == ("no AMD GPU has been reported yet", 0)


def test_what_does_not_fit_is_not_tried_every_ten_seconds(bench, devices, library):
    bench.host.devices.current = devices
    library.fault = Absent("AMD SMI does not fit: KeyError")
    for _ in range(3):
        assert bench.attempt(after=10) is State.ABSENT
        assert bench.reason == "AMD SMI does not fit: KeyError"
    assert library.imports == 1
    library.fault = None
    assert bench.attempt(after=601) is State.OK
