# SPDX-License-Identifier: MIT
"""What systemd itself keeps in the tree: units, login sessions, users.

The names are reported as systemctl takes them, so that escapes stay. Source: systemd src/basic/cgroup-util.c.
"""

from __future__ import annotations

from hwinfod.owners.identity import SESSION, UNIT, USER, Owner
from hwinfod.owners.rules.segments import is_hex, is_number

_UNITS = (".service", ".scope", ".mount", ".socket", ".swap")
_ID_LENGTH = 64


def unit(segments: list[str], position: int) -> Owner | None:
    """A unit that can hold processes, a session, a user's manager, or a user's slice."""
    segment = segments[position]
    if segment.endswith(_UNITS):
        return _unit(segment)
    if segment.endswith(".slice"):
        uid = segment[5:-6] if segment.startswith("user-") else ""
        return Owner(USER, user=uid) if is_number(uid) else None
    if segment.endswith((".user", ".session")):  # upstart with cgmanager: /user/1000.user/c2.session
        uid = segment.partition(".")[0]
        return Owner(USER, user=uid) if is_number(uid) else Owner(SESSION)
    return None


def _unit(segment: str) -> Owner | None:
    name = segment[1:] if segment[0] == "_" else segment  # cg_escape(): cpu.service is also a controller's file
    if name.startswith("session-") and name.endswith(".scope"):
        return Owner(SESSION, unit=name)
    if name.startswith("user@") and name.endswith(".service"):
        uid = name[5:-8]
        return Owner(UNIT, unit=name, user=uid if is_number(uid) else None)
    if name.endswith(".mount") and _names_container(name):
        return None  # a runtime's overlay or shm mount: no process lives there, and there is one per container
    return Owner(UNIT, unit=name)


def _names_container(name: str) -> bool:
    return any(len(part) == _ID_LENGTH and is_hex(part) for part in name.replace(".", "-").split("-"))
