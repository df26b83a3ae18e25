# SPDX-License-Identifier: MIT
"""What happened: /v1/events."""

from __future__ import annotations

from typing import TypedDict


class EventRecord(TypedDict):
    id: int
    version: int
    kind: str
    severity: str
    text: str
    device: str
    owner: str
    attributes: dict[str, str]
    count: int
    first_seconds: float
    last_seconds: float


class Events(TypedDict):
    """`version` is what to ask for next: ?since=VERSION gives what is new or was counted up."""

    version: int
    events: list[EventRecord]
