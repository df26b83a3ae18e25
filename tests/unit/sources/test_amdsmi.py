# SPDX-License-Identifier: MIT
"""ROCm's bindings, played by a module of a test's own: they come, do not fit, fail call by call, print."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from hwinfod.errors import Absent
from hwinfod.sources.amdsmi import BoardReading, Library

BINDINGS = """
from enum import IntEnum
print("loading")
calls = []
class AmdSmiGpuBlock(IntEnum):
    INVALID = 0
    UMC = 1
    SDMA = 2
class AmdSmiLibraryException(Exception):
    pass
def amdsmi_init():
    calls.append("init")
    print("noise")
def amdsmi_shut_down():
    calls.append("shut down")
def amdsmi_get_processor_handles():
    return [0, 1]
def amdsmi_get_gpu_device_bdf(handle):
    return ["0000:05:00.0", "0000:C5:00.0"][handle]
def amdsmi_get_gpu_ecc_count(handle, block):
    if block is not AmdSmiGpuBlock.UMC:
        raise AmdSmiLibraryException(2)
    return {"correctable_count": 3, "uncorrectable_count": 2**64 - 1, "deferred_count": "N/A"}
def amdsmi_get_violation_status(handle):
    return {"per_ppt_pwr": 25, "per_hbm_thrm": "N/A", "per_prochot_thrm": 2**64 - 1, "per_socket_thrm": 0}
def amdsmi_gpu_xgmi_error_status(handle):
    return [1, 7][handle]
"""


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Beside it no bindings are installed."""
    tmp_path.chmod(0o755)
    path = [entry for entry in sys.path if not entry.endswith("-packages")]
    monkeypatch.setattr(sys, "path", list(path))
    yield tmp_path
    assert sys.path == path
    sys.modules.pop("amdsmi", None)


def library(place: Path, text: str = BINDINGS) -> Library:
    (place / "amdsmi.py").write_text(text)
    return Library((str(place),))


def test_readings(place, capsys):
    found = library(place).read()
    assert found["0000:05:00.0"] == BoardReading({"umc": {"corrected": 3}}, {"power": 0.25, "thermal": 0}, 1)
    assert found["0000:c5:00.0"].xgmi_errors is None
    assert sys.modules["amdsmi"].calls == ["init", "shut down"]
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("print('Unable to find libamd_smi.so'); raise KeyError('libamd_smi.so')", "does not fit: KeyError"),
        ("raise AttributeError('undefined symbol: amdsmi_get_new_thing')", "does not fit: AttributeError: undefined"),
        ("raise SystemExit(1)", "does not fit: SystemExit"),
        ("raise ImportError('libdrm.so.2')", "does not fit: ImportError"),
        ("import a_module_that_nobody_has", "not installed"),
    ],
)
def test_bindings_that_do_not_fit(place, capsys, text, reason):
    with pytest.raises(Absent, match=reason):
        library(place, text)
    assert "amdsmi" not in sys.modules
    assert capsys.readouterr().out == ""
    assert library(place).read() != {}


def test_a_place_that_others_may_write_is_not_looked_at(place):
    place.chmod(0o777)
    with pytest.raises(Absent, match="not installed"):
        library(place)
    with pytest.raises(Absent, match="not installed"):
        Library((str(place / "none"),))


def test_a_library_without_driver(place):
    text = BINDINGS.replace('    calls.append("init")', "    raise AmdSmiLibraryException(34)")
    with pytest.raises(Absent, match="AmdSmiLibraryException: 34"):
        library(place, text).read()


@pytest.mark.parametrize(
    "call",
    [
        "get_processor_handles",
        "get_gpu_device_bdf",
        "get_gpu_ecc_count",
        "get_violation_status",
        "gpu_xgmi_error_status",
    ],
)
def test_any_call_may_fail_and_the_library_is_shut_down(place, call):
    text = f"{BINDINGS}\ndef amdsmi_{call}(*arguments):\n    raise OverflowError\n"
    found = library(place, text).read()
    assert all(isinstance(reading, BoardReading) for reading in found.values())
    assert sys.modules["amdsmi"].calls == ["init", "shut down"]


@pytest.mark.parametrize("result", ["None", "[]", "{}", "-1", "'N/A'", "2**70", "{'per_ppt_pwr': None}", "b'x'"])
def test_any_answer_is_checked(place, result):
    text = BINDINGS
    for call in ("get_gpu_device_bdf", "get_gpu_ecc_count", "get_violation_status", "gpu_xgmi_error_status"):
        answer = "'0000:05:00.0'" if call == "get_gpu_device_bdf" else result
        text += f"\ndef amdsmi_{call}(*arguments):\n    return {answer}\n"
    (reading,) = library(place, text).read().values()
    assert (reading.violations, reading.xgmi_errors) == ({}, None)
    assert all(counts == {} for counts in reading.errors.values())
