# SPDX-License-Identifier: MIT
from __future__ import annotations

from pathlib import Path

import pytest

from hwinfod.sources.edac import ErrorCounts, list_controllers, read_controller, read_errors
from hwinfod.sources.files import Roots
from tests.support.sysfs import put

GIBIBYTE = 1 << 30


@pytest.fixture
def roots(tmp_path: Path) -> Roots:
    return Roots(sysfs=str(tmp_path))


def test_dimms(roots: Roots, tmp_path: Path) -> None:
    mc = tmp_path / "devices/system/edac/mc/mc0"
    put(mc, {"mc_name": "Intel_10nm Socket#0 IMC#0", "size_mb": 131072, "ce_count": 18, "ue_count": 0})
    put(mc, {"csrow0/ce_count": 18})  # the old layout stands beside the new one
    for number in (0, 2, 10):
        put(mc / f"dimm{number}", {"dimm_label": f"CPU_SrcID#0_Chan#{number}", "dimm_location": "channel 0 slot 0 ",
                                   "size": 65536, "dimm_mem_type": "Registered-DDR5", "dimm_ce_count": number,
                                   "dimm_ue_count": 0})  # fmt: skip
    assert list_controllers(roots) == ["mc0"]
    controller = read_controller(roots, "mc0")
    assert (controller.model, controller.size_bytes) == ("Intel_10nm Socket#0 IMC#0", 128 * GIBIBYTE)
    assert [dimm.name for dimm in controller.dimms] == ["dimm0", "dimm2", "dimm10"]
    dimm = controller.dimms[2]
    assert (dimm.label, dimm.location, dimm.memory_type) == (
        "CPU_SrcID#0_Chan#10",
        "channel 0 slot 0",
        "Registered-DDR5",
    )
    assert dimm.size_bytes == 64 * GIBIBYTE
    assert read_errors(roots, "mc0") == ErrorCounts(18, 0)
    assert read_errors(roots, "mc0", dimm) == ErrorCounts(10, 0)


def test_csrows(roots: Roots, tmp_path: Path) -> None:
    """A row counts uncorrected errors for all its channels: they are its channel's only where it has one."""
    mc = tmp_path / "devices/system/edac/mc/mc0"
    put(mc, {"mc_name": "amd64", "ce_count": 3, "ue_count": 1})
    put(mc / "csrow0", {"size_mb": 16384, "mem_type": "DDR4", "ue_count": 0, "ch0_ce_count": 1, "ch1_ce_count": 2,
                        "ch0_dimm_label": "A1", "ch1_dimm_label": "B1"})  # fmt: skip
    put(mc / "csrow1", {"size_mb": 8192, "ue_count": 1, "ch0_ce_count": 0})
    dimms = read_controller(roots, "mc0").dimms
    assert [(dimm.name, dimm.label, dimm.location) for dimm in dimms] == [
        ("csrow0.ch0", "A1", "csrow 0 channel 0"),
        ("csrow0.ch1", "B1", "csrow 0 channel 1"),
        ("csrow1.ch0", "", "csrow 1 channel 0"),
    ]
    assert [dimm.size_bytes for dimm in dimms] == [8 * GIBIBYTE] * 3
    counts = [read_errors(roots, "mc0", dimm) for dimm in dimms]
    assert counts == [ErrorCounts(1, None), ErrorCounts(2, None), ErrorCounts(0, 1)]


def test_nothing_and_garbage(roots: Roots, tmp_path: Path) -> None:
    assert list_controllers(roots) == []
    assert read_controller(roots, "mc7").dimms == ()
    put(tmp_path / "devices/system/edac/mc/mc0", {"ce_count": b"\xff", "ue_count": -1, "mcX/ce_count": 1})
    assert read_errors(roots, "mc0") == ErrorCounts(None, None)
