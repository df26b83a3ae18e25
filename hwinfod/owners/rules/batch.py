# SPDX-License-Identifier: MIT
"""Jobs of batch schedulers, by the names that their own commands take.

Where a scheduler's cgroup does not tell the job, what it tells stands in: HTCondor's slot, Slurm's SLUID.
"""

from __future__ import annotations

from hwinfod.owners.identity import JOB, Owner
from hwinfod.owners.rules.segments import before, is_number, is_uuid, unescape

_SLUID_LENGTH = 14
_SLUID_DIGITS = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"  # Crockford's base 32: slurm src/common/sluid.c
_UUID_LENGTH = 36
_NOMAD_PARTITIONS = ("share.slice", "reserve.slice")
_GRID_ENGINES = ("UGE", "AGE", "SGE", "sge")


def job(segments: list[str], position: int) -> Owner | None:
    """A job's directory: Slurm, PBS, HTCondor, Nomad, Flux, LSF, OAR, Grid Engine, Torque, YARN."""
    segment = segments[position]
    if segment.startswith(("job_", "s")):
        found = _slurm(segments, position)
        if found is not None:
            return found
    if segment.startswith(("shell-", "imp-shell-")):
        return _flux(segment)
    if segment.startswith("condor_"):
        return _htcondor(segment, before(segments, position))
    if segment.startswith("oar-u"):
        return _oar(segment)
    if segment.startswith("container_"):
        return _yarn(segment)
    if segment.endswith(".scope") and "-jobs" in before(segments, position):
        return _gridware(segment, before(segments, position))
    if segment[8:9] == "-" and is_uuid(segment[:_UUID_LENGTH]):
        return _nomad(segments, position)
    return _by_parent(segment, before(segments, position), before(segments, position, 2))


def _slurm(segments: list[str], position: int) -> Owner | None:
    """v1: slurm[_node]/uid_U/job_J/step_S/task_T; v2: [node_]slurmstepd.scope/job_J/step_S/{user/task_T,slurm};
    from 26.05 on v2 writes the job's SLUID unless CgroupJobIdPaths is set. Steps: a number, batch, extern,
    interactive. Source: slurm src/plugins/cgroup/{v1/xcgroup.c,v2/cgroup_v2.c}, log_build_step_id_str()."""
    segment = segments[position]
    parent = before(segments, position)
    below = segments[position + 1] if position + 1 < len(segments) else ""
    step = below[5:] if below.startswith("step_") else None
    user = None
    if segment.startswith("job_"):
        identifier = segment[4:]
        if not is_number(identifier):
            return None
        if parent.startswith("uid_"):
            user, parent = parent[4:], before(segments, position, 2)
        if step is None and not (parent.startswith("slurm") or parent.endswith("slurmstepd.scope")):
            return None
    else:
        identifier = segment
        if not parent.endswith("slurmstepd.scope") or len(segment) != _SLUID_LENGTH:
            return None
        if segment[1:].strip(_SLUID_DIGITS):
            return None
    return Owner(JOB, "slurm", job_id=identifier, step=step or None, user=user or None)


def _flux(segment: str) -> Owner | None:
    """[imp-]shell-RANK-JOBID.service of the flux user's systemd; the id is in F58, with "f" or "ƒ" in front.
    Source: flux-core src/common/libsubprocess/bulk-exec.c."""
    name = unescape(segment)
    _, _, rest = name.removesuffix(".service").partition("shell-")
    rank, _, identifier = rest.partition("-")
    known = name.endswith(".service") and is_number(rank) and identifier[:1] in ("f", "ƒ")
    return Owner(JOB, "flux", job_id=identifier) if known else None


def _htcondor(segment: str, parent: str) -> Owner | None:
    """condor_<execute directory, _ for />_slotN[_M@host]: the slot is all that it tells. The directory may have a
    word in it that begins as a slot does."""
    before_host = segment.partition("@")[0]
    slot = before_host.rfind("_slot")
    while slot >= 0 and not before_host[slot + 5 : slot + 6].isdigit():
        slot = before_host.rfind("_slot", 0, slot)
    if slot < 0:
        return Owner(JOB, "htcondor", job_id=segment) if parent == "htcondor" else None
    return Owner(JOB, "htcondor", job_id=segment[slot + 1 :])


