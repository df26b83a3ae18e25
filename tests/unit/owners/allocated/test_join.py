# SPDX-License-Identifier: MIT
"""What several sources say of allocations becomes one grant an owner and device."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hwinfod.core.allocation import Allocatable, Allocation, Allocations, Claim
from hwinfod.core.grant import MIG as MIG_PART
from hwinfod.core.grant import MPS, SHARED, TIME_SLICING, WHOLE, Grant
from hwinfod.core.owner import ContainerName, Names, PodName
from hwinfod.owners.allocated.join import join
from hwinfod.owners.allocated.people import People
from hwinfod.owners.allocated.places import Places
from hwinfod.sources.pod_resources import device_of
from tests.support.allocations import AMD, CID, MIG, NIC, NVIDIA, UID, allocation, devices

PLACES = Places(devices())
NAMES = {"logs": Names((ContainerName(CID, "cuda", "ml", "train-0", UID),), (PodName(UID, "ml", "train-0"),))}
POD = f"pod:{UID}:{CID[:12]}"


def joined(*allocations: Allocation, names: dict[str, Names] | None = None, **more: Any) -> dict[str, list[Grant]]:
    sources: dict[str, list[Allocation]] = {}
    for each in allocations:
        sources.setdefault(each.source, []).append(each)
    told = {source: Allocations(0, tuple(found), **more) for source, found in sources.items()}
    result = join(told, People(NAMES if names is None else names), PLACES)
    return {id_: list(given.grants.values()) for id_, given in result.owners.items()}


def slurm(*ids: str) -> Allocation:
    return allocation(*ids, namespace="", pod="", container="", job_id="4711", source="slurm", resource="gres/gpu")


def replicas(uuid: str, count: int) -> Allocatable:
    ids = tuple(f"{uuid}::{n}" for n in range(count))
    return Allocatable("nvidia.com/gpu", ids, (uuid,))


def test_names_lead_to_the_id_that_the_cgroup_has() -> None:
    (grant,) = joined(allocation(NVIDIA[3]))[POD]
    assert grant == Grant(NVIDIA[3], "", WHOLE, 1.0, "nvidia.com/gpu", (NVIDIA[3],), ("pod-resources",))


def test_a_pod_uid_leads_there_too() -> None:
    told = allocation(NVIDIA[3], namespace="", pod="", pod_uid=UID, source="checkpoint")
    assert list(joined(told)) == [POD]
    owner, name = People(NAMES).owner_of(told)
    assert (owner.pod_uid, owner.container_id, name.namespace, name.pod) == (UID, CID, "ml", "train-0")


def test_a_pod_that_nobody_else_knows_has_its_name_for_an_id() -> None:
    assert list(joined(allocation(NVIDIA[3]), names={})) == ["pod:ml/train-0:cuda"]


def test_a_pod_whose_container_is_not_known_yet_has_its_uid() -> None:
    names = {"logs": Names((), (PodName(UID, "ml", "train-0"),))}
    assert list(joined(allocation(NVIDIA[3]), names=names)) == [f"pod:{UID}:"]


def test_who_lists_what_runs_knows_better_than_logs() -> None:
    later = ContainerName("d00d" + "0" * 60, "cuda", "ml", "train-0", UID)
    assert list(joined(allocation(NVIDIA[3]), names={"kubelet": Names((later,)), **NAMES})) == [
        f"pod:{UID}:d00d00000000"
    ]


def test_of_two_pods_and_containers_with_one_name_the_living_is_meant() -> None:
    """A container that was restarted leaves its log behind, and so does the pod that a StatefulSet replaced."""
    old = "00000000-1111-2222-3333-444455556666"
    first, second, third = (letter * 64 for letter in "abc")
    names = {
        "logs": Names(
            (
                ContainerName(first, "cuda", "ml", "train-0", UID),
                ContainerName(second, "cuda", "ml", "train-0", UID),
                ContainerName(third, "cuda", "ml", "train-0", old),
            ),
            (PodName(UID, "ml", "train-0"), PodName(old, "ml", "train-0")),
        )
    }
    people, told = People(names), {"pod-resources": Allocations(0, (allocation(NVIDIA[3]),))}
    for alive, id_ in (
        ({UID, first}, f"pod:{UID}:aaaa"),
        ({UID, second}, f"pod:{UID}:bbbb"),
        ({old}, f"pod:{old}:cccc"),
    ):
        (found,) = join(told, people, PLACES, frozenset(alive)).owners
        assert found.startswith(id_)
    told = {"pod-resources": Allocations(0, (allocation(NVIDIA[3], container="new"),))}
    assert list(join(told, people, PLACES, frozenset({UID})).owners) == [f"pod:{UID}:"]
    for alive in ({"another"}, ()):
        assert join(told, people, PLACES, frozenset(alive)).owners == {}


def test_docker_and_slurm() -> None:
    docker = allocation(
        "0", namespace="", pod="", container="jupyter", container_id=CID, runtime="docker", source="bundle"
    )
    found = joined(docker, slurm(NVIDIA[7], MIG))
    assert {id_: [grant.device for grant in grants] for id_, grants in found.items()} == {
        f"container:docker:{CID[:12]}": [NVIDIA[0]],
        "job:slurm:4711": [NVIDIA[7], NVIDIA[7]],
    }


def test_numbers_of_slurm_that_may_mean_another_gpu_are_told_and_not_believed() -> None:
    told = {"slurm": Allocations(0, (slurm("0", NVIDIA[1]),))}
    result = join(told, People({}), PLACES)
    assert [grant.device for grant in result.owners["job:slurm:4711"].grants.values()] == [NVIDIA[1]]
    assert result.unknown == {"slurm": ("0",)}
    result = join({"slurm": Allocations(0, (slurm("0", "8"),))}, People({}), Places(devices()[:7][::-1]))
    assert (result.owners, result.unknown) == ({}, {"slurm": ("0", "8")}), "minors run against addresses"
    sure = [replace(gpu, facts={**gpu.facts, "device_node": f"/dev/nvidia{n}"}) for n, gpu in enumerate(devices()[:8])]
    result = join({"slurm": Allocations(0, (slurm("0", "8", NVIDIA[0]),))}, People({}), Places(sure))
    (grant,) = result.owners["job:slurm:4711"].grants.values()
    assert (grant.device, grant.device_ids, result.unknown) == (NVIDIA[0], ("0", NVIDIA[0]), {"slurm": ("8",)})


def test_what_several_sources_say_is_one_grant_and_the_most_trusted_is_first() -> None:
    socket = allocation(f"{NVIDIA[3]}::1")
    checkpoint = allocation(f"{NVIDIA[3]}::1", namespace="", pod="", pod_uid=UID, source="checkpoint")
    bundle = allocation(NVIDIA[3], source="bundle", pod_uid=UID, container_id=CID, resource="")
    (grant,) = joined(bundle, checkpoint, socket, allocatable=(replicas(NVIDIA[3], 4),))[POD]
    assert grant.sources == ("pod-resources", "checkpoint", "bundle")
    assert (grant.share, grant.sharing, grant.device_ids) == (0.25, TIME_SLICING, (f"{NVIDIA[3]}::1",))


def test_replicas_are_parts_of_the_device() -> None:
    told = allocation(f"{NVIDIA[3]}::1", f"{NVIDIA[3]}::7", f"{NVIDIA[4]}::0")
    grants = joined(told, allocatable=(replicas(NVIDIA[3], 8), replicas(NVIDIA[4], 2)))[POD]
    assert [(grant.device, grant.share) for grant in grants] == [(NVIDIA[3], 0.25), (NVIDIA[4], 0.5)]


def test_how_much_a_replica_is_nobody_says_without_the_list_of_all() -> None:
    (grant,) = joined(allocation(f"{NVIDIA[3]}::1"))[POD]
    assert (grant.share, grant.sharing) == (None, TIME_SLICING)


def test_sharing_by_mps_is_told_apart_whoever_knows_it() -> None:
    socket = allocation(f"{NVIDIA[3]}::1")
    checkpoint = allocation(f"{NVIDIA[3]}::1", namespace="", pod="", pod_uid=UID, source="checkpoint", uses_mps=True)
    (grant,) = joined(socket, checkpoint)[POD]
    assert grant.sharing == MPS


def test_a_plugin_that_cuts_memory_shares_in_its_own_way() -> None:
    (grant,) = joined(allocation(f"{NVIDIA[3]}-2"))[POD]
    assert (grant.device, grant.sharing, grant.share) == (NVIDIA[3], SHARED, None)


def test_a_mig_instance_is_a_part_of_its_gpu() -> None:
    (grant,) = joined(allocation(MIG, resource="nvidia.com/mig-3g.40gb"))[POD]
    assert (grant.device, grant.part, grant.sharing, grant.share) == (NVIDIA[7], MIG, MIG_PART, round(3 / 7, 6))


def test_amd_by_address_and_rdma_by_the_nodes_that_came_with_it() -> None:
    amd = allocation("0000:c1:00.0", resource="amd.com/gpu", nodes=("/dev/kfd", "/dev/dri/renderD136"))
    nic = allocation("1", "2", resource="rdma/hca", nodes=("/dev/infiniband/rdma_cm", "/dev/infiniband/uverbs0"))
    found = {grant.device: grant.device_ids for grant in joined(amd, nic)[POD]}
    assert found[AMD] == ("0000:c1:00.0",)


def test_rdma_ids_that_are_numbers_are_no_gpus() -> None:
    nic = allocation("1", "2", resource="rdma/hca", nodes=("/dev/infiniband/uverbs0",))
    assert [(grant.device, grant.device_ids) for grant in joined(nic)[POD]] == [(NIC, ("1", "2"))]


def test_a_claim() -> None:
    claim = Claim("gpu-claim", "gpu.nvidia.com", "node-1", "gpu-6")
    (grant,) = joined(allocation("gpu-6", claim=claim, resource="gpu.nvidia.com"))[POD]
    assert (grant.device, grant.claim, grant.share) == (NVIDIA[1], "gpu-claim", 1.0)


def test_all_gpus_of_nvidia() -> None:
    docker = allocation("all", namespace="", pod="", container_id=CID, runtime="docker", source="bundle")
    ((_, grants),) = joined(docker).items()
    assert {grant.device for grant in grants} == set(NVIDIA)


def test_what_two_were_given_whole_is_shared() -> None:
    one = allocation("0", namespace="", pod="", container_id="a" * 64, runtime="docker", source="bundle")
    two = allocation("0", namespace="", pod="", container_id="b" * 64, runtime="docker", source="bundle")
    assert [grant.sharing for grants in joined(one, two).values() for grant in grants] == [SHARED, SHARED]


def test_gpus_that_are_not_here_are_told_and_other_resources_are_not() -> None:
    gone = "GPU-00000000-0000-0000-0000-000000000000"
    told = {"x": Allocations(0, (allocation(gone), allocation("fuse-1", resource="devic.es/fuse")))}
    result = join(told, People(NAMES), PLACES)
    assert (result.owners, result.unknown) == ({}, {"x": (gone,)})


def test_250_pods_on_8_gpus() -> None:
    pods = [allocation(f"{NVIDIA[n % 8]}::{n // 8}", pod=f"p{n}", container="c") for n in range(250)]
    found = joined(*pods, allocatable=tuple(replicas(uuid, 32) for uuid in NVIDIA))
    assert len(found) == 250
    sums: dict[str, float] = {}
    for grants in found.values():
        for grant in grants:
            assert grant.share is not None
            sums[grant.device] = sums.get(grant.device, 0) + grant.share
    assert sums == dict.fromkeys(NVIDIA[:2], 1.0) | dict.fromkeys(NVIDIA[2:], 31 / 32)


IDS = st.sampled_from(
    [*NVIDIA[:2], f"{NVIDIA[0]}::0", f"{NVIDIA[0]}::1", MIG, f"{MIG}::0", "0", "all", "0000:c1:00.0", ""]
)
MADE_UP = st.builds(
    lambda ids, pod, source, total: (allocation(*ids, pod=pod, source=source), total),
    st.lists(IDS | st.text(max_size=4), max_size=4),
    st.sampled_from(["train-0", "other", ""]),
    st.sampled_from(["pod-resources", "checkpoint", "bundle", "new"]),
    st.integers(0, 4),
)


@given(st.lists(MADE_UP, max_size=6))
def test_no_owner_has_more_of_a_device_than_there_is(told: list[tuple[Allocation, int]]) -> None:
    sources = {
        each.source: Allocations(
            0, (each,), (Allocatable(each.resource, tuple(f"{NVIDIA[0]}::{n}" for n in range(total)), ()),)
        )
        for each, total in told
    }
    for id_, given_ in join(sources, People(NAMES), PLACES).owners.items():
        assert id_
        for (device, part), grant in given_.grants.items():
            assert (grant.device, grant.part) == (device, part)
            assert grant.share is None or 0 < grant.share <= 1
            assert grant.sources


@pytest.mark.parametrize("id_", ["GPU-1", NVIDIA[0], MIG, "0"])
def test_an_id_without_a_number_is_itself(id_: str) -> None:
    assert device_of(id_) == id_
