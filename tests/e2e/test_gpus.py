# SPDX-License-Identifier: MIT
"""The real daemon on machines with GPUs: what the vendor's own interface says is what every face says.

The machines are fakes; and, for `make test-gpu`, the one that this runs on, with the same tests.
"""

from __future__ import annotations

import contextlib
import json
import shutil
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support.daemon import Daemon, make_directory
from tests.support.exposition import TEXT, Exposition, parse
from tests.support.gpu_machines import GpuMachine, open_machine, open_nodes, present
from tests.support.gpu_witness import Witness
from tests.support.processes import run
from tests.support.unix_http import Client

DETAILED = "/metrics?level=detailed"
SLACK = {"temperature_celsius": 8, "memory_usage_bytes": 1 << 30}  # what may happen within a second

MACHINES = [
    pytest.param("fake nvidia", marks=pytest.mark.tier("compiler")),
    "fake amd",
    *(pytest.param(f"real {vendor}", marks=pytest.mark.gpu) for vendor in present()),
]


class Running:
    """The daemon on a machine, and its faces, each as a lookup of a metric by GPU."""

    def __init__(self, machine: GpuMachine, daemon: Daemon, textfile: Path) -> None:
        self.machine = machine
        self.daemon = daemon
        self.textfile = textfile

    def ctl(self, *arguments: str) -> str:
        done = run(sys.executable, "-m", "hwinfod.ctl", f"--socket={self.daemon.socket}", *arguments)
        assert done.returncode == 0, done.stderr.decode()
        return done.stdout.decode()

    def gpus(self) -> dict[str, Any]:
        return {gpu["id"]: gpu for gpu in self.daemon.get("/v1/gpus").json()["gpus"]}

    def faces(self) -> dict[str, Callable[[str, str], float | None]]:
        by_ctl = {gpu["id"]: gpu for gpu in json.loads(self.ctl("gpus", "--json"))["gpus"]}
        return {
            "metrics": _of_exposition(self.daemon.scrape(DETAILED)),
            "textfile": _of_exposition(parse(self.textfile.read_bytes(), TEXT)),
            "api": _of_document(self.gpus()),
            "hwinfoctl": _of_document(by_ctl),
        }

    def look(self) -> dict[str, Witness]:
        return {witness.uuid: witness for witness in self.machine.look()}

    def wait_for_news(self) -> None:
        """Until everything was read anew, and the textfile written anew."""
        before = self.textfile.stat().st_ino
        self.daemon.wait_more_samples(self.machine.vendor, 8)
        self.daemon.wait_until(lambda: self.textfile.stat().st_ino != before, "a new textfile")

    def processes(self) -> dict[int, Any]:
        rows = self.daemon.get("/v1/gpus/all/processes").json()["processes"]
        return {row["pid"]: row for row in rows}


def _of_exposition(read: Exposition) -> Callable[[str, str], float | None]:
    values = {}
    for (name, labels), value in read.samples.items():
        known = dict(labels)
        uuid = known.pop("uuid", "")
        known.pop("gpu", None)
        values["/".join((name.removeprefix("hw_gpu_"), *known.values())), uuid] = value
    return lambda name, uuid: values.get((name, uuid))


def _of_document(gpus: dict[str, Any]) -> Callable[[str, str], float | None]:
    def value(name: str, uuid: str) -> float | None:
        family, _, label = name.partition("/")
        gpu = gpus[uuid]
        found = gpu["by_label"].get(family, {}).get(label) if label else gpu["values"].get(name)
        return None if found is None else float(found)

    return value


@pytest.fixture(scope="module", params=MACHINES)
def running(request: pytest.FixtureRequest) -> Iterator[Running]:
    directory = make_directory("textfile")
    with open_machine(request.param) as machine:
        flags = [
            f"--textfile.directory={directory}", "--textfile.interval=1s", "--export.level=detailed",
            f"--collector.{machine.vendor}.processes-interval=1s", *machine.flags,
        ]  # fmt: skip
        with Daemon.start(*flags, host=machine.host, **machine.environ) as daemon:
            daemon.wait_samples(1, machine.vendor)
            daemon.wait_until(lambda: daemon.scrape(DETAILED).series("hw_gpu_up") != {}, "GPUs")
            textfile = directory / "hwinfod.prom"
            daemon.wait_until(textfile.exists, "the textfile")
            yield Running(machine, daemon, textfile)
    shutil.rmtree(directory)


