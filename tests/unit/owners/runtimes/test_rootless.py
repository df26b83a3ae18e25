# SPDX-License-Identifier: MIT
"""Engines of users: found, read with limits, believed of their own user's containers and of nothing else."""

from __future__ import annotations

import json
import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from hwinfod.core.health import State
from hwinfod.core.owner import ContainerName, Names
from hwinfod.owners.cgroup import resolve_path
from hwinfod.owners.names.book import NameBook
from hwinfod.owners.runtimes import rootless_link
from hwinfod.owners.runtimes.rootless import RootlessEngines
from tests.support.bench import Bench
from tests.support.runtimes import until
from tests.unit.owners.runtimes.test_engines import A, B, Engine

UID = os.geteuid()
PATH = f"/run/user/{UID}/podman/podman.sock"
UP = f"hwinfod_runtime_up{{collector=rootless,socket={PATH}}}"


@pytest.fixture(autouse=True)
def _short_wait(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rootless_link, "LIST_SECONDS", 0.05)


@pytest.fixture
def bench(directory: Path) -> Iterator[Bench]:
    bench = Bench(RootlessEngines, directory)
    yield bench
    bench.runner.close()


@contextmanager
def engine(directory: Path, path: str = PATH) -> Iterator[Engine]:
    made = Engine(directory / "root" / path.lstrip("/"))
    try:
        yield made
    finally:
        made.stop()


def claims(bench: Bench) -> tuple[ContainerName, ...]:
    names = bench.host.names.current.get("rootless")
    return names.claims.get(str(UID), ()) if names is not None else ()


def test_what_a_user_calls_his_containers_is_his_claim(directory: Path, bench: Bench) -> None:
    assert bench.attempt() is State.ABSENT
    with engine(directory) as own:
        own.create(A, "web")
        until(bench, lambda: claims(bench) == (ContainerName(A, "web", image="web:1"),))
        own.create(B, "db")
        until(bench, lambda: [name.container for name in claims(bench)] == ["web", "db"])
        assert bench.values()[UP] == 1
        assert bench.host.names.current["rootless"].containers == ()
        assert not bench.host.containers.current
        assert bench.events() == [], "what he says happened is no event of this host"
    assert bench.attempt() is State.ABSENT
    assert "rootless" not in bench.host.names.current


def test_users_come_and_go(directory: Path, bench: Bench) -> None:
    docker = f"/run/user/{UID}/docker.sock"
    with engine(directory) as podman:
        podman.create(A, "web")
        with engine(directory, docker) as other:
            other.create(B, "db")
            until(bench, lambda: {name.container for name in claims(bench)} == {"web", "db"})
        until(bench, lambda: [name.container for name in claims(bench)] == ["web"])
        assert set(bench.values()) & {UP, UP.replace(PATH, docker)} == {UP}


@pytest.mark.parametrize(
    ("identifier", "name"),
    [(A, "a b"), (A, "x" * 65), (A, "web\x1b[2J"), (A, "ml/train-0"), (A, ""), ("1f", "web"), ("../" * 22, "web")],
)
def test_a_name_that_no_engine_gives_is_none(directory: Path, bench: Bench, identifier: str, name: str) -> None:
    with engine(directory) as own:
        own.create(identifier, name)
        own.create(B, "good")
        until(bench, lambda: claims(bench))
        assert [one.container for one in claims(bench)] == ["good"]


