# SPDX-License-Identifier: MIT
"""Real processes that appear and end by the thousand a second: tests/fakes/storm.c."""

from __future__ import annotations

import mmap
import struct
import subprocess
from pathlib import Path

from tests.support.processes import Program

_SOURCE = Path(__file__).parents[1] / "fakes/storm.c"
_RECENT = 4096


class Storm(Program):
    """`rate` processes a second, for so many seconds."""

    def __init__(self, directory: Path, rate: int, seconds: float) -> None:
        program, tally = directory / "storm", directory / "tally"
        subprocess.run(["gcc", "-O2", "-Wall", "-Wextra", "-Werror", "-o", program, _SOURCE], check=True)
        super().__init__([program, str(rate), str(seconds), tally])
        self.wait_until(lambda: tally.exists() and tally.stat().st_size > 0, "its tally")
        with tally.open("rb") as file:
            self._tally = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)

    @property
    def is_blowing(self) -> bool:
        return self.process.poll() is None

    @property
    def made(self) -> int:
        """Processes so far."""
        return int(struct.unpack_from("=Q", self._tally)[0])

    def latest(self, count: int) -> list[int]:
        """The ids of the latest processes, the newest last; most of them have ended already."""
        made = self.made
        ids = struct.unpack_from(f"={_RECENT}I", self._tally, 8)
        return [ids[number % _RECENT] for number in range(max(0, made - count), made) if ids[number % _RECENT]]
