# SPDX-License-Identifier: MIT
from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hwinfod.sources.dmi import drop_placeholder, parse_chassis_type, read_dmi
from hwinfod.sources.files import Roots
from tests.support.sysfs import put

SUPERMICRO = {
    "sys_vendor": "Supermicro", "product_name": "SYS-821GE-TNHR", "product_version": "0123456789",
    "product_sku": "To be filled by O.E.M.", "product_family": "Family", "product_serial": "S511207X3A00417",
    "chassis_type": 23, "bios_version": "2.4", "board_name": " X13DEG-OAD\x01 ", "ec_firmware_release": "1.2",
}  # fmt: skip


def test_facts(tmp_path: Path) -> None:
    put(tmp_path / "class/dmi/id", SUPERMICRO)
    dmi = read_dmi(Roots(sysfs=str(tmp_path)))
    assert dmi is not None
    assert (dmi.system_vendor, dmi.product_name, dmi.product_serial) == (
        "Supermicro",
        "SYS-821GE-TNHR",
        "S511207X3A00417",
    )
    assert (dmi.product_version, dmi.product_sku, dmi.product_family, dmi.chassis_serial) == ("", "", "", "")
    assert (dmi.chassis_type, dmi.board_name, dmi.controller_firmware) == ("rack mount chassis", "X13DEG-OAD", "1.2")


def test_a_machine_without_dmi(tmp_path: Path) -> None:
    assert read_dmi(Roots(sysfs=str(tmp_path))) is None


@pytest.mark.parametrize("text", ["Default string", "To Be Filled By O.E.M.", "Not Specified", "N/A", "0123456789", ""])
def test_placeholders(text: str) -> None:
    assert drop_placeholder(text) == ""
    assert drop_placeholder("PowerEdge XE9680") == "PowerEdge XE9680"


@pytest.mark.parametrize(("text", "name"), [("23", "rack mount chassis"), ("151", "rack mount chassis"), ("17",
                         "main server chassis"), ("99", ""), ("", ""), ("x", ""), ("9" * 5000, "")])  # fmt: skip
def test_chassis(text: str, name: str) -> None:
    assert parse_chassis_type(text) == name


@given(st.text())
def test_arbitrary_text(text: str) -> None:
    assert drop_placeholder(text) in (text, "")
    assert parse_chassis_type(text).isprintable()
