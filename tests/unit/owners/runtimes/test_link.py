# SPDX-License-Identifier: MIT
"""A socket that is followed for ever: waits that grow, a server that comes back, a right that is missing."""

from __future__ import annotations

import asyncio
import builtins
import os
import socket
import sys
import warnings
from pathlib import Path

import pytest

from hwinfod.core.host import Host
from hwinfod.errors import Denied, Gone, HwinfodError
from hwinfod.owners.runtimes import link as module
from hwinfod.owners.runtimes.link import Link, look_at, open_channel
from hwinfod.owners.runtimes.loop import LaneLoop
from hwinfod.sources.files import Roots
from tests.unit.core.builders import FakeClock, make_host


class Scripted(Link):
    """Does what the script says, one entry a connection; then waits for ever."""

    def __init__(self, host: Host, path: str) -> None:
        super().__init__(host, path)
        self.script: list[object] = []
        self.follows = 0
        self.losses = 0

    async def follow(self) -> None:
        self.follows += 1
        step = self.script.pop(0) if self.script else "answer"
        if isinstance(step, Exception):
            raise step
        self.up()
        if step == "break":
            raise HwinfodError("broken")
        await asyncio.Event().wait()

    def lost(self) -> None:
        self.losses += 1


@pytest.fixture
def link(directory: Path) -> Scripted:
    host = make_host(FakeClock())
    host.roots = Roots(rootfs=str(directory))
    return Scripted(host, "/s")


def serve(path: Path) -> None:
    """A socket anew, at which nobody needs to listen here."""
    path.unlink(missing_ok=True)
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(path))


def turn_until(loop: LaneLoop, reached: object) -> None:
    for _ in range(2000):
        if reached():  # type: ignore[operator]
            return
        loop.turn()
    pytest.fail("not reached")


def test_waits_double_from_2_to_60_seconds_and_start_anew_after_an_answer(
    link: Scripted, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "FIRST_WAIT_SECONDS", 2.0)
    monkeypatch.setattr(module, "LONGEST_WAIT_SECONDS", 60.0)
    link = Scripted(link.host, link.path)
    assert [link.next_wait() for _ in range(8)] == [2, 4, 8, 16, 32, 60, 60, 60]
    link.up()
    assert link.next_wait() == 2


def test_a_socket_that_is_not_there_is_not_asked(link: Scripted) -> None:
    loop = LaneLoop([link])
    loop.turn()
    assert (link.is_absent, link.is_denied, link.follows, link.blind("x")) == (True, False, 0, ())
    loop.close()


def test_a_server_that_comes_back_is_found_at_once(
    link: Scripted, directory: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    serve(directory / "s")
    link.script = ["break"]
    monkeypatch.setattr(module, "FIRST_WAIT_SECONDS", 3600.0)
    monkeypatch.setattr(module, "LONGEST_WAIT_SECONDS", 3600.0)
    loop = LaneLoop([link])
    turn_until(loop, lambda: link.problem is not None)
    assert (link.is_up, link.losses, link.times_lost, str(link.problem)) == (False, 1, 1, "broken")
    loop.turn()
    assert link.follows == 1
    serve(directory / "s")
    turn_until(loop, lambda: link.is_up)
    assert (link.follows, link.problem) == (2, None)
    loop.close()


def test_a_defect_of_ours_costs_its_link_and_not_the_lane(link: Scripted, directory: Path) -> None:
    serve(directory / "s")
    link.script = [ZeroDivisionError("ours"), KeyError("ours too")]
    loop = LaneLoop([link])
    turn_until(loop, lambda: link.problem is not None)
    assert "ours" in str(link.problem)
    turn_until(loop, lambda: link.is_up)
    assert link.follows == 3
    loop.close()


def test_a_socket_that_may_not_be_opened_is_said_with_the_remedy(
    link: Scripted, directory: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    serve(directory / "s")
    monkeypatch.setattr(os, "access", lambda *_, **__: False)
    loop = LaneLoop([link])
    turn_until(loop, lambda: link.problem is not None)
    assert isinstance(link.problem, Denied)
    assert link.follows == 0
    (reason,) = link.blind("names are missing")
    assert reason.startswith("attribution blind: /s may not be opened, names are missing: ")
    assert "runtime-sockets.conf" in reason
    monkeypatch.undo()
    turn_until(loop, lambda: link.is_up)
    assert link.blind("names are missing") == ()
    loop.close()


def refusal(path: Path) -> str:
    """What a process of nobody's is told before it connects."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # other threads: the child waits for none of them
        child = os.fork()
    if not child:
        outcome = 3
        try:
            os.setgroups([])
            os.setgid(65534)
            os.setuid(65534)
            look_at(str(path))
            outcome = 0
        except Denied:
            outcome = 2
        finally:
            os._exit(outcome)
    return {0: "", 2: "Denied"}.get(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), "another error")


@pytest.mark.tier("root")
def test_the_kernel_decides_who_may_connect(directory: Path) -> None:
    serve(directory / "s")
    directory.chmod(0o755)
    (directory / "s").chmod(0o660)
    assert refusal(directory / "s") == "Denied"
    (directory / "s").chmod(0o666)
    assert refusal(directory / "s") == ""
    directory.chmod(0o700)
    assert refusal(directory / "s") == "Denied"
    look_at(str(directory / "s"))


def test_one_that_hangs_does_not_keep_the_lane_for_a_second(link: Scripted, directory: Path) -> None:
    serve(directory / "s")
    link.script = []
    link.up = lambda: None  # type: ignore[method-assign]  # never answered: busy for ever
    other = Scripted(link.host, "/s")
    loop = LaneLoop([link, other])
    loop.turn()
    loop.turn()
    assert other.is_up
    assert link.busy
    loop.close()


def test_without_grpclib_it_is_said_how_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    imported = builtins.__import__

    def refuse(name: str, *rest: object) -> object:
        if name.startswith("grpclib"):
            raise ModuleNotFoundError("No module named 'grpclib'")
        return imported(name, *rest)  # type: ignore[arg-type]

    monkeypatch.delitem(sys.modules, "hwinfod.owners.runtimes.grpc", raising=False)
    monkeypatch.setattr(builtins, "__import__", refuse)
    with pytest.raises(HwinfodError, match="No module named 'grpclib'") as missing:
        open_channel("/s")
    assert "hwinfod[runtimes]" in missing.value.hint


def test_gone_is_what_a_missing_socket_is(link: Scripted) -> None:
    loop = LaneLoop([link])
    loop.turn()
    assert isinstance(link.problem, Gone)
    loop.close()
