# SPDX-License-Identifier: MIT
"""Names from an engine: a stand-in at a real socket."""

from __future__ import annotations

import contextlib
import json
import socket
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hwinfod.core.health import State
from hwinfod.core.owner import ContainerName
from hwinfod.errors import Denied, ParseError, ReadError
from hwinfod.owners.names import engines
from hwinfod.owners.names.engines import EngineNames
from hwinfod.sources import docker_engine
from hwinfod.sources.docker_engine import EngineContainer, parse_response, read_containers
from tests.support.bench import Bench

ID = "1f" * 32
UID = "5f2c1f0e-1111-2222-3333-444455556666"
HEAD = b"HTTP/1.0 200 OK\r\nApi-Version: 1.43\r\nContent-Type: application/json\r\n\r\n"
LIST = [
    {"Id": ID, "Names": ["/jupyter"], "Image": "jupyter:1", "Labels": {}, "State": "running"},
    {"Id": "2e" * 32, "Names": ["/k8s_cuda_train-0_ml_u_0"], "Labels": {
        "io.kubernetes.container.name": "cuda", "io.kubernetes.pod.name": "train-0",
        "io.kubernetes.pod.namespace": "ml", "io.kubernetes.pod.uid": UID,
    }},
]  # fmt: skip
Serve = Callable[[bytes], None]


@pytest.fixture
def serve(tmp_path: Path) -> Iterator[Serve]:
    """Answers one connection after the other with these bytes."""
    path = tmp_path / "root/run/docker.sock"
    path.parent.mkdir(parents=True)
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(path))

        def answer(data: bytes) -> None:
            while True:
                try:
                    connection, _ = listener.accept()
                except OSError:
                    return
                with connection:
                    request = connection.recv(4096)
                    assert request.startswith(b"GET /containers/json HTTP/1.0\r\n")
                    connection.sendall(data)

        def start(data: bytes) -> None:
            listener.listen()
            threading.Thread(target=answer, args=(data,), daemon=True).start()

        yield start
        with contextlib.suppress(OSError):
            listener.shutdown(socket.SHUT_RDWR)


def test_names_are_handed_over(tmp_path: Path, serve: Serve) -> None:
    serve(HEAD + json.dumps(LIST).encode())
    bench = Bench(EngineNames, tmp_path)
    assert bench.run() == {"hwinfod_engine_containers{socket=/run/docker.sock}": 2}
    assert bench.host.names.current["engine_names"].containers == (
        ContainerName(ID, "jupyter"), ContainerName("2e" * 32, "cuda", "ml", "train-0", UID),
    )  # fmt: skip
    bench.runner.close()
    assert bench.host.names.current == {}


@pytest.mark.parametrize("answer", [b"", b"HTTP/1.0 500 Internal Server Error\r\n\r\n{}", HEAD + b"[{"])
def test_an_engine_in_trouble_is_said_and_costs_its_names(tmp_path: Path, serve: Serve, answer: bytes) -> None:
    serve(answer)
    bench = Bench(EngineNames, tmp_path)
    assert bench.run() == {}
    assert list(bench.skipped) == ["/run/docker.sock"]


def test_an_engine_that_hangs_is_left(tmp_path: Path) -> None:
    path = str(tmp_path / "s")
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(path)
        listener.listen()
        with pytest.raises(ReadError):
            read_containers(path, timeout_seconds=0.01)


def test_an_answer_without_end_is_left(tmp_path: Path, serve: Serve, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(docker_engine, "_LIMIT", 1000)
    serve(HEAD + b" " * 200_000)
    with pytest.raises((ParseError, ReadError)):
        read_containers(str(tmp_path / "root/run/docker.sock"))


def test_a_socket_that_is_not_ours_is_said(tmp_path: Path, serve: Serve, monkeypatch: pytest.MonkeyPatch) -> None:
    serve(HEAD)

    def refuse(path: str) -> list[EngineContainer]:
        raise Denied(path, 13)

    monkeypatch.setattr(engines, "read_containers", refuse)
    bench = Bench(EngineNames, tmp_path)
    bench.run()
    (reason,) = bench.host.names.current["engine_names"].blind
    assert reason.startswith("attribution blind: /run/docker.sock may not be opened")


def test_a_host_without_engines(tmp_path: Path) -> None:
    assert Bench(EngineNames, tmp_path).attempt() is State.ABSENT


@given(st.binary() | st.binary().map(lambda data: HEAD + data) | st.recursive(
    st.none() | st.text(), lambda inner: st.lists(inner) | st.dictionaries(st.sampled_from(["Id", "Names", "Labels"]),
    inner)).map(lambda value: HEAD + json.dumps(value).encode()))  # fmt: skip
def test_anything_is_parsed_or_refused(data: bytes) -> None:
    with contextlib.suppress(ParseError):
        assert all(isinstance(container, EngineContainer) for container in parse_response(data))
