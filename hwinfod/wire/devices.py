# SPDX-License-Identifier: MIT
"""The inventory: /v1/devices and /v1/inventory."""

from __future__ import annotations

from typing import TypedDict


class DeviceRecord(TypedDict):
    """A device. `status` is present, suspended, passed through or lost, since `status_since_seconds`."""

    id: str
    kind: str
    name: str
    status: str
    parent: str
    version: int
    collector: str
    facts: dict[str, str]
    first_seen_seconds: float
    status_since_seconds: float


class DeviceList(TypedDict):
    devices: list[DeviceRecord]


class Inventory(TypedDict):
    """Device ids by class: what was accepted as the baseline (null time: nothing yet), and what is here."""

    accepted_seconds: float | None
    expected: dict[str, list[str]]
    present: dict[str, list[str]]
