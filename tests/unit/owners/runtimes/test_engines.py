# SPDX-License-Identifier: MIT
"""Docker and Podman: a stand-in at a real socket that lists, inspects and streams events over HTTP."""

from __future__ import annotations

import errno
import json
import socket
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from hwinfod.core.container import DeviceNode
from hwinfod.core.health import State
from hwinfod.core.owner import ContainerName
from hwinfod.errors import Gone
from hwinfod.owners.runtimes import engine_http, engines, link, runtime
from hwinfod.owners.runtimes.collector import EngineContainers
from hwinfod.sources import docker_engine
from tests.support.bench import Bench
from tests.support.runtimes import life, until

A, B = "1f" * 32, "2e" * 32
SOCKET, PODMANS = docker_engine.SOCKETS
UP = f"hwinfod_runtime_up{{collector=engines,socket={SOCKET}}}"


class Engine:
    """Each connection is a thread; events go to everyone who listens. `answer` replaces every answer. `component` is
    what it calls itself."""

    def __init__(self, path: Path, component: str = "Engine") -> None:
        self.path = path
        self.component = component
        self.containers: dict[str, dict[str, Any]] = {}
        self.listening: list[socket.socket] = []
        self.answer: bytes | None = None
        self.asked: list[str] = []
        self.locked: set[str] = set()  # containers that nobody is told of: those connections are `held`
        self.held: list[socket.socket] = []
        self.removing: set[str] = set()  # containers that cannot be inspected
        self.now = 0
        self.start()

    def start(self) -> None:
        self.path.parent.mkdir(parents=True, exist_ok=True)
        self.listener = socket.socket(socket.AF_UNIX)
        self.listener.bind(str(self.path))
        self.listener.listen()
        self.thread = threading.Thread(target=self._accept, args=(self.listener,), daemon=True)
        self.thread.start()

    def stop(self) -> None:
        for each in (self.listener, *self.listening):
            each.shutdown(socket.SHUT_RDWR)
            each.close()
        for each in self.held:
            each.close()
        self.listening.clear()
        self.thread.join(60)
        self.path.unlink()

    def _accept(self, listener: socket.socket) -> None:
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            request = connection.recv(4096)
            if not request:  # whoever came did not like who listens
                connection.close()
                continue
            path = request.split()[1].decode()
            if self.answer is not None:
                connection.sendall(self.answer)
                connection.close()
            elif any(name in path for name in self.locked):
                self.asked.append(path)
                self.held.append(connection)
            elif path.startswith("/events"):
                connection.sendall(b"HTTP/1.0 200 OK\r\nContent-Type: application/json\r\n\r\n")
                self.listening.append(connection)
            else:
                connection.sendall(self._reply(path))
                connection.close()

    def _reply(self, path: str) -> bytes:
        self.asked.append(path)
        if path == docker_engine.LIST:
            body: object = [
                {"Id": each["Id"], "Names": [each["Name"]], "Image": "web:1", "State": each["State"]["Status"],
                 "Created": 1_764_000_000} for each in self.containers.values()
            ]  # fmt: skip
        elif path == docker_engine.VERSION:
            body = {"Components": [{"Name": self.component}]}
        else:
            body = self.containers.get(path.split("/")[2])
        if any(name in path for name in self.removing):
            return b'HTTP/1.0 500 Internal Server Error\r\n\r\n{"message":"container has been removed"}'
        if body is None:
            return b'HTTP/1.0 404 Not Found\r\n\r\n{"message":"No such container"}'
        return b"HTTP/1.0 200 OK\r\nApi-Version: 1.41\r\n\r\n" + json.dumps(body).encode()

    def create(self, name: str, called: str, **host_config: object) -> None:
        self.containers[name] = {
            "Id": name, "Name": f"/{called}", "State": {"Status": "created", "Pid": 0}, "HostConfig": host_config,
        }  # fmt: skip
        self.tell(name, "create")

    def run(self, name: str) -> None:
        self.containers[name]["State"] = {"Status": "running", "Pid": 4711}
        self.tell(name, "start")

    def die(self, name: str, code: int, *, was_killed: bool = False) -> None:
        self.containers[name]["State"] = {"Status": "exited", "Pid": 0, "ExitCode": code, "OOMKilled": was_killed}
        self.tell(name, "die", exitCode=str(code))

    def remove(self, name: str) -> None:
        del self.containers[name]
        self.tell(name, "destroy")

    def tell(self, name: str, action: str, **attributes: str) -> None:
        self.now += 1
        event = {"Type": "container", "Action": action, "Actor": {"ID": name, "Attributes": attributes},
                 "timeNano": 2_000_000_000_000_000_000 + self.now}  # fmt: skip
        for connection in self.listening:
            connection.sendall(json.dumps(event).encode() + b"\n")


