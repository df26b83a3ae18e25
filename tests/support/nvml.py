# SPDX-License-Identifier: MIT
"""A stand-in for NVIDIA's library: a real shared object (tests/fakes/nvml.c) that says what its control file says.

fake = FakeNvml(directory, profiles.a100(8))
fake.set("gpu.3.temperature.0", 71)
fake.fail("nvmlDeviceGetTemperature", 15, gpu=3)
"""

from __future__ import annotations

import functools
import os
import subprocess
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

SOURCES = Path(__file__).parents[1] / "fakes"
VARIABLE = "HWINFOD_FAKE_NVML"
VERSION = "570.124.06"
XID = 8  # nvml.h nvmlEventTypeXidCriticalError
_FLAGS = ("-shared", "-fPIC", "-O2", "-Wall", "-Wextra", "-Werror", "-Wl,-soname,libnvidia-ml.so.1")


@functools.cache
def build(version: str = VERSION, without: Sequence[str] = ()) -> Path:
    """The shared object of a driver version, without some of the functions. Built once a run of the tests."""
    directory = Path(tempfile.mkdtemp(prefix="hwinfod-nvml-"))
    script = directory / "exports"
    hidden = "".join(f"{name}; " for name in without)
    script.write_text(f"{{ global: *; local: {hidden}_none; }};\n")
    library = directory / f"libnvidia-ml.so.{version}"
    command = ["gcc", *_FLAGS, f'-DVERSION="{version}"', f"-Wl,--version-script={script}"]
    subprocess.run([*command, "-o", library, SOURCES / "nvml.c"], check=True)
    return library


class FakeNvml:
    """A directory with `libnvidia-ml.so.1` and the control file. `state` is what the library says; whole changes are
    seen at once: the file is written beside and renamed over."""

    def __init__(
        self,
        directory: Path,
        state: Mapping[str, object],
        *,
        place: Path | None = None,
        without: Sequence[str] = (),
    ) -> None:
        self.place = place or directory / "lib"
        self.place.mkdir(parents=True, exist_ok=True)
        self.control = directory / "nvml.control"
        self.journal = directory / "nvml.journal"
        self.device = directory / "nvidiactl"
        self.device.touch()
        self.state: dict[str, object] = {"device": self.device, **state}
        self._events = 0
        self.install(VERSION, without)
        self.write()

    def install(self, version: str, without: Sequence[str] = ()) -> None:
        """Puts the library of a driver version in place of the one before, as a package upgrade does."""
        library = build(version, tuple(without))
        for old in self.place.glob("libnvidia-ml.so.*.*"):
            old.unlink()
        target = self.place / library.name
        target.write_bytes(library.read_bytes())
        target.chmod(0o755)
        link = self.place / "libnvidia-ml.so.1"
        link.unlink(missing_ok=True)
        link.symlink_to(target.name)

    def write(self) -> None:
        new = self.control.with_suffix(".new")
        new.write_text("".join(f"{key} {value}\n" for key, value in self.state.items()))
        os.rename(new, self.control)

    def set(self, key: str, value: object) -> None:
        self.update({key: value})

    def update(self, values: Mapping[str, object]) -> None:
        self.state.update(values)
        self.write()

    def remove(self, *prefixes: str) -> None:
        """Everything below these keys is not supported any more."""
        gone = [key for key in self.state if any(key == p or key.startswith(f"{p}.") for p in prefixes)]
        for key in gone:
            del self.state[key]
        self.write()

    def fail(self, function: str, code: int, *, gpu: int | None = None) -> None:
        self.set(f"fail.{function}" if gpu is None else f"gpu.{gpu}.fail.{function}", code)

    def lose(self, gpu: int, code: int = 15) -> None:
        """Every call on this GPU fails."""
        self.set(f"gpu.{gpu}.fail", code)

    def mend(self) -> None:
        """No call fails or hangs any more."""
        for key in [key for key in self.state if "fail" in key.split(".") or key == "hang"]:
            del self.state[key]
        self.write()

    def hang(self, function: str, gpu: int | None = None) -> None:
        self.set("hang", function if gpu is None else f"{function} {gpu}")

    def event(self, gpu: int, kind: int, data: int = 0, gi: int = 0xFFFFFFFF, ci: int = 0xFFFFFFFF) -> None:
        self._events += 1
        self.set(f"event.{self._events}", f"{gpu} {kind} {data} {gi} {ci}")

    def processes(self, gpu: int, kind: str, processes: Sequence[tuple[int, int]], *, mig: int | None = None) -> None:
        """`kind` is compute, graphics or mps; (pid, bytes) each."""
        prefix = f"gpu.{gpu}." if mig is None else f"gpu.{gpu}.mig.{mig}."
        self.state[f"{prefix}{kind}.processes"] = len(processes)
        for index, (pid, used) in enumerate(processes):
            self.state[f"{prefix}{kind}.{index}"] = f"{pid} {used} 4294967295 4294967295"
        self.write()

    def samples(self, gpu: int, samples: Sequence[tuple[int, int, int, int, int, int]]) -> None:
        """Of process utilisation: pid, microseconds, SM, memory, encoder, decoder."""
        self.state[f"gpu.{gpu}.samples"] = len(samples)
        for index, sample in enumerate(samples):
            self.state[f"gpu.{gpu}.sample.{index}"] = " ".join(map(str, sample))
        self.write()

    def record(self) -> None:
        """From now on every call is written down."""
        self.journal.unlink(missing_ok=True)
        self.set("journal", self.journal)

    def calls(self) -> list[tuple[str, int]]:
        """Function and GPU (-1: none) of every call since `record`."""
        lines = self.journal.read_text().splitlines() if self.journal.exists() else []
        return [(name, int(gpu)) for name, gpu in (line.split() for line in lines)]

    @property
    def environ(self) -> dict[str, str]:
        return {VARIABLE: str(self.control)}
