# SPDX-License-Identifier: MIT
"""Who asks decides what is seen: three real users at the socket of the real daemon, under each `api.privacy`."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from tests.fixtures.host import Host
from tests.fixtures.host.system import DMI
from tests.support.daemon import Daemon
from tests.support.group import GROUP_ID, knows_group
from tests.support.processes import run

pytestmark = pytest.mark.tier("root")

_UIDS = {"root": (0, [0]), "member": (60_001, [60_001, GROUP_ID]), "stranger": (60_002, [60_002])}
_VICTIM = {"task": "train.py", "pid": "4242", "uid": "1000", "cgroup": "/system.slice/secret.service"}
# It becomes the user after its imports: the user need not be able to read our files.
_ASK_AS = """
import json, os, sys
from tests.support.unix_http import get, records
socket, uid, groups, *paths = sys.argv[1:]
os.setgroups([int(group) for group in groups.split(",")])
os.setgid(65534)
os.setuid(int(uid))
replies = {path: get(socket, path) for path in paths}
print(json.dumps({path: [reply.status, reply.text] for path, reply in replies.items()}))
"""
_PATHS = ("/v1", "/v1/status", "/v1/config", "/v1/events", "/v1/devices", "/v1/samples", "/metrics")


class Answer(NamedTuple):
    status: int
    text: str

    def json(self) -> Any:
        return json.loads(self.text)


@contextmanager
def daemon_with_group(host: Host, privacy: str, directory: Path) -> Iterator[Daemon]:
    """A daemon that everyone can reach, and that knows the group; it has seen a process killed for want of memory."""
    # the fixture's log has one reader
    flags = (f"--api.privacy={privacy}", "--collector.oom.interval=200ms", "--no-collector.nvidia-events")
    with Daemon.start(*flags, host=host, wrapper=knows_group(directory)) as daemon:
        daemon.directory.chmod(0o755)
        daemon.wait_samples(1)
        host.kill_for_memory(_VICTIM["task"], int(_VICTIM["pid"]), cgroup=_VICTIM["cgroup"])
        daemon.wait_until(lambda: bool(kills(Answer(200, daemon.get("/v1/events").text))), "the event")
        yield daemon


def ask(daemon: Daemon, user: str) -> dict[str, Answer]:
    uid, groups = _UIDS[user]
    done = run(sys.executable, "-c", _ASK_AS, daemon.socket, str(uid), ",".join(map(str, groups)), *_PATHS)
    assert done.returncode == 0, done.stderr.decode()
    return {path: Answer(*answer) for path, answer in json.loads(done.stdout).items()}


def kills(answer: Answer) -> list[dict[str, Any]]:
    return [event for event in answer.json()["events"] if event["kind"] == "out-of-memory kill"]


@pytest.mark.parametrize("privacy", ["open", "own", "group"])
def test_three_users(privacy: str, host: Host, tmp_path: Path) -> None:
    with daemon_with_group(host, privacy, tmp_path) as daemon:
        answers = {user: ask(daemon, user) for user in _UIDS}
    assert answers["root"]["/v1/status"].json()["viewer"] == "administrator"
    assert answers["member"]["/v1/status"].json()["viewer"] == "member"
    for user in ("root", "member"):
        assert_sees_everything(answers[user])
    if privacy == "open":
        assert_sees_everything(answers["stranger"])
    elif privacy == "own":
        assert_sees_no_ones_work(answers["stranger"])
    else:
        assert_sees_nothing(answers["stranger"])


def assert_sees_everything(answers: dict[str, Answer]) -> None:
    assert {answer.status for answer in answers.values()} == {200}
    (event,) = kills(answers["/v1/events"])
    assert _VICTIM.items() <= event["attributes"].items()
    assert str(DMI["product_serial"]) in answers["/v1/devices"].text


def assert_sees_no_ones_work(answers: dict[str, Answer]) -> None:
    assert answers["/v1/status"].json()["viewer"] == "user"
    assert {path for path, answer in answers.items() if answer.status != 200} == {"/v1/config"}
    assert answers["/v1/config"].status == 403
    assert len(answers["/v1/devices"].json()["devices"]) > 50, "the devices and totals are everyone's"
    (event,) = kills(answers["/v1/events"])
    assert {event["attributes"][name] for name in _VICTIM} == {"another user"}
    told = "".join(answer.text for answer in answers.values())
    ids = [str(DMI[file]) for file in ("product_serial", "product_uuid", "board_serial", "chassis_serial")]
    assert not [word for word in (_VICTIM["task"], "secret.service", *ids) if word in told]


def assert_sees_nothing(answers: dict[str, Answer]) -> None:
    assert {path: answer.status for path, answer in answers.items()} == dict.fromkeys(_PATHS, 403)
    assert "hw_" not in "".join(answer.text for answer in answers.values())
