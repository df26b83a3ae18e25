# SPDX-License-Identifier: MIT
"""GPUs of every kind under the real daemon: what library and files say is what every face says, unit by unit."""

from __future__ import annotations

import json
import re
import shutil
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.fixtures.host import MINIMAL, Host
from tests.support.daemon import Daemon, make_directory
from tests.support.exposition import TEXT, Exposition, parse
from tests.support.gpu_faces import Said, of_api, of_metrics
from tests.support.gpu_profiles import PROFILES, Profile
from tests.support.nvml_machine import PLACE
from tests.support.processes import run

pytestmark = pytest.mark.tier("compiler")

READERS = ("nvidia", "amd", "drm")
FLAGS = (
    "--export.level=detailed", "--textfile.level=detailed", "--textfile.interval=1s",
    f"--nvidia.library-roots={PLACE}",
    "--collector.nvidia.links-interval=1s",
    *(f"--collector.{name}.{beat}-interval=1s" for name in READERS for beat in ("processes", "facts")),
)  # fmt: skip
BAR = re.compile(r"[█░]+")
MOST_SERIES_A_GPU, MOST_SERIES_A_PARTITION = 48, 3
OF_OWNERS = {"memory_unattributed_bytes"}  # comes when somebody was looked for


@dataclass(frozen=True, slots=True)
class Machine:
    profile: Profile
    host: Host
    daemon: Daemon
    textfile: Path

    def metrics(self) -> Exposition:
        return self.daemon.scrape()

    def written(self) -> Exposition:
        return parse(self.textfile.read_bytes(), TEXT)

    def gpus(self) -> dict[str, Any]:
        return dict(self.daemon.get("/v1/gpus").json())

    def ctl(self, *arguments: str) -> str:
        done = run(sys.executable, "-m", "hwinfod.ctl", f"--socket={self.daemon.socket}", *arguments)
        assert done.returncode == 0, done.stderr.decode()
        return done.stdout.decode()


def has_sampled(daemon: Daemon) -> bool:
    """Every value is there: GPM's come with the second sample."""
    readers = [state for name, state in daemon.collectors().items() if name in READERS and state["state"] == "ok"]
    return bool(readers) and all(table["sequence"] >= 2 for state in readers for table in state["tables"])


@pytest.fixture(scope="module", params=PROFILES, ids=[profile.name for profile in PROFILES])
def machine(request: pytest.FixtureRequest) -> Iterator[Machine]:
    profile: Profile = request.param
    directory, textfiles = make_directory("host"), make_directory("textfile")
    host = Host(directory, shape=MINIMAL, seed=1)
    environ = profile.build(host)
    try:
        flags = (*FLAGS, f"--textfile.directory={textfiles}")
        with Daemon.start(*flags, host=host, **environ) as daemon:
            machine = Machine(profile, host, daemon, textfiles / "hwinfod.prom")
            daemon.wait_until(lambda: has_sampled(daemon), "two samples of the GPUs")
            daemon.wait_until(lambda: machine.textfile.exists() and machine.textfile.stat().st_size > 0, "the textfile")
            yield machine
    finally:
        shutil.rmtree(directory)
        shutil.rmtree(textfiles)


def own(said: Said) -> Said:
    return {gpu: {name: v for name, v in values.items() if name not in OF_OWNERS} for gpu, values in said.items()}


def host_memory(machine: Machine) -> dict[str, int]:
    """Of unified memory, as /proc/meminfo of the fixture has it now."""
    lines = (line.split() for line in (Path(machine.host.procfs) / "meminfo").read_text().splitlines())
    kib = {line[0]: int(line[1]) for line in lines}
    total, available = kib["MemTotal:"] * 1024, kib["MemAvailable:"] * 1024
    return {"memory_limit_bytes": total, "memory_usage_bytes": total - available}


def test_every_face_says_what_the_hardware_says(machine: Machine) -> None:
    profile = machine.profile
    expected = dict(profile.said)
    if profile.facts.get("memory") == "unified" and profile.facts["vendor"] == "NVIDIA":
        expected |= host_memory(machine)
    metrics = own(of_metrics(machine.metrics()))
    assert len(metrics) == profile.gpus
    assert metrics[profile.gpu] == expected
    assert own(of_api(machine.gpus())) == metrics
    assert own(of_api(json.loads(machine.ctl("gpus", "--json")))) == metrics
    machine.daemon.wait_until(lambda: own(of_metrics(machine.written())) == metrics, "the same in the textfile")


def test_the_facts_are_on_every_face(machine: Machine) -> None:
    profile = machine.profile
    (gpu,) = [gpu for gpu in machine.gpus()["gpus"] if gpu["gpu"] == profile.gpu]
    assert {name: gpu["facts"].get(name, "") for name in profile.facts} == profile.facts
    for read in (machine.metrics(), machine.written()):
        (info,) = [dict(labels) for labels in read.series("hw_gpu_info") if ("gpu", profile.gpu) in labels]
        assert info == {name: gpu["facts"].get(name, "") for name in info}
        assert set(info) > {"vendor", "model", "pci", "driver", "memory"}
    told = json.loads(machine.ctl("gpu", profile.gpu, "--json"))
    assert (told["facts"], told["partitions"]) == (gpu["facts"], gpu["partitions"])
    names = [part["facts"].get("profile") or part["facts"].get("partition") for part in gpu["partitions"]]
    assert names == list(profile.partitions)


def test_the_screen_has_a_line_for_each(machine: Machine) -> None:
    profile = machine.profile
    _, *lines = machine.ctl("gpus").splitlines()
    assert len(lines) == profile.gpus
    (line,) = [line for line in lines if line.split()[0] == profile.gpu]
    words = [word for word in line.split() if word != "MIG" and not BAR.fullmatch(word)]
    assert words[: len(profile.row)] == list(profile.row), line


def test_the_status_shows_no_nothing_for_what_is_not_told(machine: Machine) -> None:
    (line,) = [line for line in machine.ctl("status").splitlines() if line.startswith("GPU ")]
    assert f"{machine.profile.gpus}/{machine.profile.gpus} up" in line
    assert "0 B of" not in line


def test_what_is_exported_by_default_stays_small(machine: Machine) -> None:
    """Of about 700 series of a node with eight GPUs, these may have half."""
    standard = machine.daemon.scrape("/metrics?level=standard")
    series = [name for name, _ in standard.samples if name.startswith("hw_gpu_")]
    partitions = len(machine.profile.partitions)
    assert len(series) <= machine.profile.gpus * (MOST_SERIES_A_GPU + MOST_SERIES_A_PARTITION * partitions)


def test_nothing_was_amiss(machine: Machine) -> None:
    failures = machine.metrics().series("hwinfod_collector_failures_total")
    assert [dict(labels)["collector"] for labels, count in failures.items() if count] == []
    assert "WARNING" not in machine.daemon.output()
    assert "ERROR" not in machine.daemon.output()
