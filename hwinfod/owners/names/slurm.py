# SPDX-License-Identifier: MIT
"""Jobs of Slurm: what they are called and which GPUs they were given, from the environment of their processes.

No command is started and no daemon of Slurm is asked. The cgroup says which job it is, or the title of slurmstepd where
the cgroup has another id than the number that users see (from Slurm 26.05 on), and the kernel whose processes they are:
an environment that names another job is not believed.
"""

from __future__ import annotations

import contextlib
import os
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from hwinfod.core.allocation import Allocation, Allocations
from hwinfod.core.collector import Collector, beat
from hwinfod.core.metric import Kind, Level, Metric
from hwinfod.core.owner import JobName, Names
from hwinfod.errors import Absent, Denied, HwinfodError
from hwinfod.owners.usage.tree import Tree
from hwinfod.sources.cgroupfs import find_hierarchies
from hwinfod.sources.files import read_optional
from hwinfod.sources.process import ProcessFiles
from hwinfod.sources.slurm_environ import JobEnvironment, parse_environ
from hwinfod.sources.slurm_title import parse_step_title

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

JOBS = Metric(
    name="hwinfod_slurm_jobs",
    kind=Kind.GAUGE,
    help="Jobs of Slurm on this node whose names are known.",
    source="/proc/PID/environ of a process in the job's cgroup",
    level=Level.DETAILED,
)
SOURCE = "slurm"
MOST_STEPS = 64  # of one job, that are looked into
MOST_PROCESSES = 8  # of one step, until one tells
MOST_ATTEMPTS = 4  # a step that has just begun has processes of slurmstepd alone
_DEEPEST = 4
_UUIDS = ("GPU-", "MIG-")
_WITH_JOB_GPUS = ("/step_batch", "/step_interactive")  # srun(1), SLURM_JOB_GPUS


@dataclass(slots=True)
class _Job:
    """What is known of a job. `number` is what Slurm calls it, "" before that is known; `is_contradicted` whether a
    process of it named another job. `steps` are attempts by directory; one that told is not looked into again."""

    number: str
    is_contradicted: bool = False
    uid: int = -1
    environment: JobEnvironment = field(default_factory=JobEnvironment)
    step_gpus: dict[str, None] = field(default_factory=dict)
    uuids: dict[str, None] = field(default_factory=dict)
    steps: dict[str, int] = field(default_factory=dict)

    def learn(self, uid: int, found: JobEnvironment) -> None:
        """What one process says adds to what others said."""
        self.uid = uid
        known = self.environment
        told = {name: value for name, value in found._asdict().items() if value}
        self.environment = known._replace(**told)
        self.step_gpus.update(dict.fromkeys(found.step_gpus))
        self.uuids.update(dict.fromkeys(name for name in found.visible_gpus if name.startswith(_UUIDS)))

    def believes(self, found: JobEnvironment) -> bool:
        """Whether an environment is of this job. Where that is a part of a heterogeneous one, the environment has the
        first part's id, and its own among those of all parts."""
        if not (self.number and found.job_id):
            return bool(found.job_id)
        return self.number == found.job_id or self.number in found.components

    def gpus(self) -> tuple[str, ...]:
        """UUIDs in the place of CUDA's numbers, which count within the job, say which GPUs are meant. Slurm's own
        numbers do where their order is known, and stand for those that no UUID names."""
        numbers = self.environment.job_gpus or tuple(self.step_gpus)
        return tuple(self.uuids) if len(self.uuids) >= len(numbers) else (*self.uuids, *numbers)


