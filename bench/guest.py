# SPDX-License-Identifier: MIT
"""The deb in guests of Debian, where nothing but the package is: from start to READY, and memory after ten minutes.

Emulation makes time some ten times longer and memory no larger: `start` has the time on this machine.
"""

from __future__ import annotations

import tempfile
from pathlib import Path

from bench.report import Line
from tests.support import packages
from tests.vm import vm
from tests.vm.build import SUITES

_SECONDS = 600
_SCRIPT = f"""
set -e
dpkg --install hwinfod.deb
sleep {_SECONDS}
PYTHONPATH=$IN python3 -c '
import json
from system import main_pid, memory_of, seconds_to_ready, seconds_of_processor
print(json.dumps([memory_of(main_pid()), seconds_to_ready(), seconds_of_processor()]))
' >"$OUT/figures"
"""


def measure() -> list[Line]:
    with tempfile.TemporaryDirectory(prefix="bench-") as name:
        deb = packages.build("deb", Path(name), ["amd64"])["amd64"]
        return [line for suite in SUITES for line in _measure(suite, deb)]


def _measure(suite: str, deb: Path) -> list[Line]:
    tests = packages.ROOT / "tests"
    files = {
        "hwinfod.deb": deb,
        "system.py": tests / "packaging/guest/system.py",
        "in_guest.py": tests / "vm/in_guest.py",
    }
    result = vm.run(_SCRIPT, files, suite=suite, image="plain", limit_seconds=_SECONDS + 300)
    memory, seconds, busy = result.check().json("figures")
    note = f"anonymous {memory['RssAnon']:.1f}, files {memory['RssFile']:.1f}; CPU {busy:.0f} s, emulated"
    return [
        Line(f"{suite}: RSS after {_SECONDS // 60} minutes", memory["VmRSS"], "MiB", 36, note=note),
        Line(f"{suite}: start to READY", seconds, "s", note="emulated"),
    ]
