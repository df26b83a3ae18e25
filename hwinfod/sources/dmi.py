# SPDX-License-Identifier: MIT
"""DMI: what the firmware says about machine, board, chassis and itself.

Source: Documentation/ABI/testing/sysfs-class-dmi (drivers/firmware/dmi-id.c), DMTF DSP0134 (SMBIOS). Serial numbers
and the UUID are readable by root only.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import TYPE_CHECKING

from hwinfod.sources.files import read_text

if TYPE_CHECKING:
    from hwinfod.core.host import RootPaths

# What vendors leave in fields that they were to fill, compared without case and outer dots.
_PLACEHOLDERS = frozenset({
    "", "0", "00000000", "0123456789", "1234567890", "123456789", "default string", "empty", "family", "n/a", "na",
    "none", "not applicable", "not available", "not specified", "oem", "o.e.m", "sku", "system manufacturer",
    "system product name", "system serial number", "system sku number", "system version", "to be filled by o.e.m",
    "type1productconfigid", "undefined", "unknown", "xxxxxxxx", "board serial number", "base board serial number",
    "chassis serial number", "version", "invalid",
})  # fmt: skip

# DSP0134 7.4.1, system enclosure or chassis types.
_CHASSIS_TYPES = {
    1: "other", 2: "unknown", 3: "desktop", 4: "low profile desktop", 5: "pizza box", 6: "mini tower", 7: "tower",
    8: "portable", 9: "laptop", 10: "notebook", 11: "hand held", 12: "docking station", 13: "all in one",
    14: "sub notebook", 15: "space-saving", 16: "lunch box", 17: "main server chassis", 18: "expansion chassis",
    19: "sub chassis", 20: "bus expansion chassis", 21: "peripheral chassis", 22: "RAID chassis",
    23: "rack mount chassis", 24: "sealed-case PC", 25: "multi-system chassis", 26: "compact PCI",
    27: "advanced TCA", 28: "blade", 29: "blade enclosure", 30: "tablet", 31: "convertible", 32: "detachable",
    33: "IoT gateway", 34: "embedded PC", 35: "mini PC", 36: "stick PC",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Dmi:
    """ "" for what the firmware leaves open or we may not read."""

    system_vendor: str
    product_name: str
    product_version: str
    product_family: str
    product_sku: str
    product_serial: str
    product_uuid: str
    board_vendor: str
    board_name: str
    board_version: str
    board_serial: str
    chassis_vendor: str
    chassis_type: str
    chassis_serial: str
    chassis_asset_tag: str
    bios_vendor: str
    bios_version: str
    bios_date: str
    bios_release: str
    controller_firmware: str


_FILES = {
    "system_vendor": "sys_vendor",
    "chassis_asset_tag": "chassis_asset_tag",
    "controller_firmware": "ec_firmware_release",
}


def drop_placeholder(text: str) -> str:
    """A DMI string, or "" for one that only stands there because something had to."""
    return "" if text.strip(" .").lower() in _PLACEHOLDERS else text


def parse_chassis_type(text: str) -> str:
    """The name of a chassis type, "" for one that is not in the standard. The highest bit says that it locks."""
    return _CHASSIS_TYPES.get(int(text) & 0x7F, "") if text.isdecimal() and len(text) < 4 else ""


def read_dmi(roots: RootPaths) -> Dmi | None:
    """Read once: nothing of it changes while the machine runs. None where the machine has no DMI."""
    directory = roots.sys("class/dmi/id")
    if not os.path.isdir(directory):
        return None
    texts = {
        field: drop_placeholder(read_text(os.path.join(directory, _FILES.get(field, field))))
        for field in Dmi.__dataclass_fields__
    }
    return Dmi(**{**texts, "chassis_type": parse_chassis_type(texts["chassis_type"])})
