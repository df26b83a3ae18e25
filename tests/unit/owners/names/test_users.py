# SPDX-License-Identifier: MIT
from __future__ import annotations

from pathlib import Path

from hwinfod.core.health import State
from hwinfod.core.owner import ContainerName, JobName, Names, PodName
from hwinfod.owners.identity import JOB, POD, UNIT, USER, Owner
from hwinfod.owners.names.book import NameBook
from hwinfod.owners.names.users import UserNames
from tests.support.bench import Bench

ALICE = Owner(USER, user="1000")
JOB_OF_ALICE = Owner(JOB, "slurm", job_id="4711")


def test_users_are_named_where_it_is_asked_for(tmp_path: Path) -> None:
    passwd = tmp_path / "root/etc/passwd"
    passwd.parent.mkdir(parents=True)
    passwd.write_text("alice:x:1000:1000::/:/\n")
    assert not UserNames.enabled
    bench = Bench(UserNames, tmp_path)
    assert bench.run() == {"hwinfod_user_names": 1}
    book = NameBook()
    assert book.labels_of(ALICE)[0] == "user 1000"
    book.learn(bench.host.names.current)
    assert book.labels_of(ALICE)[0] == "user alice"
    assert book.details_of(Owner(UNIT, unit="a.service", user="1000")) == {"user_name": "alice"}
    bench.runner.close()
    assert bench.host.names.current == {}
    book.learn({"other": Names()})
    assert book.labels_of(ALICE)[0] == "user 1000"


def test_a_host_without_the_file(tmp_path: Path) -> None:
    assert Bench(UserNames, tmp_path).attempt() is State.ABSENT


def test_the_phase_of_a_pod_stays_whoever_else_names_it() -> None:
    pod, uid = Owner(POD, pod_uid="u", container_id="c"), "u"
    book = NameBook()
    book.learn({"kubelet": Names(pods=(PodName(uid, "ml", "train-0", "Running"),))})
    book.learn({"logs": Names((ContainerName("c", "cuda", "ml", "train-0", uid),), (PodName(uid, "ml", "train-0"),))})
    assert book.details_of(pod) == {"phase": "Running"}
    book.learn({"kubelet": Names(pods=(PodName(uid, "ml", "train-0", "Failed"),))})
    assert book.details_of(pod) == {"phase": "Failed"}
    assert book.details_of(pod._replace(within=ALICE)) == {}


def test_what_a_job_says_of_itself() -> None:
    book = NameBook()
    book.learn({"slurm": Names(jobs=(JobName("4711", "4711", "train", "alice", "physics", ""),))})
    assert book.details_of(JOB_OF_ALICE) == {
        "job_number": "4711", "job_name": "train", "account": "physics", "user_name": "alice",
    }  # fmt: skip
    assert book.labels_of(JOB_OF_ALICE)[0] == "slurm 4711"
    assert book.details_of(Owner(JOB, "slurm", job_id="4712")) == {}
    assert book.details_of(JOB_OF_ALICE._replace(within=ALICE)) == {}, "a user may call his cgroups as he likes"
