# SPDX-License-Identifier: MIT
"""What owners are called: never as another one is, by the choice of a tenant."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hwinfod.core.owner import ContainerName
from hwinfod.owners.cgroup import resolve_path
from hwinfod.owners.identity import Owner
from hwinfod.owners.naming import id_of, labels_of

A, B = "1f" * 32, "2e" * 32
UID, OTHER = "8d3f1c52-7a61-4b1e-9c0d-5e6f7a8b9c0d", "0b9a8c7d-6e5f-4a3b-8c1d-2e3f4a5b6c7d"
POD = f"/kubepods/pod{UID}/{A}"
STEP = "/system.slice/slurmstepd.scope/job_42/step_0/user/task_0"
NAMED = ContainerName(A, "cuda", "ml", "train-0", UID)


@pytest.mark.parametrize(
    ("path", "label"),
    [
        ("/slurm/uid_0/job_5", "slurm 5"),
        (f"{STEP}/libpod-{A}", "slurm 42"),
        (f"/slurm/uid_7/job_5/step_0/libpod-{A}/docker/{B}", "slurm 5"),
        (f"/docker/{A}/slurm/uid_0/job_5", "slurm 5 in docker 1f1f1f1f1f1f"),
        (f"{STEP}/slurm/uid_0/job_5", "slurm 5 in slurm 42"),
        (f"/lxc/101/docker/{A}", "docker 1f1f1f1f1f1f in lxc 101"),
        (f"{POD}/docker/{B}", f"pod {UID}"),
        (f"{POD}/kubepods/pod{OTHER}/{B}", f"pod {OTHER} in pod {UID}"),
        ("/system.slice/docker.service", "docker.service"),
        ("/user.slice/user-7.slice/user@7.service/app.slice/docker.service", "docker.service of user 7"),
        ("/user.slice/user-7.slice/user@7.service/init.scope", "user@7.service"),
        ("/user.slice/user-7.slice/session-1.scope", "session-1.scope of user 7"),
        (f"/user.slice/user-7.slice/session-1.scope/docker/{A}", "docker 1f1f1f1f1f1f of user 7"),
    ],
)
def test_labels_tell_in_whose_territory_something_is(path: str, label: str) -> None:
    assert labels_of(resolve_path(path), None)[0] == label


@pytest.mark.parametrize("below", ["", f"/docker/{B}", f"/kubepods/pod{OTHER}/{B}"])
def test_a_named_pod_gives_its_name_to_what_is_in_it(below: str) -> None:
    assert labels_of(resolve_path(POD + below), NAMED) == ("ml/train-0", "pod", "ml", "train-0", "cuda", "", "")


CLAIMS = st.sampled_from(
    [
        f"/docker/{B}", "/slurm/uid_0/job_5", "/system.slice/slurmstepd.scope/job_5/step_0",
        f"/kubepods/pod{OTHER}/{B}",
        "/lxc.payload.web", "/machine.slice/machine-web.scope", "/pbs_jobs.service/jobid/7.head", f"/k8s.io/{B}",
        "/system.slice/ssh.service", "/user.slice/user-0.slice/session-1.scope", "/htcondor/condor_slot1",
    ]
)  # fmt: skip
TENANTS = st.sampled_from(
    [
        f"/docker/{A}", f"/kubepods/pod{UID}/{A}", "/lxc.payload.mine", STEP, "/slurm/uid_1000/job_42/step_0/task_0",
        "/user.slice/user-1000.slice/user@1000.service", f"/user.slice/user-1000.slice/session-3.scope/docker/{A}",
    ]
)  # fmt: skip


@given(TENANTS, st.lists(CLAIMS, min_size=1, max_size=4))
def test_no_tenant_passes_for_what_the_host_made(tenant: str, claims: list[str]) -> None:
    """Neither its id nor its labels, by which series are kept, are those of what stands at the root of the tree."""
    forged, real = resolve_path(tenant + "".join(claims)), resolve_path(claims[-1])
    assert id_of(forged) != id_of(real)
    assert labels_of(forged, None) != labels_of(real, None)


def test_a_long_name_does_not_push_out_whose_it_is() -> None:
    long = "x" * 250
    assert labels_of(resolve_path(f"/docker/{A}/lxc.payload.{long}"), None)[0].endswith("x in docker 1f1f1f1f1f1f")
    label = labels_of(resolve_path(f"/lxc.payload.{long}/slurm/uid_0/job_5"), None)[0]
    assert (label[:20], len(label)) == ("slurm 5 in lxc xxxxx", 107)


def test_a_dead_owner_of_nothing_has_a_name() -> None:
    assert labels_of(Owner(), None)[0] == "nobody"