@pytest.fixture
def bench(directory: Path) -> Iterator[Bench]:
    bench = Bench(EngineContainers, directory)
    yield bench
    bench.runner.close()


@pytest.fixture
def engine(directory: Path) -> Iterator[Engine]:
    engine = Engine(directory / f"root{SOCKET}")
    yield engine
    engine.stop()


def follow(bench: Bench, engine: Engine) -> None:
    until(bench, lambda: engine.listening and bench.attempt() is State.OK and bench.values().get(UP) == 1)


def test_a_host_without_engines(directory: Path) -> None:
    assert Bench(EngineContainers, directory).attempt() is State.ABSENT


def test_what_is_there(bench: Bench, engine: Engine, directory: Path) -> None:
    (directory / "root/dev").mkdir()
    (directory / "root/dev/kfd").symlink_to("/dev/null")
    nodes = [{"PathOnHost": "/dev/kfd", "PathInContainer": "/dev/amd"}, {"PathOnHost": "/dev/gone"}]
    engine.create(A, "jupyter", Devices=nodes, DeviceRequests=[{"Driver": "nvidia", "DeviceIDs": ["0"]}])
    engine.run(A)
    follow(bench, engine)
    (found,) = bench.host.containers.current["engines"]
    assert found.name == ContainerName(A, "jupyter", image="web:1")
    assert (found.runtime, found.state, found.pid, found.visible_devices) == ("docker", "running", 4711, ("0",))
    assert found.device_nodes == (DeviceNode("/dev/amd", 1, 3),)
    assert bench.events() == []


def test_the_long_dead_are_listed_and_not_inspected(bench: Bench, engine: Engine) -> None:
    for number in range(50):
        engine.create(f"{number:064x}", f"job-{number}")
        engine.die(f"{number:064x}", 0)
    follow(bench, engine)
    assert len(bench.host.containers.current["engines"]) == 50
    assert set(engine.asked) == {docker_engine.VERSION, docker_engine.LIST}


def test_a_life(bench: Bench, engine: Engine) -> None:
    follow(bench, engine)
    engine.create(A, "web")
    until(bench, lambda: len(life(bench, A)) == 1)
    engine.run(A)
    until(bench, lambda: len(life(bench, A)) == 2)
    engine.die(A, 137, was_killed=True)
    until(bench, lambda: len(life(bench, A)) == 4)
    engine.remove(A)
    until(bench, lambda: len(life(bench, A)) == 5)
    assert life(bench, A) == ["created", "started", "out of memory", "exited", "deleted"]
    exited = bench.events()[3]
    assert exited.owner == f"container:docker:{A[:12]}"
    assert exited.attributes["exit_code"] == "137"
    assert {event.attributes["container"] for event in bench.events()} == {"web"}


