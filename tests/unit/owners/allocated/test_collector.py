# SPDX-License-Identifier: MIT
"""Allocated beside observed: shares by owner and GPU, and for how long a given GPU idles."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType

import pytest

from hwinfod.core.account import Account, Accounting
from hwinfod.core.allocation import Allocatable, Allocation, Allocations
from hwinfod.core.grant import MPS, TIME_SLICING, WHOLE
from hwinfod.core.holding import Batch, Holding
from hwinfod.core.owner import LABELS as LABEL_NAMES
from hwinfod.core.owner import Attribution, ContainerName, Holder, JobName, Names, OwnerRecord
from hwinfod.owners.allocated.collector import MOST_OWNERS, UNUSED, OwnerAllocations
from tests.support.allocations import CID, MIG, NIC, NVIDIA, UID, allocation, devices
from tests.support.bench import Bench
from tests.support.owners import by_owner

POD = f"pod:{UID}:{CID[:12]}"
LABELS = ("ml/train-0", "pod", "ml", "train-0", "cuda", "", "")
GPU = NVIDIA[3]


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return bench_of(tmp_path)


def bench_of(tmp_path: Path, most: int = 200) -> Bench:
    bench = Bench(OwnerAllocations, tmp_path, {MOST_OWNERS: most})
    for device in devices():
        bench.host.devices.report("test", device)
    bench.host.names.publish("owner_names", Names((ContainerName(CID, "cuda", "ml", "train-0", UID),)))
    return bench


def give(bench: Bench, *allocations: Allocation, allocatable: tuple[Allocatable, ...] = ()) -> None:
    now = bench.host.clock.boottime_ns()
    bench.host.allocations.publish("pod-resources", Allocations(now, allocations, allocatable))


def hold(bench: Bench, amounts: Mapping[str, float] | None, owner: str = POD, device: str = GPU) -> None:
    """One process of an owner on a GPU, or none on it."""
    held = () if amounts is None else (Holder(device, 100, 5, "python", 1000, amounts),)
    record = OwnerRecord(owner, LABELS[0], LABELS, {}, 1000, 0, held)
    bench.host.attribution = Attribution(1, MappingProxyType({owner: record} if held else {}))
    bench.host.holdings.publish(Batch(device, 0))


def idle(bench: Bench) -> float | None:
    (grantee,) = bench.host.granted.owners.values()
    (grant,) = grantee.grants
    return grant.idle_seconds


def test_a_gpu_that_was_given_is_a_series_with_all_labels(bench: Bench) -> None:
    give(bench, allocation(GPU))
    labels = "owner=ml/train-0,kind=pod,namespace=ml,pod=train-0,container=cuda,job_id=,unit="
    assert bench.run() == {
        f"hw_owner_gpu_allocated{{{labels},gpu=3,uuid={GPU}}}": 1.0,
        f"hw_owner_info{{{labels},pod_uid={UID},container_id={CID},account=,partition=}}": 1,
        "hw_owner_allocations_dropped": 0,
    }
    (grantee,) = bench.host.granted.owners.values()
    assert (grantee.id, grantee.labels) == (POD, LABELS)
    assert grantee.identity == {"pod_uid": UID, "container_id": CID}


def test_time_counts_from_the_last_use(bench: Bench) -> None:
    give(bench, allocation(GPU))
    hold(bench, None)
    bench.run()
    assert by_owner(bench.run(after=200), "hw_owner_gpu_idle_seconds") == {"ml/train-0 cuda": 200}
    hold(bench, {"utilization_ratio": 0.3})
    assert by_owner(bench.run(after=5), "hw_owner_gpu_idle_seconds") == {"ml/train-0 cuda": 0}
    hold(bench, {"utilization_ratio": 0.0, "memory_bytes": 1 << 30})
    assert by_owner(bench.run(after=60), "hw_owner_gpu_idle_seconds") == {"ml/train-0 cuda": 60}


def test_an_hour_of_it_is_worth_a_note() -> None:
    assert not UNUSED.wrong(3599)
    assert UNUSED.wrong(3600)


def test_where_no_share_of_time_is_told_a_process_is_taken_to_work(bench: Bench) -> None:
    give(bench, allocation(GPU))
    hold(bench, {"memory_bytes": 1 << 30})
    bench.run()
    bench.run(after=60)
    assert idle(bench) == 0


def test_use_by_what_the_pod_runs_inside_of_itself_is_its_use(bench: Bench) -> None:
    give(bench, allocation(GPU))
    hold(bench, {"utilization_ratio": 0.5}, owner=f"pod:{UID}:deadbeef@{POD}")
    bench.run()
    bench.run(after=60)
    assert idle(bench) == 0


def test_use_by_somebody_else_is_not(bench: Bench) -> None:
    give(bench, allocation(GPU))
    hold(bench, {"utilization_ratio": 0.5}, owner="job:slurm:1")
    bench.run()
    bench.run(after=60)
    assert idle(bench) == 60


def test_while_nobody_reads_the_gpus_processes_it_is_not_said_to_idle(bench: Bench) -> None:
    give(bench, allocation(GPU))
    assert by_owner(bench.run(), "hw_owner_gpu_idle_seconds") == {}
    assert idle(bench) is None


def test_a_grant_that_ended_and_came_again_begins_anew(bench: Bench) -> None:
    give(bench, allocation(GPU))
    hold(bench, None)
    bench.run()
    bench.run(after=200)
    assert idle(bench) == 200
    give(bench)
    assert by_owner(bench.run(), "hw_owner_gpu_allocated") == {}
    assert bench.host.granted.owners == {}
    give(bench, allocation(GPU))
    bench.run()
    assert idle(bench) == 0


def test_an_owner_has_no_series_before_a_minute_and_is_in_the_api_at_once(bench: Bench) -> None:
    bench.run()
    bench.run(after=30)
    give(bench, allocation(GPU))
    assert by_owner(bench.run(), "hw_owner_gpu_allocated") == {}
    assert list(bench.host.granted.owners) == [POD]
    assert by_owner(bench.run(after=59), "hw_owner_gpu_allocated") == {}
    assert by_owner(bench.run(after=1), "hw_owner_gpu_allocated") == {"ml/train-0 cuda": 1}


def test_what_was_there_before_the_daemon_has_its_series_as_soon_as_it_is_heard_of(bench: Bench) -> None:
    bench.run()
    give(bench, allocation(GPU))
    assert by_owner(bench.run(after=28), "hw_owner_gpu_allocated") == {"ml/train-0 cuda": 1}


def test_shares_of_one_gpu_add_up(bench: Bench) -> None:
    ids = tuple(f"{GPU}::{n}" for n in range(4))
    give(bench, allocation(ids[0], ids[2]), allocatable=(Allocatable("nvidia.com/gpu", ids, (GPU,)),))
    assert by_owner(bench.run(), "hw_owner_gpu_allocated") == {"ml/train-0 cuda": 0.5}


def test_a_mig_instance_is_shown_under_its_gpu(bench: Bench) -> None:
    give(bench, allocation(MIG))
    values = bench.run()
    assert by_owner(values, "hw_owner_gpu_allocated") == {"ml/train-0 cuda": round(3 / 7, 6)}
    assert any(f"uuid={NVIDIA[7]}" in name for name in values)


def test_network_cards_are_in_the_api_and_have_no_series(bench: Bench) -> None:
    give(bench, allocation("0000:1a:00.0", resource="nvidia.com/mlnx_rdma"))
    assert {name.partition("{")[0] for name in bench.run()} == {"hw_owner_allocations_dropped", "hw_owner_info"}
    (grantee,) = bench.host.granted.owners.values()
    assert [(grant.device, grant.idle_seconds) for grant in grantee.grants] == [(NIC, None)]


def test_containers_whose_names_are_not_known_share_a_row(bench: Bench) -> None:
    """Their labels are the same: the shares add up, and the GPU idles if no one of them uses it."""
    bench.host.names.withdraw("owner_names")
    ids = [f"{GPU}::{n}" for n in range(4)]
    told = [
        allocation(ids[n], namespace="", pod="", container="", pod_uid=UID, container_id=cid)
        for n, cid in enumerate(("a" * 64, "b" * 64))
    ]
    give(bench, *told, allocatable=(Allocatable("nvidia.com/gpu", tuple(ids), (GPU,)),))
    hold(bench, {"utilization_ratio": 1.0}, owner=f"pod:{UID}:{'b' * 12}")
    bench.run()
    values = bench.run(after=200)
    assert by_owner(values, "hw_owner_gpu_allocated") == {f"pod {UID}": 0.5}
    assert by_owner(values, "hw_owner_gpu_idle_seconds") == {f"pod {UID}": 0}


def test_owners_beyond_the_budget_are_one_and_are_counted(tmp_path: Path) -> None:
    bench = bench_of(tmp_path, most=2)
    ids = tuple(f"{GPU}::{n}" for n in range(10))
    give(
        bench,
        *(allocation(id_, pod=f"p{n}") for n, id_ in enumerate(ids)),
        allocatable=(Allocatable("nvidia.com/gpu", ids, (GPU,)),),
    )
    hold(bench, None)
    bench.run()
    values = bench.run(after=100)
    assert by_owner(values, "hw_owner_gpu_allocated") == pytest.approx(
        {"ml/p0 cuda": 0.1, "ml/p1 cuda": 0.1, "other": 0.8}
    )
    assert by_owner(values, "hw_owner_gpu_idle_seconds") == {"ml/p0 cuda": 100, "ml/p1 cuda": 100}
    assert values["hw_owner_allocations_dropped"] == 8
    assert [found["owner"] for found in infos(values)] == ["ml/p0", "ml/p1"]
    assert len(bench.host.granted.owners) == 10


def test_gpus_that_are_not_here_are_said(bench: Bench) -> None:
    gone = "GPU-00000000-0000-0000-0000-000000000000"
    give(bench, allocation(gone))
    bench.run()
    assert bench.skipped == {"pod-resources": f"not known which devices of this host are meant: {gone}"}
    assert bench.host.granted.unknown == {"pod-resources": (gone,)}


def infos(values: Mapping[str, int | float]) -> list[dict[str, str]]:
    found = [name[:-1].partition("{")[2] for name in values if name.startswith("hw_owner_info{")]
    return [dict(pair.split("=", 1) for pair in labels.split(",")) for labels in found]


def test_who_holds_something_has_an_info_too_and_a_job_what_it_says_of_itself(bench: Bench) -> None:
    labels = ("slurm 4711", "job", "", "", "", "4711", "")
    identity = {"runtime": "slurm", "account": "physics", "partition": "gpu", "user": "1000"}
    record = OwnerRecord("job:slurm:4711", labels[0], labels, identity, 1000, 0, (Holder(GPU, 1, 1, "x", 1000, {}),))
    bench.host.attribution = Attribution(1, MappingProxyType({record.id: record}))
    (found,) = infos(bench.run())
    assert found == {
        **dict(zip(LABEL_NAMES, labels)), "pod_uid": "", "container_id": "", "account": "physics", "partition": "gpu",
    }  # fmt: skip


def test_what_a_job_was_given_is_under_the_number_that_users_know(bench: Bench) -> None:
    give(bench, allocation(GPU, namespace="", pod="", container="", job_id="s5K1KKYAYG5D00", source="slurm"))
    bench.host.names.publish("slurm", Names(jobs=(JobName("s5K1KKYAYG5D00", "4711"),)))
    assert by_owner(bench.run(), "hw_owner_gpu_allocated") == {"slurm 4711": 1}
    assert list(bench.host.granted.owners) == ["job:slurm:s5K1KKYAYG5D00"]


def test_who_only_has_a_node_open_or_has_just_come_has_none(bench: Bench) -> None:
    now = bench.host.clock.boottime_ns()
    holder = (Holder(GPU, 1, 1, "x", 1000, {}),)
    records = {
        "old": OwnerRecord("old", "old", ("old", *LABELS[1:]), {}, 0, 0, ()),
        "new": OwnerRecord("new", "new", ("new", *LABELS[1:]), {}, 0, now, holder),
    }
    bench.host.attribution = Attribution(1, MappingProxyType(records))
    assert infos(bench.run()) == []
    assert [found["owner"] for found in infos(bench.run(after=60))] == ["new"]


def test_owners_with_the_same_labels_have_one_info_with_what_they_agree_in(bench: Bench) -> None:
    """Two would make `* on(namespace, pod) group_left` fail."""
    bench.host.names.withdraw("owner_names")
    give(bench, *(allocation(GPU, namespace="", pod="", container="", pod_uid=UID, container_id=c * 64) for c in "ab"))
    (found,) = infos(bench.run())
    assert (found["pod_uid"], found["container_id"]) == (UID, "")


def test_what_a_source_said_last_is_not_true_for_ever(bench: Bench) -> None:
    give(bench, allocation(GPU))
    bench.run(after=299)
    assert list(bench.host.granted.owners) == [POD]
    assert bench.skipped == {}
    bench.run(after=2)
    assert bench.host.granted.owners == {}
    assert bench.skipped == {"pod-resources": "not heard for 300 s"}


@pytest.mark.parametrize(
    ("role", "sharing"), [("mps server", MPS), ("compute and mps client", MPS), ("compute", TIME_SLICING)]
)
def test_replicas_are_shared_by_mps_where_it_runs(bench: Bench, role: str, sharing: str) -> None:
    give(bench, allocation(f"{GPU}::1"), allocation(NVIDIA[4]))
    for device in (GPU, NVIDIA[4]):
        bench.host.holdings.publish(Batch(device, 0, {}, (Holding(1, 1, {}, role=role),)))
    bench.run()
    (grantee,) = bench.host.granted.owners.values()
    assert [grant.sharing for grant in grantee.grants] == [sharing, WHOLE]


def test_a_pod_without_a_cgroup_has_ended_whatever_the_kubelet_lists(bench: Bench) -> None:
    def count(*uids: str) -> None:
        accounts = {uid: Account(uid, LABELS, {"pod_uid": uid}, "", "", ()) for uid in uids}
        bench.host.accounting = Accounting(bench.host.clock.boottime_ns(), accounts)

    slurm = allocation(NVIDIA[5], namespace="", pod="", container="", job_id="1", source="slurm")
    give(bench, allocation(GPU), allocation(NVIDIA[4], pod="unknown"), slurm)
    count("another")
    bench.run()
    assert set(bench.host.granted.owners) == {"pod:ml/unknown:cuda", "job:slurm:1"}
    count("another", UID)
    bench.run()
    assert POD in bench.host.granted.owners
    count("another")
    bench.run(after=61)
    assert POD in bench.host.granted.owners, "nobody counts any more"


def test_one_way_to_hear_the_kubelet_is_enough(bench: Bench) -> None:
    for source in ("pod-resources", "checkpoint", "other"):
        bench.host.allocations.publish(source, Allocations(0, blind=(f"blind: {source}",)))
    bench.run()
    assert bench.host.granted.blind == ("blind: pod-resources", "blind: checkpoint", "blind: other")
    give(bench, allocation(GPU))
    bench.run()
    assert bench.host.granted.blind == ("blind: other",)


def test_nothing_is_left_when_it_is_closed(bench: Bench) -> None:
    give(bench, allocation(GPU))
    bench.run()
    bench.runner.close()
    assert bench.host.granted.owners == {}
