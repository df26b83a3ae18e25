# SPDX-License-Identifier: MIT
"""The machine goes down with the service running."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

from system import expect, is_active, state_directory

_KEPT = Path(os.environ["OUT"], "reboot.json")


def boot_id() -> str:
    return Path("/proc/sys/kernel/random/boot_id").read_text()


def remembered() -> Any:
    """The boot before, and the state directory as it was then."""
    return json.loads(_KEPT.read_text())


def check_it_runs_when_the_machine_goes_down(_: object) -> None:
    expect((is_active(), is_active("hwinfod.socket")), (True, True))
    _KEPT.write_text(json.dumps({"boot": boot_id(), "state": state_directory()}))
