# SPDX-License-Identifier: MIT
"""Whose a process is: of any process of the host, as far as who asks may see it."""

from __future__ import annotations

import os
from pathlib import Path
from types import MappingProxyType

import pytest

from hwinfod.core.device import Device
from hwinfod.core.owner import Attribution, ContainerName, Holder, Names, NodeHolder, OwnerRecord
from hwinfod.serve import aside, viewer
from hwinfod.serve.http import Peer, Problem
from hwinfod.serve.http.problems import NOT_FOUND, UNAVAILABLE
from hwinfod.sources.files import Roots
from hwinfod.wire.owners import Process
from tests.support.owners import GIB, POD, UID, A
from tests.support.process_files import Host
from tests.unit.serve.test_api import Asker

ROOT, MEMBER, ALICE, BOB = Peer(1, 0, 0, ()), Peer(2, 1002, 100, (77,)), Peer(3, 1000, 100, ()), Peer(4, 1001, 100, ())
JOB = "/system.slice/slurmstepd.scope/job_5/step_0/user/task_0"
LABELS = ("owner", "kind", "namespace", "pod", "container", "job_id", "unit")


@pytest.fixture
def host(tmp_path: Path) -> Host:
    """Alice trains in a pod, Bob in a job, root has a service, and a login that holds nothing is Alice's."""
    host = Host(tmp_path)
    host.run(4711, f"/{POD}", start=700)
    host.run(4800, JOB, uid=1001)
    host.run(9, "/system.slice/dcgm.service", uid=0)
    host.run(10, "/user.slice/user-1000.slice/session-3.scope")
    return host


@pytest.fixture
def ask(host: Host, monkeypatch: pytest.MonkeyPatch) -> Asker:
    monkeypatch.setattr(viewer, "read_group_id", lambda name: 77)
    asker = Asker()
    asker.host.roots = host.roots
    asker.host.devices.report("test", Device("GPU-0", "gpu", "0 H100", {"gpu": "0"}))
    pod_id = f"pod:{UID}:{A[:12]}"
    held = tuple(Holder("GPU-0", 4711, start, "train", 1000, {"memory_bytes": GIB}) for start in (1, 700))
    record = OwnerRecord(pod_id, "ml/train-0", ("ml/train-0", "pod", *[""] * 5), {}, 1000, 0, held)
    nodes = tuple(NodeHolder(pod_id, 4711, start, "train", 1000, ("/dev/nvidia0",), ()) for start in (1, 700))
    asker.host.attribution = Attribution(1, {pod_id: record}, node_holders=nodes, blind=("attribution blind: x",))
    bundle = ContainerName(A, "cuda", "ml", "train-0", UID, "image")
    asker.host.names.publish("bundles", Names((bundle,)))
    asker.host.names.publish("users", Names(users=MappingProxyType({1000: "alice"})))
    return asker


def test_a_process_in_a_pod_with_what_it_holds(ask: Asker) -> None:
    process = ask("/v1/processes/4711")
    assert set(process) == set(Process.__annotations__)
    assert [process[label] for label in LABELS] == ["ml/train-0", "pod", "ml", "train-0", "cuda", "", ""]
    assert (process["owner_id"], process["cgroup"]) == (f"pod:{UID}:{A[:12]}", f"/{POD}")
    assert (process["name"], process["uid"], process["user"]) == ("train", 1000, "alice")
    assert process["identity"] == {
        "runtime": "containerd", "container_id": A, "pod_uid": UID, "qos": "guaranteed",
    }  # fmt: skip
    (device,) = process["devices"]
    assert device == {"device": "GPU-0", "name": "0 H100", "kind": "gpu", "amounts": {"memory_bytes": GIB}}
    assert process["nodes"] == ["/dev/nvidia0"]
    assert process["since_seconds"] == pytest.approx(ask.host.clock.wall_offset_ns() / 1e9 + 7, abs=0.001)


@pytest.mark.parametrize(
    ("pid", "owner", "kind"),
    [
        (4800, "slurm 5", "job"),
        (9, "dcgm.service", "unit"),
        (10, "session-3.scope of user 1000", "session"),
    ],
)
def test_one_that_holds_nothing_has_an_owner_too(ask: Asker, pid: int, owner: str, kind: str) -> None:
    process = ask(f"/v1/processes/{pid}")
    assert (process["owner"], process["kind"]) == (owner, kind)
    assert (process["devices"], process["nodes"]) == ([], [])


def test_another_owner_in_a_hierarchy_is_told(ask: Asker, host: Host) -> None:
    (host.path / "proc/9/cgroup").write_text("2:memory:/system.slice/a.service\n1:name=systemd:/system.slice/b.service")
    assert ask("/v1/processes/9")["conflicts"] == ["memory:/system.slice/a.service is of unit::a.service"]


def refused(ask: Asker, pid: object, peer: Peer = ROOT) -> Problem:
    with pytest.raises(Problem) as caught:
        ask(f"/v1/processes/{pid}", peer)
    return caught.value


@pytest.mark.parametrize("pid", [4712, "0", "x", "-1", "٣", "9" * 11])
def test_no_process_has_such_a_number(ask: Asker, pid: object) -> None:
    problem = refused(ask, pid)
    assert (problem.kind, str(problem)) == (NOT_FOUND, "no process has this number")
    assert problem.hint == "attribution blind: x", "it may be there and not be seen"


@pytest.mark.parametrize(
    ("peer", "seen"),
    [(ROOT, {4711, 4800, 9, 10}), (MEMBER, {4711, 4800, 9, 10}), (ALICE, {4711, 10}), (BOB, {4800})],
    ids=["root", "member", "alice", "bob"],
)
def test_users_see_their_own_and_of_others_nothing(ask: Asker, peer: Peer, seen: set[int]) -> None:
    assert {pid for pid in seen if ask(f"/v1/processes/{pid}", peer)["pid"] == pid} == seen
    nobody = refused(ask, 99, peer)
    for pid in {4711, 4800, 9, 10} - seen:
        problem = refused(ask, pid, peer)
        assert (problem.kind, str(problem), problem.hint) == (nobody.kind, str(nobody), nobody.hint)
        assert (str(problem), problem.hint) == ("no process of yours has this number", "")


def test_command_lines_are_for_root_and_the_group(ask: Asker, host: Host) -> None:
    (host.path / "proc/4711/cmdline").write_text("train\0--token\0secret\0")
    told = {
        peer.uid: ask("/v1/processes/4711", peer, command_lines="true")["command_line"]
        for peer in (ROOT, MEMBER, ALICE)
    }
    assert told == {0: "train --token secret", 1002: "train --token secret", 1000: None}
    assert ask("/v1/processes/4711")["command_line"] is None


def test_a_kernel_that_does_not_answer_holds_up_nothing(
    ask: Asker, host: Host, monkeypatch: pytest.MonkeyPatch
) -> None:
    pipe = host.path / "proc/9/cgroup"
    pipe.unlink()
    os.mkfifo(pipe)  # to read it hangs
    with monkeypatch.context() as patch:
        patch.setattr(aside, "DEADLINE_SECONDS", 0.05)
        assert refused(ask, 9).kind == UNAVAILABLE
    assert ask("/v1/processes/10")["kind"] == "session", "another thread reads it"
    os.close(os.open(pipe, os.O_WRONLY))


def test_this_machine_tells_of_this_process(ask: Asker) -> None:
    ask.host.roots = Roots()
    process = ask(f"/v1/processes/{os.getpid()}")
    assert (process["pid"], process["uid"]) == (os.getpid(), os.geteuid())
    assert process["owner"]
