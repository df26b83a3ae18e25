# SPDX-License-Identifier: MIT
"""hwmon: temperatures, fans, power, voltages and currents of every chip that has a driver.

Source: Documentation/hwmon/sysfs-interface.rst, Documentation/ABI/testing/sysfs-class-hwmon. Reading may go over i2c,
call ACPI, send a command to a drive or interrupt a processor: it may sleep, and it may hang.
"""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from hwinfod.errors import ParseError
from hwinfod.sources.files import Attribute, list_directory, list_inodes, parse_int, read_int, read_text
from hwinfod.sources.pci import find_pci_directory, read_is_suspended

if TYPE_CHECKING:
    from collections.abc import Iterable

    from hwinfod.core.host import RootPaths

# A meter that has no momentary value has an average (ACPI power meters, amdgpu).
_CHANNEL = re.compile(r"((temp|fan|power|in|curr)(?:0|[1-9]\d{0,3}))_(input|average)\Z", re.ASCII)

# How many of the kernel's units make one of ours: millidegrees, rpm, microwatts, millivolts, milliamperes.
_PER_UNIT = {"temp": 1000, "fan": 1, "power": 1_000_000, "in": 1000, "curr": 1000}

# Attribute to what it means: OpenTelemetry's hw.limit_type, in one word of the kernel where there is none.
_LIMITS = {
    "lcrit": "low_critical",
    "min": "low",
    "max": "high",
    "cap": "cap",
    "crit": "critical",
    "emergency": "emergency",
}
_LARGEST = 1 << 53


@dataclass(frozen=True, slots=True)
class Sensor:
    """One channel of a chip. `quantity` is temp, fan, power, in or curr; `channel` the kernel's name (temp1);
    `label` what the driver calls it, "" where it does not; `limits` in base units, by meaning."""

    quantity: str
    channel: str
    label: str
    attribute: str
    limits: tuple[tuple[str, float], ...]


@dataclass(frozen=True, slots=True)
class Chip:
    """One hwmon device. `number` (hwmon3) may change from boot to boot; `name` is the driver's name for the chip,
    `device` that of the device it sits on (a PCI address, coretemp.0, nvme0, 6-0058), "" for one that sits on none;
    `pci_directory` the PCI function above it, which may sleep, or ""."""

    number: str
    name: str
    device: str
    pci_directory: str
    sensors: tuple[Sensor, ...]

    @property
    def pci_address(self) -> str:
        return os.path.basename(self.pci_directory)

    @property
    def is_suspended(self) -> bool:
        """Whether reading would wake what sleeps, or fail."""
        return bool(self.pci_directory) and read_is_suspended(self.pci_directory)


class SensorReader:
    """One sensor, read again and again."""

    __slots__ = ("_file", "_per_unit")

    def __init__(self, roots: RootPaths, chip: Chip, sensor: Sensor) -> None:
        self._file = Attribute(roots.sys("class/hwmon", chip.number, f"{sensor.channel}_{sensor.attribute}"))
        self._per_unit = _PER_UNIT[sensor.quantity]

    def read(self) -> int | float:
        """In degrees Celsius, rpm, watts, volts or amperes. Raises ReadError where this sensor has no value now,
        ParseError where it has none that is a number."""
        return to_base_unit(parse_int(self._file.read()), self._per_unit)

    def close(self) -> None:
        self._file.close()


def parse_channels(names: Iterable[str]) -> dict[str, tuple[str, str]]:
    """From the file names of a chip its channels: name to quantity and the attribute to read."""
    channels: dict[str, tuple[str, str]] = {}
    for name in sorted(names):  # NAME_input comes after NAME_average, and is preferred
        match = _CHANNEL.match(name)
        if match and (match[3] == "input" or match[2] == "power"):
            channels[match[1]] = (match[2], match[3])
    return dict(sorted(channels.items(), key=lambda item: _channel_order(item[0])))


def to_base_unit(raw: int, per_unit: int) -> int | float:
    """Raises ParseError on a number that no sensor has."""
    if not -_LARGEST < raw < _LARGEST:
        raise ParseError(f"sensor value {raw}")
    return raw if per_unit == 1 else raw / per_unit


def list_chips(roots: RootPaths) -> dict[str, int]:
    """The numbers of all chips (hwmon0, hwmon1...), each with what changes when another chip gets the number."""
    return list_inodes(roots.sys("class/hwmon"))


def read_chip(roots: RootPaths, number: str) -> Chip:
    """One chip with its sensors, limits and labels. What cannot be read is missing; nothing is raised."""
    directory = roots.sys("class/hwmon", number)
    device = os.path.realpath(os.path.join(directory, "device"))
    has_device = os.path.isdir(device)
    pci = find_pci_directory(device) if has_device else ""
    # A sleeping GPU would be woken for its limits; they come with the next look at it.
    asleep = bool(pci) and read_is_suspended(pci)
    sensors = [
        _read_sensor(directory, channel, quantity, attribute, with_limits=not asleep)
        for channel, (quantity, attribute) in parse_channels(list_directory(directory)).items()
    ]
    return Chip(
        number=number,
        name=read_text(os.path.join(directory, "name")),
        device=os.path.basename(device) if has_device else "",
        pci_directory=pci,
        sensors=tuple(sensors),
    )


def _read_sensor(directory: str, channel: str, quantity: str, attribute: str, *, with_limits: bool) -> Sensor:
    limits = []
    for name, meaning in _LIMITS.items() if with_limits else ():
        raw = read_int(os.path.join(directory, f"{channel}_{name}"))
        if raw is not None and -_LARGEST < raw < _LARGEST:
            limits.append((meaning, to_base_unit(raw, _PER_UNIT[quantity])))
    return Sensor(quantity, channel, read_text(os.path.join(directory, f"{channel}_label")), attribute, tuple(limits))


def _channel_order(channel: str) -> tuple[str, int]:
    quantity = channel.rstrip("0123456789")
    return quantity, int(channel[len(quantity) :])
