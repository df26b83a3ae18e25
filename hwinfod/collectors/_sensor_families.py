# SPDX-License-Identifier: MIT
"""The families of the sensors collector."""

from __future__ import annotations

from hwinfod.core.metric import Kind, Level, Metric

_LABELS = ("chip", "device", "sensor", "label")
_HWMON = "/sys/class/hwmon/hwmon*"
_CHIPS_OF_DRIVES = frozenset({"nvme", "drivetemp"})  # dozens on some nodes


def _input(name: str, unit: str, help_: str, files: str, level: Level = Level.STANDARD) -> Metric:
    return Metric(
        name=f"hw_{name}",
        kind=Kind.GAUGE,
        unit=unit,
        help=help_,
        source=f"{_HWMON}/{files}",
        labels=_LABELS,
        level=level,
        aside={"chip": _CHIPS_OF_DRIVES},
    )


def _limit(name: str, unit: str, what: str, files: str) -> Metric:
    return Metric(
        name=f"hw_{name}",
        kind=Kind.GAUGE,
        unit=unit,
        help=f"{what} at which the chip or its maker sets a limit, by the kind of limit.",
        source=f"{_HWMON}/{files}",
        labels=(*_LABELS, "limit"),
        level=Level.DETAILED,
    )


# By the kernel's name of the quantity.
INPUTS = {
    "temp": _input("temperature_celsius", "celsius", "Temperature that a sensor reports.", "temp*_input"),
    "fan": _input("fan_speed_rpm", "", "Revolutions a minute of a fan.", "fan*_input"),
    "power": _input("power_watts", "watts", "Power that a sensor reports.", "power*_input or power*_average"),
    "in": _input("voltage_volts", "volts", "Voltage that a sensor reports.", "in*_input", Level.DETAILED),
    "curr": _input("current_amperes", "amperes", "Current that a sensor reports.", "curr*_input", Level.DETAILED),
}
LIMITS = {
    "temp": _limit("temperature_limit_celsius", "celsius", "Temperature", "temp*_{min,max,crit,emergency,lcrit}"),
    "fan": _limit("fan_speed_limit_rpm", "", "Revolutions a minute", "fan*_{min,max}"),
    "power": _limit("power_limit_watts", "watts", "Power", "power*_{cap,max,crit}"),
    "in": _limit("voltage_limit_volts", "volts", "Voltage", "in*_{min,max,crit,lcrit}"),
    "curr": _limit("current_limit_amperes", "amperes", "Current", "curr*_{min,max,crit,lcrit}"),
}
ZONE_TEMPERATURE = Metric(
    name="hw_thermal_zone_temperature_celsius",
    kind=Kind.GAUGE,
    unit="celsius",
    help="Temperature of a zone that the kernel's thermal control watches.",
    source="/sys/class/thermal/thermal_zone*/temp",
    labels=("zone", "type"),
)
ZONE_LIMIT = Metric(
    name="hw_thermal_zone_limit_celsius",
    kind=Kind.GAUGE,
    unit="celsius",
    help="Temperature of a zone at which the kernel shuts the machine down.",
    source="/sys/class/thermal/thermal_zone*/trip_point_*_temp, type critical",
    labels=("zone", "type"),
    level=Level.DETAILED,
)

# One of many on a part whose whole has a sensor too: cores of a package (coretemp), dies of one (k10temp), places in a
# drive (nvme).
DETAILED_LABELS = ("Core ", "Tccd", "Sensor ")
