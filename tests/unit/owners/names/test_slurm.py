# SPDX-License-Identifier: MIT
"""Jobs of Slurm by the environment of their processes: of the cgroup's job, and of nothing else in there."""

from __future__ import annotations

from pathlib import Path

import pytest

from hwinfod.core.health import State
from hwinfod.core.owner import JobName
from hwinfod.errors import Denied
from hwinfod.owners.names.slurm import MOST_ATTEMPTS, Slurm
from hwinfod.sources.process import ProcessFiles
from tests.support.bench import Bench

SCOPE = "system.slice/slurmstepd.scope"
BATCH = {
    "SLURM_JOB_ID": "4711", "SLURM_JOB_USER": "alice", "SLURM_JOB_PARTITION": "gpu", "SLURM_JOB_ACCOUNT": "physics",
    "SLURM_JOB_NAME": "train", "SLURM_JOB_GPUS": "0,1", "CUDA_VISIBLE_DEVICES": "0,1", "SECRET": "hush",
}  # fmt: skip
NAME = JobName("4711", "4711", "train", "alice", "physics", "gpu")


class Node:
    """A compute node with cgroup v2: steps of jobs, and their processes."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.cgroup = directory / "sys/fs/cgroup"
        self.cgroup.mkdir(parents=True)
        (self.cgroup / "cgroup.controllers").write_text("cpu memory\n")
        (directory / "proc/self").mkdir(parents=True)
        (directory / "proc/self/mountinfo").write_text(f"30 25 0:26 / {self.cgroup} rw - cgroup2 cgroup2 rw\n")

    def run(self, pid: int, cgroup: str, environ: dict[str, str], uid: int = 1000) -> None:
        (self.cgroup / SCOPE).mkdir(parents=True, exist_ok=True)
        place = self.cgroup / SCOPE / cgroup
        place.mkdir(parents=True, exist_ok=True)
        with (place / "cgroup.procs").open("a") as procs:
            procs.write(f"{pid}\n")
        process = self.directory / "proc" / str(pid)
        process.mkdir()
        (process / "environ").write_bytes(b"".join(f"{key}={value}\0".encode() for key, value in environ.items()))
        (process / "status").write_text(f"Name:\tx\nUid:\t{uid}\t{uid}\t{uid}\t{uid}\nCapEff:\t0\n")

    def title(self, pid: int, cgroup: str, title: str, uid: int = 0) -> None:
        """slurmstepd, or somebody who calls himself so."""
        self.run(pid, cgroup, {}, uid)
        (self.directory / "proc" / str(pid) / "cmdline").write_bytes(title.encode() + b"\0")

    def end(self, job: str) -> None:
        for path in sorted((self.cgroup / SCOPE / job).rglob("*"), reverse=True):
            path.rmdir() if path.is_dir() else path.unlink()
        (self.cgroup / SCOPE / job).rmdir()


@pytest.fixture
def node(tmp_path: Path) -> Node:
    return Node(tmp_path)


def gpus(bench: Bench) -> dict[str, tuple[str, ...]]:
    return {each.job_id: each.device_ids for each in bench.host.allocations.current["slurm"].allocations}


def test_a_batch_script_tells_names_and_gpus(node: Node) -> None:
    node.run(100, "job_4711/step_batch/user/task_0", BATCH)
    bench = Bench(Slurm, node.directory)
    assert bench.run() == {"hwinfod_slurm_jobs": 1}
    assert bench.host.names.current["slurm"].jobs == (NAME,)
    (given,) = bench.host.allocations.current["slurm"].allocations
    assert (given.job_id, given.device_ids, given.resource, given.uid) == ("4711", ("0", "1"), "gres/gpu", 1000)
    bench.runner.close()
    assert bench.host.names.current == bench.host.allocations.current == {}


def test_steps_of_an_interactive_job_add_up(node: Node) -> None:
    for step in ("0", "1"):
        environ = {"SLURM_JOB_ID": "4711", "SLURM_STEP_GPUS": step}
        node.run(100 + int(step), f"job_4711/step_{step}/user/task_0", environ)
    bench = Bench(Slurm, node.directory)
    bench.run()
    assert gpus(bench) == {"4711": ("0", "1")}
    node.run(200, "job_4711/step_2/user/task_0", {"SLURM_JOB_ID": "4711", "SLURM_STEP_GPUS": "5"})
    bench.run()
    assert gpus(bench) == {"4711": ("0", "1", "5")}


def test_numbers_within_the_job_are_no_gpus_and_uuids_are(node: Node) -> None:
    node.run(100, "job_1/step_0/user/task_0", {"SLURM_JOB_ID": "1", "CUDA_VISIBLE_DEVICES": "0,1"})
    node.run(101, "job_2/step_0/user/task_0", {"SLURM_JOB_ID": "2", "CUDA_VISIBLE_DEVICES": "0,GPU-1"})
    bench = Bench(Slurm, node.directory)
    bench.run()
    assert gpus(bench) == {"2": ("GPU-1",)}


@pytest.mark.parametrize(
    ("numbers", "visible", "given"),
    [
        ("2", "MIG-1", ("MIG-1",)),
        ("0,1", "GPU-a,GPU-b", ("GPU-a", "GPU-b")),
        ("0,1", "GPU-a", ("GPU-a", "0", "1")),
        ("0,1", "0,1", ("0", "1")),
    ],
)
def test_uuids_count_more_than_numbers(node: Node, numbers: str, visible: str, given: tuple[str, ...]) -> None:
    environ = BATCH | {"SLURM_JOB_GPUS": numbers, "CUDA_VISIBLE_DEVICES": visible}
    node.run(100, "job_4711/step_batch/user/task_0", environ)
    bench = Bench(Slurm, node.directory)
    bench.run()
    assert gpus(bench) == {"4711": given}


def test_uuids_of_all_steps_count(node: Node) -> None:
    for step in ("0", "1"):
        environ = {"SLURM_JOB_ID": "4711", "SLURM_STEP_GPUS": step, "CUDA_VISIBLE_DEVICES": f"GPU-{step}"}
        node.run(100 + int(step), f"job_4711/step_{step}/user/task_0", environ)
    bench = Bench(Slurm, node.directory)
    bench.run()
    assert gpus(bench) == {"4711": ("GPU-0", "GPU-1")}


def test_the_gpus_of_the_batch_script_on_another_node_are_not_of_this_one(node: Node) -> None:
    node.run(100, "job_4711/step_0/user/task_0", BATCH | {"SLURM_STEP_GPUS": "3"})
    bench = Bench(Slurm, node.directory)
    bench.run()
    assert gpus(bench) == {"4711": ("3",)}


def test_an_environment_that_names_another_job_is_not_believed(node: Node) -> None:
    node.run(100, "job_4711/step_batch/user/task_0", BATCH | {"SLURM_JOB_ID": "1", "SLURM_JOB_GPUS": "0-7"})
    bench = Bench(Slurm, node.directory)
    for _ in range(MOST_ATTEMPTS + 1):
        assert bench.run() == {"hwinfod_slurm_jobs": 0}
        assert bench.skipped == {"jobs": "environments of 1 name another job: their names and GPUs are missing"}
    assert gpus(bench) == {}
    node.run(101, "job_4711/step_1/user/task_0", BATCH)
    assert bench.run() == {"hwinfod_slurm_jobs": 1}
    assert bench.skipped == {}


def test_a_part_of_a_heterogeneous_job_has_the_id_of_the_first_in_its_environment(node: Node) -> None:
    parts = {"SLURM_JOB_ID_HET_GROUP_0": "4711", "SLURM_JOB_ID_HET_GROUP_1": "4712", "SLURM_STEP_GPUS": "3"}
    node.run(100, "job_4712/step_0/user/task_0", BATCH | parts)
    node.run(101, "job_4713/step_0/user/task_0", BATCH | parts)
    bench = Bench(Slurm, node.directory)
    assert bench.run() == {"hwinfod_slurm_jobs": 1}
    assert bench.host.names.current["slurm"].jobs == (NAME._replace(job_id="4712", number="4712"),)
    assert gpus(bench) == {"4712": ("3",)}


SLUID = "s0123456789ABC"


def test_with_the_ids_of_newer_cgroups_slurmstepd_tells_the_number(node: Node) -> None:
    node.run(100, f"{SLUID}/step_batch/user/task_0", BATCH)
    node.title(99, f"{SLUID}/step_batch/slurm", "slurmstepd: [4711.batch]")
    bench = Bench(Slurm, node.directory)
    bench.run()
    assert bench.host.names.current["slurm"].jobs == (NAME._replace(job_id=SLUID),)


def test_the_number_is_known_where_environments_are_not(node: Node) -> None:
    node.title(99, f"{SLUID}/step_0/slurm", "slurmstepd: [4711.0]")
    bench = Bench(Slurm, node.directory)
    assert bench.run() == {"hwinfod_slurm_jobs": 0}
    assert bench.host.names.current["slurm"].jobs == (JobName(SLUID, "4711"),)


def test_an_environment_with_another_number_than_slurmstepd_tells_is_not_believed(node: Node) -> None:
    node.run(100, f"{SLUID}/step_batch/user/task_0", BATCH)
    node.title(99, f"{SLUID}/step_batch/slurm", "slurmstepd: [4712.batch]")
    bench = Bench(Slurm, node.directory)
    assert bench.run() == {"hwinfod_slurm_jobs": 0}
    assert gpus(bench) == {}


@pytest.mark.parametrize(("place", "uid"), [("slurm", 1000), ("user/task_0", 0)])
def test_what_a_user_writes_over_his_own_command_line_is_no_number(node: Node, place: str, uid: int) -> None:
    node.title(99, f"{SLUID}/step_batch/{place}", "slurmstepd: [4712.batch]", uid)
    bench = Bench(Slurm, node.directory)
    bench.run()
    assert bench.host.names.current["slurm"].jobs == ()


def test_processes_of_slurm_itself_are_passed_over_and_later_ones_found(node: Node) -> None:
    node.run(100, "job_4711/step_batch/slurm", {"PATH": "/"})
    bench = Bench(Slurm, node.directory)
    assert bench.run() == {"hwinfod_slurm_jobs": 0}
    node.run(101, "job_4711/step_batch/user/task_0", BATCH)
    assert bench.run() == {"hwinfod_slurm_jobs": 1}


def test_a_step_that_never_tells_is_asked_a_few_times(node: Node, monkeypatch: pytest.MonkeyPatch) -> None:
    node.run(100, "job_4711/step_extern", {"PATH": "/"})
    asked = []
    read = ProcessFiles.environ
    monkeypatch.setattr(ProcessFiles, "environ", lambda self: asked.append(1) or read(self))
    bench = Bench(Slurm, node.directory)
    for _ in range(10):
        bench.run()
    assert len(asked) == MOST_ATTEMPTS


def test_a_job_that_told_is_not_asked_again(node: Node, monkeypatch: pytest.MonkeyPatch) -> None:
    node.run(100, "job_4711/step_batch/user/task_0", BATCH)
    bench = Bench(Slurm, node.directory)
    bench.run()
    monkeypatch.setattr(ProcessFiles, "environ", lambda self: pytest.fail("was read again"))
    assert bench.run() == {"hwinfod_slurm_jobs": 1}


def test_a_job_that_ended_is_gone_and_one_with_its_number_is_another(node: Node) -> None:
    node.run(100, "job_4711/step_batch/user/task_0", BATCH)
    bench = Bench(Slurm, node.directory)
    bench.run()
    node.end("job_4711")
    assert bench.run() == {"hwinfod_slurm_jobs": 0}
    node.run(200, "job_4711/step_batch/user/task_0", BATCH | {"SLURM_JOB_NAME": "next", "SLURM_JOB_GPUS": "7"})
    bench.run()
    assert bench.host.names.current["slurm"].jobs == (NAME._replace(name="next"),)
    assert gpus(bench) == {"4711": ("7",)}


def test_what_may_not_be_read_is_said(node: Node, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(self: ProcessFiles) -> bytes:
        raise Denied("environ", 13)

    node.run(100, "job_4711/step_batch/user/task_0", BATCH)
    monkeypatch.setattr(ProcessFiles, "environ", refuse)
    bench = Bench(Slurm, node.directory)
    bench.run()
    (reason,) = bench.host.names.current["slurm"].blind
    assert reason.endswith("give the daemon CAP_SYS_PTRACE")


def test_a_directory_in_a_container_that_looks_like_a_job_is_none(node: Node) -> None:
    """Whoever may make cgroups in there may call them as he likes."""
    container = "cri-containerd-" + "1f" * 32 + ".scope/slurmstepd.scope/job_4711/step_batch"
    place = node.cgroup / "kubepods.slice/kubepods-pod5f2c1f0e_1111_2222_3333_444455556666.slice" / container
    place.mkdir(parents=True)
    bench = Bench(Slurm, node.directory)
    assert bench.run() == {"hwinfod_slurm_jobs": 0}


def test_a_job_that_a_user_made_up_in_his_own_slice_is_none(node: Node) -> None:
    own = "../../user.slice/user-1000.slice/user@1000.service/slurmstepd.scope/job_4711/step_batch/user/task_0"
    node.run(100, own, BATCH)
    bench = Bench(Slurm, node.directory)
    assert bench.run() == {"hwinfod_slurm_jobs": 0}


def test_a_host_without_cgroups(tmp_path: Path) -> None:
    assert Bench(Slurm, tmp_path).attempt() is State.ABSENT