def test_the_inventory_is_the_machines(running: Running) -> None:
    witnesses, gpus = running.look(), running.gpus()
    assert witnesses
    for uuid, witness in witnesses.items():
        gpu = gpus[uuid]
        assert (gpu["status"], gpu["values"]["up"]) == ("present", 1)
        assert gpu["facts"]["pci"] == witness.pci
        assert gpu["facts"]["model"] == witness.model or not witness.model
    state = running.daemon.collectors()[running.machine.vendor]
    assert (state["state"], state["failures"]) == ("ok", 0)


def test_every_face_says_what_the_vendors_interface_says(running: Running) -> None:
    before = running.look()
    running.wait_for_news()
    faces = running.faces()
    after = running.look()
    for uuid, witness in before.items():
        assert {**witness.fixed, **witness.moving}, "something that every board tells"
        for face, value in faces.items():
            for name, fixed in witness.fixed.items():
                assert value(name, uuid) == fixed, (face, name)
            for name, least in witness.growing.items():
                said = value(name, uuid)
                assert said is not None, (face, name)
                assert least <= said <= after[uuid].growing[name], (face, name)
            for name, one in witness.moving.items():
                low, high = sorted((one, after[uuid].moving[name]))
                slack = SLACK[name.partition("/")[0]]
                said = value(name, uuid)
                assert said is not None, (face, name)
                assert low - slack <= said <= high + slack, (face, name)


def test_shares_are_shares(running: Running) -> None:
    ratios = {key: value for key, value in running.daemon.scrape(DETAILED).samples.items() if key[0].endswith("_ratio")}
    of_gpus = {key: value for key, value in ratios.items() if key[0].startswith("hw_gpu_")}
    assert of_gpus
    assert [key for key, value in of_gpus.items() if not 0 <= value <= 1] == []


def test_the_topology_is_the_vendors(running: Running) -> None:
    witnesses = running.look()
    topology = running.daemon.get("/v1/topology").json()
    by_place = {witness.pci: uuid for uuid, witness in witnesses.items()}
    for uuid, witness in witnesses.items():
        assert topology["paths"][uuid][uuid] == "X"
        found = {place: topology["paths"][uuid][by_place[place]] for place in witness.levels}
        assert found == dict(witness.levels)
    told = {frozenset((uuid, by_place[peer])) for uuid, witness in witnesses.items() for peer in witness.linked}
    assert {frozenset(link["ends"]) for link in topology["links"]} == told


def test_screens_name_every_gpu(running: Running) -> None:
    gpus, tree = running.ctl("gpus").splitlines(), running.ctl("topo")
    for uuid in running.look():
        index = running.gpus()[uuid]["gpu"]
        assert any(line.split()[0] == index for line in gpus)
        assert f"gpu {index} " in tree
        assert uuid in running.ctl("gpu", index)


def test_a_process_is_seen_and_gone(running: Running) -> None:
    uuid_of = {witness.pci: uuid for uuid, witness in running.look().items()}
    with running.machine.work() as work:
        running.daemon.wait_until(lambda: work.pid in running.processes(), "the process")
        row = running.processes()[work.pid]
        assert row["gpu"] == running.gpus()[uuid_of[work.pci]]["gpu"]
        assert float(row["amounts"]["memory_bytes"]) >= work.size
        assert str(work.pid) in running.ctl("ps")
    running.daemon.wait_until(lambda: work.pid not in running.processes(), "its end")


def test_the_driver_is_released_and_taken_again(running: Running) -> None:
    """NVIDIA's alone is kept open: amdgpu's files are the kernel's."""
    machine, daemon = running.machine, running.daemon
    has_nodes = machine.vendor == "nvidia"
    assert (open_nodes(daemon.pid, machine) > 0) is has_nodes
    with contextlib.closing(Client(daemon.socket)) as client:
        hold = client.ask("/v1/gpus/release?for=60", method="POST").json()
        assert (hold["released"], hold["holding"]) == (True, [])
        assert open_nodes(daemon.pid, machine) == 0
        client.ask("/v1/gpus/resume", method="POST")
    count = len(running.look())
    daemon.wait_until(lambda: len(daemon.scrape().series("hw_gpu_up")) == count, "the GPUs")
