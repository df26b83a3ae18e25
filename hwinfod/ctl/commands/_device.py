# SPDX-License-Identifier: MIT
"""A device as a person names it: by the name that `hwinfoctl devices` shows, or by its id."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hwinfod.ctl.failures import FAILED, Failure
from hwinfod.ctl.terminal import printable

if TYPE_CHECKING:
    from hwinfod.ctl.client import Client
    from hwinfod.wire.devices import DeviceRecord


def find_id(client: Client, text: str) -> str:
    """The text itself where none is called so: an event may tell of a device that is forgotten. Raises Failure where
    several are."""
    found = _matching(client, text)
    return _only(found, text)["id"] if found else text


def find(client: Client, text: str) -> DeviceRecord:
    """Raises Failure where none is called so, and where several are."""
    found = _matching(client, text)
    if not found:
        raise Failure(f"no device has the name or id {printable(text)}", "hwinfoctl devices", FAILED)
    return _only(found, text)


def _only(found: list[DeviceRecord], text: str) -> DeviceRecord:
    if len(found) > 1:
        ids = ", ".join(printable(device["id"]) for device in found)
        raise Failure(f"several devices are called {printable(text)}", f"their ids: {ids}", FAILED)
    return found[0]


def _matching(client: Client, text: str) -> list[DeviceRecord]:
    devices: list[DeviceRecord] = client.get("/v1/devices")["devices"]
    return [device for device in devices if device["id"] == text] or [
        device for device in devices if text in (device["name"], f"{device['kind']} {device['name']}")
    ]