def test_a_flood_is_cut(directory: Path, bench: Bench) -> None:
    with engine(directory) as own:
        for number in range(rootless_link.MOST_CONTAINERS + 50):
            own.create(f"{number:064x}", f"c{number}")
        until(bench, lambda: claims(bench))
        assert len(claims(bench)) == rootless_link.MOST_CONTAINERS


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (b"HTTP/1.0 200 OK\r\n\r\n" + b" " * (rootless_link.MOST_BYTES + 1), "more than 1048576 bytes"),
        (b"HTTP/1.0 200 OK\r\n\r\n" + b"[" * 100_000, "json"),
        (b"HTTP/1.0 500 No\r\n\r\n", "500"),
        (b"garbage", "no answer"),
    ],
)
def test_garbage_costs_his_names(directory: Path, bench: Bench, answer: bytes, said: str) -> None:
    with engine(directory) as own:
        own.answer = answer
        until(bench, lambda: said in bench.skipped.get(PATH, ""))
        assert claims(bench) == ()
        own.answer = None
        own.create(A, "web")
        until(bench, lambda: claims(bench))
        assert not bench.skipped


def test_what_is_no_users_socket_is_not_asked(directory: Path, bench: Bench) -> None:
    users = directory / "root/run/user"
    with engine(directory, "/run/docker.sock") as of_root:
        for place in (f"{UID}/docker.sock", "1000000000/podman/podman.sock", "alice/docker.sock"):
            (users / place).parent.mkdir(parents=True, exist_ok=True)
        (users / f"{UID}/docker.sock").symlink_to(directory / "root/run/docker.sock")
        with socket.socket(socket.AF_UNIX) as listener:  # another user's, by the name of its directory
            listener.bind(str(users / "1000000000/podman/podman.sock"))
            assert bench.attempt() is State.ABSENT
        assert of_root.asked == []


@pytest.mark.tier("root")
def test_a_directory_that_leads_to_another_socket_gets_no_answer(directory: Path, bench: Bench) -> None:
    """Its file is the user's, and who listens is root: as if the user had put a link in the way."""
    uid = 60_123
    with engine(directory, f"/run/user/{uid}/docker.sock") as of_root:
        os.chown(of_root.path, uid, uid)
        until(bench, lambda: f"it is not user {uid} who listens" in str(bench.skipped))
        assert of_root.asked == []


def test_a_socket_that_may_not_be_opened_is_said(
    directory: Path, bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    with engine(directory):
        monkeypatch.setattr(os, "access", lambda *_, **__: False)
        until(bench, lambda: "rootless" in bench.host.names.current)
        (reason,) = bench.host.names.current["rootless"].blind
        assert reason.startswith(f"attribution blind: {PATH} may not be opened")
        assert "SocketMode=0666" in reason


def test_his_claims_are_good_in_his_own_territory_alone() -> None:
    book = NameBook()
    claim = ContainerName(A, "web")
    book.learn({"rootless": Names(claims={"1000": (claim,)}), "engines": Names((ContainerName(B, "web"),))})
    scope = f"user.slice/libpod-{A}.scope/container"
    his = resolve_path(f"/user.slice/user-1000.slice/user@1000.service/{scope}")
    assert book.name_of(his) == claim
    assert book.labels_of(his)[:5] == ("podman web of user 1000", "container", "", "", "web")
    for path in (
        f"/user.slice/user-1001.slice/user@1001.service/{scope}",
        f"/user.slice/user-1001.slice/user@1000.service/{scope}",
        f"/machine.slice/libpod-{A}.scope",
        f"/machine.slice/libpod-{B}.scope/user.slice/user-1000.slice/libpod-{A}.scope",
    ):
        assert book.name_of(resolve_path(path)) != claim, path
    of_root = book.labels_of(resolve_path(f"/machine.slice/libpod-{B}.scope"))
    assert of_root[0] == "podman web", "one of the same name is another one"


def test_a_pod_that_a_user_claims_has_neither_pod_nor_namespace() -> None:
    book = NameBook()
    book.learn({"rootless": Names(claims={"1000": (ContainerName(A, "web"),)})})
    uid = "5f2c1f0e-1111-2222-3333-444455556666"
    forged = resolve_path(f"/user.slice/user-1000.slice/user@1000.service/kubepods/pod{uid}/{A}")
    labels = book.labels_of(forged)
    assert labels[2:4] == ("", "")
    assert labels[0].endswith(" of user 1000")
    assert json.dumps(labels).count("ml") == 0