def _oar(segment: str) -> Owner | None:
    """oar-uUID-jJOB[-sSTEP], as slice or scope."""
    parts = segment.partition(".")[0].split("-")
    if len(parts) < 3 or parts[2][:1] != "j" or not is_number(parts[2][1:]):
        return None
    step = parts[3][1:] if len(parts) > 3 else None
    return Owner(JOB, "oar", job_id=parts[2][1:], step=step or None, user=parts[1][1:] or None)


def _nomad(segments: list[str], position: int) -> Owner | None:
    """v2: nomad.slice/{share,reserve}.slice/ALLOCATION.TASK.scope, where nomad.slice may be called otherwise
    (cgroup_parent); v1: nomad/ALLOCATION.TASK. With the Docker driver only Docker's path shows.
    Source: nomad client/lib/cgroupslib/{editor,partition}.go."""
    above = segments[max(0, position - 2) : position]
    if not any(name.startswith("nomad") or name in _NOMAD_PARTITIONS for name in above):
        return None
    segment = segments[position]
    task = segment[_UUID_LENGTH:].removesuffix(".scope")
    if task and task[0] not in ".-":
        return None
    return Owner(JOB, "nomad", job_id=segment[:_UUID_LENGTH], step=task[1:] or None)


def _yarn(segment: str) -> Owner | None:
    """container_[eEPOCH_]TIMESTAMP_APPLICATION_ATTEMPT_CONTAINER, below a directory that the administrator names.
    Source: hadoop ContainerId.toString(), yarn.nodemanager.linux-container-executor.cgroups.hierarchy."""
    numbers = segment.split("_")[1:]
    if numbers[0][:1] == "e":
        numbers[0] = numbers[0][1:]
        numbers = numbers if len(numbers) == 5 else []
    known = len(numbers) in (4, 5) and all(is_number(number) for number in numbers)
    return Owner(JOB, "yarn", job_id=segment) if known else None


def _gridware(segment: str, parent: str) -> Owner | None:
    """TOP-jobs[-JOB[.TASK]].slice/TOP.JOB[.TASK][{.,-}RANK.HOST | .master].scope, where TOP is ocs and a port.
    Source: hpc-gridware/clusterscheduler, ocs::Job::job_get_systemd_slice_and_scope()."""
    top = parent.partition("-jobs")[0] + "."
    if not segment.startswith(top):
        return None
    parts = segment[len(top) : -len(".scope")].split(".")
    number, rank, _ = parts[0].partition("-")
    if not is_number(number):
        return None
    is_array = not rank and len(parts) > 1 and is_number(parts[1])
    return Owner(JOB, "gridengine", job_id=f"{number}.{parts[1]}" if is_array else number)


def _by_parent(segment: str, parent: str, grandparent: str) -> Owner | None:
    """The schedulers that own a directory and put jobs right below it."""
    if parent in ("jobid", "jobs"):
        return _pbs(segment, parent, grandparent)
    if parent in ("pbspro", "pbs_jobs", "torque"):
        runtime = "torque" if parent == "torque" else "pbs"
        return Owner(JOB, runtime, job_id=segment) if segment[0].isdigit() else None
    if parent in ("pbspro.slice", "pbs_jobs.slice"):
        name = unescape(segment.removesuffix(".slice"))
        identifier = name.partition("-")[2]
        return Owner(JOB, "pbs", job_id=identifier) if identifier else None
    if grandparent == "lsf" and segment.startswith("job."):  # lsf/CLUSTER/job.ID.PID.TIME
        identifier = segment[4:].partition(".")[0]
        return Owner(JOB, "lsf", job_id=identifier) if identifier else None
    if parent in _GRID_ENGINES:
        return Owner(JOB, "gridengine", job_id=segment) if segment[:1].isdigit() else None
    if parent == "oar":  # v1: oar/USER_JOB
        user, _, identifier = segment.rpartition("_")
        return Owner(JOB, "oar", job_id=identifier, user=user or None) if is_number(identifier) else None
    return None


def _pbs(segment: str, parent: str, grandparent: str) -> Owner | None:
    """PREFIX.service/jobid/JOB on v1, PREFIX.service/jobs/JOB on v2; the prefix is pbs_jobs unless the hook's
    cgroup_prefix says otherwise. "jobid" alone is telling, "jobs" is not. Source: openpbs pbs_cgroups.PY."""
    own = grandparent.startswith("pbs")
    other = parent == "jobid" and grandparent.endswith(".service") and segment[0].isdigit()
    return Owner(JOB, "pbs", job_id=segment) if own or other else None