def test_podmans_socket_by_dockers_name_is_followed_once(bench: Bench, directory: Path) -> None:
    """As the package podman-docker makes it; and where Docker comes later."""
    podman = Engine(directory / f"root{PODMANS}", "Podman Engine")
    dockers = directory / f"root{SOCKET}"
    dockers.symlink_to("podman/podman.sock")
    up = UP.replace(SOCKET, PODMANS)
    until(bench, lambda: bench.attempt() is State.OK and bench.values().get(up) == 1)
    podman.create(A, "web")
    podman.run(A)
    until(bench, lambda: len(life(bench, A)) == 2)
    assert len(podman.listening) == 1
    assert {(event.owner, event.count) for event in bench.events()} == {(f"container:podman:{A[:12]}", 1)}
    assert [container.runtime for container in bench.host.containers.current["engines"]] == ["podman"]
    assert UP not in bench.values()
    dockers.unlink()
    docker = Engine(dockers)
    until(bench, lambda: bench.values().get(UP) == 1)
    podman.stop()
    docker.stop()


def test_an_engine_at_anothers_socket_says_what_it_is(bench: Bench, directory: Path) -> None:
    engine = Engine(directory / f"root{SOCKET}", "Podman Engine")
    engine.create(A, "web")
    follow(bench, engine)
    assert [container.runtime for container in bench.host.containers.current["engines"]] == ["podman"]
    engine.stop()


def test_a_container_that_is_started_again_and_renamed(bench: Bench, engine: Engine) -> None:
    engine.create(A, "web")
    engine.run(A)
    follow(bench, engine)
    engine.containers[A]["Name"] = "/proxy"
    engine.tell(A, "rename")
    until(bench, lambda: bench.host.names.current["engines"].containers[0].container == "proxy")
    engine.die(A, 0)
    engine.run(A)
    until(bench, lambda: len(life(bench, A)) == 2)
    assert life(bench, A) == ["exited", "started"]
    assert bench.events()[0].attributes["container"] == "proxy"


