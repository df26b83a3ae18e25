# SPDX-License-Identifier: MIT
from __future__ import annotations

from pathlib import Path

import pytest

from hwinfod.core.owner import ContainerName, JobName, Names, PodName
from hwinfod.owners.cgroup import resolve_path
from hwinfod.owners.names import logs
from hwinfod.owners.names.book import NameBook
from hwinfod.sources.files import Roots

A, B = "1f" * 32, "2e" * 32
UID, OTHER = "8d3f1c52-7a61-4b1e-9c0d-5e6f7a8b9c0d", "0b9a8c7d-6e5f-4a3b-8c1d-2e3f4a5b6c7d"
CGROUP = f"/kubepods/burstable/pod{UID}/{A}"
CUDA = ContainerName(A, "cuda", "ml", "train-0", UID, "train:1.4")


def book(*names: ContainerName) -> NameBook:
    made = NameBook()
    for name in names:
        made.learn_container(name)
    return made


def test_a_container_in_a_pod() -> None:
    assert book(CUDA).name_of(resolve_path(CGROUP)) == CUDA


def test_a_container_that_is_not_known_yet_has_its_pods_names() -> None:
    assert book(CUDA).name_of(resolve_path(CGROUP.replace(A, B))) == ContainerName(B, "", "ml", "train-0", UID)
    alone = NameBook()
    alone.learn_pod(PodName(UID, "ml", "train-0"))
    assert alone.name_of(resolve_path(f"/kubepods/pod{UID}")) == ContainerName("", "", "ml", "train-0", UID)


def test_nothing_known() -> None:
    assert book().name_of(resolve_path(CGROUP)) is None
    assert book(CUDA).name_of(resolve_path("/system.slice/ssh.service")) is None


def test_sources_complete_each_other() -> None:
    log = ContainerName(A, "cuda", "ml", "train-0", "")
    bundle = ContainerName(A, "", "ml", "train-0", UID, "train:1.4")
    for order in ((log, bundle), (bundle, log)):
        assert book(*order).name_of(resolve_path(CGROUP)) == CUDA


def test_a_container_without_its_pods_name_takes_none_away() -> None:
    names = book(CUDA, ContainerName(B, "side", "ml", "", UID))
    found = names.name_of(resolve_path(f"/kubepods/pod{UID}"))
    assert found is not None
    assert found.pod == "train-0"


def test_a_later_source_is_believed() -> None:
    renamed = ContainerName(A, "web-2")
    assert book(ContainerName(A, "web"), renamed).name_of(resolve_path(f"/docker/{A}")) == renamed


SLUID = "s5K1KKYAYG5D00"
JOB = f"/system.slice/slurmstepd.scope/{SLUID}/step_0/user/task_0"


@pytest.mark.parametrize(
    ("path", "label", "job_id"),
    [
        (JOB, "slurm 4711", "4711"),
        (f"{JOB}/libpod-{A}", "slurm 4711", "4711"),
        (f"{JOB}/slurmstepd.scope/s5K1KKYAYG5D11/step_0", "slurm s5K1KKYAYG5D11 in slurm 4711", "s5K1KKYAYG5D11"),
        (f"/docker/{A}{JOB}", f"slurm {SLUID} in docker {A[:12]}", SLUID),
        (JOB.replace(SLUID, "job_42"), "slurm 42", "42"),
    ],
)
def test_a_job_is_called_by_its_number_and_keeps_the_id_of_its_cgroup(path: str, label: str, job_id: str) -> None:
    names = NameBook()
    owner = resolve_path(path)
    before = names.title_of(owner)
    names.learn({"slurm": Names(jobs=(JobName(SLUID, "4711"), JobName("42", "42")))})
    title = names.title_of(owner)
    assert (title.labels[0], title.labels[5]) == (label, job_id)
    assert title.identity["job_id"] == before.identity["job_id"]


def test_a_job_whose_number_was_not_heard_is_called_by_its_cgroup() -> None:
    names = NameBook()
    names.learn({"slurm": Names(jobs=(JobName(SLUID, "", "train"),))})
    assert names.title_of(resolve_path(JOB)).labels[0] == f"slurm {SLUID}"


def test_docker_in_a_pod_has_the_pods_names() -> None:
    names = book(CUDA, ContainerName(B, "forged"))
    assert names.name_of(resolve_path(f"{CGROUP}/docker/{B}")) == CUDA


def test_a_claim_in_a_users_slice_is_not_believed() -> None:
    forged = "/user.slice/user-1000.slice/user@1000.service" + CGROUP
    assert resolve_path(forged).pod_uid == UID
    assert book(CUDA).name_of(resolve_path(forged)) is None


def test_a_name_of_another_pod_is_not_believed() -> None:
    names = book(CUDA, ContainerName(B, "x", "other", "pod", OTHER))
    found = names.name_of(resolve_path(f"/kubepods/pod{UID}/{B}"))
    assert found == ContainerName(B, "", "ml", "train-0", UID)


def test_memory_is_bounded() -> None:
    names = NameBook(limit=1)
    names.learn_container(CUDA)
    names.learn_container(ContainerName(B, "web"))
    assert names.name_of(resolve_path(f"/docker/{A}")) is None
    assert names.name_of(resolve_path(f"/docker/{B}")) == ContainerName(B, "web")


def test_names_of_log_files(tmp_path: Path) -> None:
    (tmp_path / f"var/log/pods/ml_train-0_{UID}").mkdir(parents=True)
    (tmp_path / "var/log/containers").mkdir()
    (tmp_path / f"var/log/containers/train-0_ml_cuda-{A}.log").symlink_to(f"../pods/ml_train-0_{UID}/cuda/0.log")
    names = NameBook()
    pods, containers = logs.read_names(Roots(rootfs=str(tmp_path)))
    assert names.learn({"logs": Names(tuple(containers), tuple(pods))})
    assert names.name_of(resolve_path(CGROUP)) == ContainerName(A, "cuda", "ml", "train-0", UID)
    assert names.name_of(resolve_path(CGROUP.replace(A, B))) == ContainerName(B, "", "ml", "train-0", UID)