class Slurm(Collector):
    name = "slurm"
    summary = "jobs of Slurm, from the environment of their processes"
    lane = "slurm"

    def open(self) -> None:
        self.bases = find_hierarchies(self.roots).trees()
        if not self.bases:
            raise Absent("no cgroup file system is mounted")
        self.trees = [Tree(base) for base in self.bases]
        self.jobs: dict[str, _Job] = {}
        self.count = self.table.bind((JOBS,))

    @beat(seconds=15)
    def sample(self) -> None:
        found: dict[str, _Job] = {}
        self.denied = False
        for base, tree in zip(self.bases, self.trees, strict=True):
            for cgroup, owner in tree.rescan().items():
                if owner.runtime == SOURCE and owner.job_id and owner.within is None:
                    known = self.jobs.get(owner.job_id) or _Job(owner.job_id if owner.job_id.isdigit() else "")
                    self._look(found.setdefault(owner.job_id, known), base + cgroup.path)
        self.jobs = found
        self._publish()

    def close(self) -> None:
        self.host.names.withdraw(SOURCE)
        self.host.allocations.withdraw(SOURCE)

    def _look(self, job: _Job, directory: str) -> None:
        if job.environment.job_gpus and job.number:
            return  # the batch script has told everything
        for step in list(_steps(directory))[:MOST_STEPS]:
            if job.steps.get(step, 0) < MOST_ATTEMPTS:
                job.number = job.number or self._number(step)
                told = self._ask(job, step)
                job.steps[step] = MOST_ATTEMPTS if told else job.steps.get(step, 0) + 1

    def _number(self, step: str) -> str:
        """Of the step's job, by the title of slurmstepd. Its cgroup has no processes of users, who may call theirs as
        they like; one that is not root's is not believed all the same."""
        for pid in _processes_in(f"{step}/slurm"):
            self.step(f"read the title of process {pid}")
            with (
                contextlib.suppress(HwinfodError),
                contextlib.closing(ProcessFiles(self.roots, pid)) as files,
            ):
                number = parse_step_title(files.command_line())
                if number and files.status().uids[0] == 0:
                    return number
        return ""

    def _ask(self, job: _Job, step: str) -> bool:
        """Whether a process of the step told of its job."""
        for pid in list(_processes(step))[:MOST_PROCESSES]:
            self.step(f"read the environment of process {pid}")
            try:
                with contextlib.closing(ProcessFiles(self.roots, pid)) as files:
                    found = _of_step(step, parse_environ(files.environ()))
                    uid = files.status().uids[0]
            except Denied:
                self.denied = True
                continue
            except HwinfodError:
                continue  # it has ended
            if job.believes(found):
                job.learn(uid, found)
                return True
            job.is_contradicted |= bool(found.job_id)
        return False

    def _publish(self) -> None:
        told = {id_: job for id_, job in self.jobs.items() if job.environment.job_id}
        blind = (
            "attribution blind: environments of Slurm's jobs may not be read, their names and GPUs are missing: "
            "give the daemon CAP_SYS_PTRACE",
        )
        known = {id_: job for id_, job in self.jobs.items() if id_ in told or job.number not in ("", id_)}
        names = Names(jobs=tuple(_name(id_, job) for id_, job in known.items()), blind=blind if self.denied else ())
        if names != self.host.names.current.get(SOURCE):
            self.host.names.publish(SOURCE, names)
        contradicted = sum(job.is_contradicted and id_ not in told for id_, job in self.jobs.items())
        if contradicted:
            self.skip("jobs", f"environments of {contradicted} name another job: their names and GPUs are missing")
        given = tuple(_allocation(id_, job) for id_, job in told.items() if job.gpus())
        self.host.allocations.publish(SOURCE, Allocations(self.host.clock.boottime_ns(), given))
        self.count.set((len(told),))


def _of_step(step: str, told: JobEnvironment) -> JobEnvironment:
    """What holds of this node: srun hands its own environment on to other nodes, with the numbers of the GPUs that the
    batch script has on the first one."""
    return told if step.endswith(_WITH_JOB_GPUS) else told._replace(job_gpus=())


def _name(job_id: str, job: _Job) -> JobName:
    told = job.environment
    return JobName(job_id, job.number, told.name, told.user, told.account, told.partition)


def _allocation(job_id: str, job: _Job) -> Allocation:
    gpus = job.gpus()
    return Allocation("", "", "", "gres/gpu", gpus, gpus, SOURCE, job_id=job_id, uid=job.uid)


def _steps(directory: str) -> Iterator[str]:
    """The job's steps, the batch script first; the one that only adopts logins last."""
    with contextlib.suppress(OSError):
        names = [name for name in os.listdir(directory) if name.startswith("step_")]
        for name in sorted(names, key=lambda name: (name != "step_batch", name == "step_extern", name)):
            yield f"{directory}/{name}"


def _processes(directory: str, depth: int = 0) -> Iterator[int]:
    """Those of a cgroup and below. What slurmstepd itself runs in (`slurm`) comes last."""
    yield from _processes_in(directory)
    for below in _below(directory) if depth < _DEEPEST else ():
        yield from _processes(f"{directory}/{below}", depth + 1)


def _processes_in(directory: str) -> list[int]:
    data = read_optional(f"{directory}/cgroup.procs") or b""
    return [int(word) for word in data.split()[:MOST_PROCESSES] if word.isdigit()]


def _below(directory: str) -> Iterable[str]:
    try:
        with os.scandir(directory) as entries:
            names = [entry.name for entry in entries if entry.is_dir(follow_symlinks=False)]
    except OSError:
        return []
    return sorted(names, key=lambda name: (name == "slurm", name))
