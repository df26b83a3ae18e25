# SPDX-License-Identifier: MIT
"""What the daemon has said by now, through everything that the checks before did to it."""

from __future__ import annotations

import json
from typing import Any

from system import SERVICE, ctl, expect, main_pid, memory_of, note, output


def _entries() -> list[Any]:
    """What the daemon wrote, not what systemd said of it."""
    said = output("journalctl", "--no-pager", "--output=json", f"_SYSTEMD_UNIT={SERVICE}")
    return [json.loads(line) for line in said.splitlines()]


def check_each_line_has_its_priority(_: object) -> None:
    entries = _entries()
    assert {entry["PRIORITY"] for entry in entries} <= {"3", "4", "6"}
    expect([entry["MESSAGE"] for entry in entries if str(entry["MESSAGE"]).startswith("<")], [])
    ready = [entry for entry in entries if "collectors sampling" in entry["MESSAGE"]]
    expect({entry["PRIORITY"] for entry in ready}, {"6"})


def check_there_is_no_traceback(_: object) -> None:
    text = "\n".join(str(entry["MESSAGE"]) for entry in _entries())
    assert "Traceback" not in text, text[-5000:]


def check_its_memory_is_noted(_: object) -> None:
    minutes = ctl("status")["daemon_uptime_seconds"] / 60
    memory = memory_of(main_pid())
    note(f"MiB after {minutes:.1f} minutes", memory)
    assert memory["VmRSS"] > 1
