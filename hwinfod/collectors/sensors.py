# SPDX-License-Identifier: MIT
"""Sensors: temperatures, fans, power, voltages and currents of every chip, and the kernel's thermal zones.

A lane of its own: reading a chip may sleep on i2c, call ACPI or send a command to a drive.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from hwinfod.collectors._sensor_families import (
    DETAILED_LABELS,
    INPUTS,
    LIMITS,
    ZONE_LIMIT,
    ZONE_TEMPERATURE,
)
from hwinfod.core.collector import Collector, beat
from hwinfod.core.device import Device
from hwinfod.core.metric import Level
from hwinfod.errors import Absent, Gone, NotProvided, ParseError, ReadError
from hwinfod.sources.hwmon import SensorReader, list_chips, read_chip
from hwinfod.sources.thermal_zone import ZoneReader, list_zones, read_zone

if TYPE_CHECKING:
    from collections.abc import Sequence

    from hwinfod.core.codec import Value
    from hwinfod.core.metric import Metric
    from hwinfod.core.table import Column, Group
    from hwinfod.sources.hwmon import Chip, Sensor

__all__ = ["INPUTS", "LIMITS", "ZONE_LIMIT", "ZONE_TEMPERATURE", "Sensors"]


@dataclass(slots=True)
class _Place:
    """A chip or a zone that is read: its groups of columns, each with the readers of its first columns and the limits
    that stand in the others. `chip` is None for a zone."""

    inode: int
    groups: list[tuple[Group, Sequence[_Reader], tuple[Value, ...]]]
    chip: Chip | None = None
    device: str = ""
    asleep: bool = False


@dataclass(frozen=True, slots=True)
class _Reader:
    """`what` names it for people."""

    what: str
    file: SensorReader | ZoneReader


class Sensors(Collector):
    name = "sensors"
    summary = "hardware sensors: temperatures, fans, power, voltages, currents"
    lane = "sensors"
    in_node_exporter = True
    subsystems = frozenset({"hwmon", "module", "thermal"})

    def open(self) -> None:
        self.places: dict[str, _Place] = {}
        self._follow()
        if not self.places:
            raise Absent("no chip in /sys/class/hwmon, no zone in /sys/class/thermal")

    @beat(seconds=5)
    def sample(self) -> None:
        self._follow()
        for place in self.places.values():
            if place.chip is None or not place.chip.is_suspended:
                for group, readers, limits in place.groups:
                    group.set((*map(self._read, readers), *limits))

    def _read(self, reader: _Reader) -> Value:
        """A fan that is not plugged in or a drive that does not answer costs its own value."""
        self.step(reader.what)
        try:
            return reader.file.read()
        except (NotProvided, Gone):
            return None  # what the chip has no value for, or a chip that the next look will not find
        except (ReadError, ParseError) as error:
            self.skip(reader.what, error)
            return None

    def _follow(self) -> None:
        """Learns which chips and zones came, and gives up those that left."""
        self.step("list chips and zones")
        present = {**list_chips(self.roots), **list_zones(self.roots)}
        gone = [name for name, place in self.places.items() if self._is_gone(place, present.get(name))]
        for name in gone:
            for group, _readers, _limits in self.places.pop(name).groups:
                group.release()
        new = [name for name in present if name not in self.places]
        for name in new:
            add = self._add_chip if name.startswith("hwmon") else self._add_zone
            self.places[name] = add(name, present[name])
        if gone or new:
            self._report()

    def _is_gone(self, place: _Place, inode: int | None) -> bool:
        """Left, replaced by another under its number, or awake now and to be asked for its limits."""
        return place.inode != inode or (place.asleep and place.chip is not None and not place.chip.is_suspended)

    def _add_chip(self, number: str, inode: int) -> _Place:
        self.step(f"look at {number}")
        chip = read_chip(self.roots, number)
        taken = {place.device for place in self.places.values() if place.chip and place.chip.name == chip.name}
        device = f"{chip.device}/{number}" if chip.device in taken else chip.device
        detailed = [sensor for sensor in chip.sensors if sensor.label.startswith(DETAILED_LABELS)]
        standard = [sensor for sensor in chip.sensors if sensor not in detailed]
        groups = [
            self._bind(chip, device, standard, None, with_limits=False),
            self._bind(chip, device, detailed, Level.DETAILED, with_limits=True),
        ]
        return _Place(inode, groups, chip, device, chip.is_suspended)

    def _bind(
        self, chip: Chip, device: str, sensors: list[Sensor], level: Level | None, *, with_limits: bool
    ) -> tuple[Group, Sequence[_Reader], tuple[Value, ...]]:
        """The columns of some sensors; those of detail carry the limits of the whole chip."""
        columns: list[Column] = [_column(INPUTS, chip, device, sensor) for sensor in sensors]
        readers = [
            _Reader(" ".join(filter(None, (chip.name, device, sensor.channel))), SensorReader(self.roots, chip, sensor))
            for sensor in sensors
        ]
        limits: list[Value] = []
        for sensor in chip.sensors if with_limits else ():
            for meaning, value in sensor.limits:
                columns.append(_column(LIMITS, chip, device, sensor, meaning))
                limits.append(value)
        return self.table.bind_columns(columns, level=level), readers, tuple(limits)

    def _add_zone(self, name: str, inode: int) -> _Place:
        self.step(f"look at {name}")
        zone = read_zone(self.roots, name)
        labels = (zone.name, zone.type)
        level = Level.DETAILED if zone.is_in_hwmon else None
        group = self.table.bind_columns([(ZONE_TEMPERATURE, labels), (ZONE_LIMIT, labels)], level=level)
        reader = _Reader(f"{zone.name} ({zone.type})", ZoneReader(self.roots, zone))
        return _Place(inode, [(group, [reader], (zone.critical_celsius,))])

    def _report(self) -> None:
        self.host.devices.reconcile(
            self.name,
            [
                Device(
                    id=f"sensors:{place.chip.name}:{place.device}",
                    kind="sensor chip",
                    name=f"{place.chip.name} {place.device}".strip(),
                    facts={"chip": place.chip.name, "device": place.device, "sensors": str(len(place.chip.sensors))},
                    parent=place.chip.pci_address,
                )
                for place in self.places.values()
                if place.chip is not None
            ],
        )


def _column(families: dict[str, Metric], chip: Chip, device: str, sensor: Sensor, *more: str) -> Column:
    return families[sensor.quantity], (chip.name, device, sensor.channel, sensor.label, *more)
