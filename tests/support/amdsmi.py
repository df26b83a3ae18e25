# SPDX-License-Identifier: MIT
"""A stand-in for ROCm's library: a real shared object (tests/fakes/amdsmi.c) under the real bindings.

fake = FakeAmdSmi(directory, {"boards": 1, "board.0.bdf": "0000:05:00.0", "board.0.xgmi_errors": 1})
Daemon.start(host=host, **fake.environ)
"""

from __future__ import annotations

import functools
import re
import subprocess
import tempfile
from collections.abc import Mapping
from importlib.util import find_spec
from pathlib import Path

SOURCE = Path(__file__).parents[1] / "fakes/amdsmi.c"
_SYMBOL = re.compile(r"_libraries\['libamd_smi\.so'\]\.(\w+)")
_FLAGS = ("-shared", "-fPIC", "-O2", "-Wall", "-Wextra", "-Werror")


@functools.cache
def build(without: tuple[str, ...] = ()) -> Path:
    """The directory with the library, once a run of the tests. `without` are functions that it does not have, as one
    of an older ROCm than the bindings."""
    spec = find_spec("amdsmi")
    assert spec is not None, "pip install amdsmi"
    wanted = set(_SYMBOL.findall(Path(str(spec.origin)).with_name("amdsmi_wrapper.py").read_text()))
    own = set(re.findall(r"^int (amdsmi_\w+)\(", SOURCE.read_text(), re.MULTILINE))
    assert own <= wanted, f"the bindings do not know {own - wanted}"
    directory = Path(tempfile.mkdtemp(prefix="hwinfod-amdsmi-"))
    stubs = directory / "stubs.c"
    stubs.write_text("".join(f"int {n}(void);\nint {n}(void) {{ return 2; }}\n" for n in sorted(wanted - own)))
    exports = directory / "exports"
    exports.write_text(f"{{ global: *; local: {''.join(f'{name}; ' for name in without)}_none; }};\n")
    command = ["gcc", *_FLAGS, f"-Wl,--version-script={exports}", "-o", directory / "libamd_smi.so", SOURCE, stubs]
    subprocess.run(command, check=True)
    return directory


class FakeAmdSmi:
    """The library with its control file; `environ` makes a program load it."""

    def __init__(self, directory: Path, state: Mapping[str, object], *, without: tuple[str, ...] = ()) -> None:
        self.control = directory / "amdsmi.control"
        self.journal = directory / "amdsmi.journal"
        self.journal.touch()
        self.environ = {"LD_LIBRARY_PATH": str(build(without)), "HWINFOD_FAKE_AMDSMI": str(self.control)}
        self.write(state)

    def write(self, state: Mapping[str, object]) -> None:
        lines = {"journal": self.journal, **state}
        new = self.control.with_suffix(".new")
        new.write_text("".join(f"{key} {value}\n" for key, value in lines.items()))
        new.rename(self.control)

    def calls(self) -> list[str]:
        return self.journal.read_text().splitlines()