def test_a_list_that_overtakes_the_events(bench: Bench, engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    """As Podman's, whose events go through a log: how a container ended they alone tell."""
    monkeypatch.setattr(runtime, "SETTLE_SECONDS", 5.0)
    engine.now = -1_000_000_000_000_000_000  # all of it was before the list was asked for
    follow(bench, engine)
    engine.create(A, "web")
    engine.run(A)
    until(bench, lambda: len(life(bench, A)) == 2)
    del engine.containers[A]
    lists = engine.asked.count(docker_engine.LIST)
    until(bench, lambda: engine.asked.count(docker_engine.LIST) > lists)
    for _ in range(3):
        bench.attempt()
    assert life(bench, A) == ["created", "started"]
    engine.tell(A, "die", exitCode="137")
    engine.tell(A, "destroy")
    until(bench, lambda: len(life(bench, A)) == 4)
    assert life(bench, A) == ["created", "started", "exited", "deleted"]
    assert bench.events()[2].attributes["exit_code"] == "137"


def test_a_container_that_cannot_be_inspected_while_it_is_removed(bench: Bench, engine: Engine) -> None:
    """As Podman answers: its end is told all the same, and the others are followed."""
    follow(bench, engine)
    engine.create(A, "web")
    engine.run(A)
    until(bench, lambda: len(life(bench, A)) == 2)
    engine.removing.add(A)
    engine.die(A, 137)
    lists = engine.asked.count(docker_engine.LIST)
    until(bench, lambda: engine.asked.count(docker_engine.LIST) > lists)
    engine.create(B, "other")
    engine.remove(A)
    until(bench, lambda: life(bench, B) and len(life(bench, A)) == 4)
    assert life(bench, A) == ["created", "started", "exited", "deleted"]
    assert bench.events()[2].attributes["exit_code"] == "137"
    assert bench.values()[UP.replace("_up", "_connections_lost_total")] == 0


def test_an_engine_that_is_gone_with_its_container(
    bench: Bench, engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What its last words told is kept, though nobody is left to ask."""
    follow(bench, engine)
    engine.create(A, "web")
    engine.run(A)
    until(bench, lambda: len(life(bench, A)) == 2)

    async def gone(*_: object, **__: object) -> bytes:
        raise Gone(SOCKET, errno.ENOENT)

    monkeypatch.setattr(engines, "get", gone)
    engine.die(A, 137)
    until(bench, lambda: len(life(bench, A)) == 3)
    assert bench.events()[2].attributes["exit_code"] == "137"


def run_and_lose(bench: Bench, engine: Engine) -> None:
    """A container runs and is known when the engine stops."""
    engine.create(A, "web")
    engine.run(A)
    follow(bench, engine)
    engine.stop()
    until(bench, lambda: bench.values()[UP] == 0)


def test_an_engine_that_restarts(bench: Bench, engine: Engine) -> None:
    run_and_lose(bench, engine)
    assert len(bench.host.names.current["engines"].containers) == 1
    engine.containers[A]["State"] = {"Status": "exited", "ExitCode": 3}
    engine.create(B, "other")
    engine.start()
    until(bench, lambda: life(bench, B))
    assert (life(bench, A), life(bench, B)) == (["exited"], ["created"])
    assert bench.events()[0].attributes["exit_code"] == "3"


def test_a_kill_for_want_of_memory_that_no_event_told(bench: Bench, engine: Engine) -> None:
    run_and_lose(bench, engine)
    engine.containers[A]["State"] = {"Status": "exited", "ExitCode": 137, "OOMKilled": True}
    engine.start()
    until(bench, lambda: life(bench, A))
    assert life(bench, A) == ["out of memory", "exited"]


@pytest.mark.parametrize(
    "answer",
    [b"", b"HTTP/1.0 500 Internal Server Error\r\n\r\n{}", b"\0" * 100, b"HTTP/1.0 200 OK\r\n\r\n[{",
     b"HTTP/1.0 200 OK\r\n\r\n" + b" " * 5000],
)  # fmt: skip
def test_an_engine_in_trouble_is_said_and_costs_itself(
    bench: Bench, engine: Engine, answer: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(engine_http, "MOST_BYTES", 1000)
    engine.answer = answer
    until(bench, lambda: SOCKET in bench.skipped)
    assert bench.values()[UP] == 0
    engine.answer = None
    engine.create(A, "web")
    follow(bench, engine)
    assert bench.skipped == {}


def test_an_engine_that_hangs_is_left(bench: Bench, directory: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engine_http.get, "__defaults__", (0.05,))
    path = directory / f"root{SOCKET}"
    path.parent.mkdir(parents=True)
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(path))
        listener.listen()
        until(bench, lambda: "timed out" in bench.skipped.get(SOCKET, ""))


def test_a_container_that_does_not_answer_costs_its_own_facts(
    bench: Bench, engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As Docker's while it starts."""
    follow(bench, engine)
    monkeypatch.setattr(engine_http.get, "__defaults__", (0.05,))
    engine.locked.add(A)
    engine.create(A, "web")
    engine.run(A)
    until(bench, lambda: len(life(bench, A)) == 2)
    engine.create(B, "other")
    until(bench, lambda: life(bench, B))
    assert f"/containers/{A}/json" in engine.asked
    engine.locked.clear()
    engine.die(A, 7)
    until(bench, lambda: len(life(bench, A)) == 3)
    assert life(bench, A) == ["created", "started", "exited"]
    assert bench.events()[-1].attributes["container"] == "web"
    assert bench.values()[UP.replace("_up", "_connections_lost_total")] == 0


def test_a_socket_that_is_not_ours_is_said(bench: Bench, engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(link.os, "access", lambda *_, **__: False)
    until(bench, lambda: "engines" in bench.host.names.current and bench.host.names.current["engines"].blind)
    (reason,) = bench.host.names.current["engines"].blind
    assert reason.startswith(f"attribution blind: {SOCKET} may not be opened")
