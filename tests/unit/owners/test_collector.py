# SPDX-License-Identifier: MIT
"""Attribution: what a process holds is shown with its owner, the rest is unattributed, and sums stay true."""

from __future__ import annotations

import json
import os
import shutil
from dataclasses import replace

import pytest

from hwinfod.core.device import Device
from hwinfod.core.holding import Batch, Holding, NodeUse, NodeUser
from hwinfod.core.owner import Names, PodName
from hwinfod.owners.collector import MOST_OWNERS, Owners
from hwinfod.owners.roster import nodes_of
from hwinfod.serve import api
from hwinfod.serve.api.context import ApiContext
from hwinfod.serve.exposition import Renderer, Selection
from hwinfod.serve.exposition_lines import Format
from hwinfod.serve.http import Peer, Problem, Request, Router
from hwinfod.settings import SETTINGS, Settings, Table
from tests.support.bench import Bench

GIB = 1 << 30
POD_UID = "5f2c1f0e-1111-2222-3333-444455556666"
CONTAINER = "c0ffee" + "0" * 58
POD = f"/kubepods.slice/kubepods-pod{POD_UID.replace('-', '_')}.slice/cri-containerd-{CONTAINER}.scope"
JOB = "/system.slice/slurmstepd.scope/job_4711/step_0/user/task_0"
UNIT = "/system.slice/train.service"
TICKS = os.sysconf("SC_CLK_TCK")
GPU = Device("GPU-1", "gpu", "gpu 0", {"gpu": "0"})
NIC = Device("rdma:mlx5_0", "rdma", "mlx5_0", {})


@pytest.fixture
def bench(tmp_path):
    bench = Bench(Owners, tmp_path)
    for device in (GPU, NIC):
        bench.host.devices.report("test", device)
    return bench


@pytest.fixture
def process(tmp_path):
    """Makes a process: pid, cgroup, uid, seconds since boot at which it started."""

    def make(pid, cgroup, *, uid=1000, started=10, name="python"):
        directory = tmp_path / "proc" / str(pid)
        directory.mkdir(parents=True, exist_ok=True)
        fields = ["S", "1", *["0"] * 17, str(started * TICKS), *["0"] * 30]
        (directory / "stat").write_text(f"{pid} ({name}) {' '.join(fields)}\n")
        (directory / "status").write_text(
            f"Name:\t{name}\nUid:\t{uid}\t{uid}\t{uid}\t{uid}\nGid:\t0\t0\t0\t0\nNSpid:\t{pid}\nCapEff:\t0\n"
        )
        (directory / "cgroup").write_text(f"0::{cgroup}\n")
        return pid, started * TICKS

    return make


def gpu_batch(used, *holdings):
    return Batch(
        GPU.id, 0, {"memory_bytes": used}, tuple(Holding(pid, start, amounts) for (pid, start), amounts in holdings)
    )


def owners_of(values, metric):
    """Owner label to value."""
    found = {}
    for name, value in values.items():
        family, _, labels = name.partition("{")
        if family == metric:
            found[dict(pair.split("=", 1) for pair in labels[:-1].split(","))["owner"]] = value
    return found


def test_two_owners_of_one_gpu_and_what_is_left(bench, process):
    bench.host.holdings.publish(
        gpu_batch(
            80 * GIB,
            (process(100, POD), {"memory_bytes": 40 * GIB, "utilization_ratio": 0.5}),
            (process(101, POD), {"memory_bytes": 21 * GIB, "utilization_ratio": 0.3}),
            (process(200, JOB), {"memory_bytes": 9 * GIB}),
        )
    )
    values = bench.run()
    memory = owners_of(values, "hw_owner_gpu_memory_usage_bytes")
    assert memory == {f"pod {POD_UID}": 61 * GIB, "slurm 4711": 9 * GIB}
    assert owners_of(values, "hw_owner_gpu_utilization_ratio") == {f"pod {POD_UID}": 0.8}
    assert owners_of(values, "hw_owner_gpu_processes") == {f"pod {POD_UID}": 2, "slurm 4711": 1}
    assert values["hw_gpu_memory_unattributed_bytes{gpu=0,uuid=GPU-1}"] == 10 * GIB
    assert sum(memory.values()) + 10 * GIB == 80 * GIB


def test_rdma_objects_by_owner_and_by_the_kernel(bench, process):
    pid, start = process(300, UNIT)
    bench.host.holdings.publish(
        Batch(NIC.id, 0, {"qps": 18}, (
            Holding(pid, start, {"qps": 16, "qp_errors": 3, "mrs": 4, "mr_bytes": 4096}),
            Holding(0, 0, {"qps": 2}, "ib_core"),
        ))
    )  # fmt: skip
    values = bench.run()
    assert owners_of(values, "hw_owner_rdma_qps") == {"train.service": 16, "kernel": 2}
    assert owners_of(values, "hw_owner_rdma_mr_bytes") == {"train.service": 4096}
    assert owners_of(values, "hw_owner_rdma_qp_errors") == {"train.service": 3}
    assert owners_of(values, "hw_owner_rdma_cqs") == {}


def test_a_pod_gets_the_names_that_the_lane_of_names_hands_over(bench, process):
    bench.host.holdings.publish(gpu_batch(GIB, (process(100, POD), {"memory_bytes": GIB})))
    assert owners_of(bench.run(), "hw_owner_gpu_memory_usage_bytes") == {f"pod {POD_UID}": GIB}
    bench.host.names.publish("test", Names(pods=(PodName(POD_UID, "ml-prod", "llama-0"),)))
    assert owners_of(bench.run(), "hw_owner_gpu_memory_usage_bytes") == {"ml-prod/llama-0": GIB}


def test_names_that_may_not_be_read_are_said(bench):
    before = bench.run()["hwinfod_attribution_blind"]
    bench.host.names.publish("test", Names(blind=("attribution blind: bundles",)))
    assert bench.run()["hwinfod_attribution_blind"] == before + 1
    assert bench.host.attribution.blind[-1] == "attribution blind: bundles"


def test_an_owner_has_no_series_before_a_minute_and_is_in_the_api_at_once(bench, process):
    started = int(bench.clock.boottime_ns() / 1e9) - 30
    bench.host.holdings.publish(gpu_batch(GIB, (process(100, UNIT, started=started), {"memory_bytes": GIB})))
    assert owners_of(bench.run(), "hw_owner_gpu_memory_usage_bytes") == {}
    assert [record.label for record in bench.host.attribution.owners.values()] == ["train.service"]
    assert owners_of(bench.run(after=60), "hw_owner_gpu_memory_usage_bytes") == {"train.service": GIB}


def test_an_owner_is_as_old_as_the_first_of_its_processes(bench, process):
    """A job that holds a GPU by processes which live for half a minute each."""
    seen = []
    for step in range(6):
        now = int(bench.clock.boottime_ns() / 1e9)
        holding = (process(1000 + step, JOB, started=now), {"memory_bytes": GIB})
        bench.host.holdings.publish(gpu_batch(GIB, holding))
        seen += [owners_of(bench.run(after=10), "hw_owner_gpu_memory_usage_bytes") for _ in range(3)]
    assert [bool(values) for values in seen] == [False] * 5 + [True] * 13


def test_an_owner_that_was_gone_for_minutes_is_a_new_one(bench, process):
    def hold(pid):
        started = int(bench.clock.boottime_ns() / 1e9)
        bench.host.holdings.publish(gpu_batch(GIB, (process(pid, JOB, started=started), {"memory_bytes": GIB})))
        return owners_of(bench.run(after=30), "hw_owner_gpu_memory_usage_bytes")

    assert hold(100) == {}
    bench.host.holdings.publish(gpu_batch(0))
    bench.run(after=200)
    assert hold(101) == {"slurm 4711": GIB}
    bench.host.holdings.publish(gpu_batch(0))
    bench.run(after=301)
    assert hold(102) == {}


def test_a_process_that_nobody_saw_belongs_to_nobody_and_one_that_ended_keeps_its_owner(bench, process, tmp_path):
    pid, start = process(100, UNIT)
    bench.host.holdings.publish(
        gpu_batch(3 * GIB, ((pid, start), {"memory_bytes": GIB}), ((999, 5), {"memory_bytes": GIB}))
    )
    bench.run()
    for name in ("stat", "status", "cgroup"):
        (tmp_path / "proc/100" / name).unlink()
    memory = owners_of(bench.run(), "hw_owner_gpu_memory_usage_bytes")
    assert memory == {"train.service": GIB, "nobody": GIB}


def test_a_reused_pid_is_not_taken_for_the_process_that_was_meant(bench, process):
    pid, start = process(100, UNIT)
    bench.host.holdings.publish(gpu_batch(GIB, ((pid, start + 1), {"memory_bytes": GIB})))
    assert owners_of(bench.run(), "hw_owner_gpu_memory_usage_bytes") == {"nobody": GIB}


def test_holdings_above_the_devices_own_figure_are_fitted_to_it_and_said(bench, process):
    bench.host.holdings.publish(
        gpu_batch(
            GIB,
            (process(100, UNIT), {"memory_bytes": 2 * GIB, "utilization_ratio": 0.8}),
            (process(200, JOB), {"memory_bytes": 2 * GIB, "utilization_ratio": 0.8}),
        )
    )
    values = bench.run()
    assert sum(owners_of(values, "hw_owner_gpu_memory_usage_bytes").values()) == GIB
    assert sum(owners_of(values, "hw_owner_gpu_utilization_ratio").values()) == 1
    assert values["hw_gpu_memory_unattributed_bytes{gpu=0,uuid=GPU-1}"] == 0
    assert bench.host.attribution.overstated_bytes == {GPU.id: 3 * GIB}


def test_owners_with_the_same_labels_are_one_series(bench, process):
    """Containers of a pod whose names are not known yet."""
    other = POD.replace(CONTAINER, "beef" + "0" * 60)
    bench.host.holdings.publish(
        gpu_batch(3 * GIB, (process(100, POD), {"memory_bytes": GIB}), (process(101, other), {"memory_bytes": GIB}))
    )
    assert owners_of(bench.run(), "hw_owner_gpu_memory_usage_bytes") == {f"pod {POD_UID}": 2 * GIB}
    assert len(bench.host.attribution.owners) == 2


def test_steps_of_a_job_are_one_owner(bench, process):
    bench.host.holdings.publish(
        gpu_batch(
            3 * GIB,
            (process(200, JOB), {"memory_bytes": GIB}),
            (process(201, JOB.replace("step_0", "step_1")), {"memory_bytes": GIB}),
        )
    )
    assert owners_of(bench.run(), "hw_owner_gpu_memory_usage_bytes") == {"slurm 4711": 2 * GIB}
    (record,) = bench.host.attribution.owners.values()
    assert (record.identity["job_id"], "step" in record.identity, len(record.cgroups)) == ("4711", False, 2)


def test_a_users_cgroup_that_is_called_as_a_pods_is_another_owner(bench, process):
    forged = f"/user.slice/user-1000.slice/user@1000.service/kubepods/pod{POD_UID}/{CONTAINER}"
    bench.host.holdings.publish(
        gpu_batch(3 * GIB, (process(100, POD), {"memory_bytes": GIB}), (process(101, forged), {"memory_bytes": GIB}))
    )
    bench.run()
    ids = sorted(bench.host.attribution.owners)
    assert len(ids) == 2
    assert ids[0] == f"pod:{POD_UID}:{CONTAINER[:12]}"
    assert ids[1].startswith(f"{ids[0]}@")


def test_a_dead_pod_keeps_its_name_while_its_memory_is_held(bench, process, tmp_path):
    bench.host.names.publish("test", Names(pods=(PodName(POD_UID, "ml-prod", "llama-0"),)))
    bench.host.holdings.publish(gpu_batch(GIB, (process(100, POD), {"memory_bytes": GIB})))
    bench.run()
    bench.host.names.publish("test", Names())
    shutil.rmtree(tmp_path / "proc/100")
    assert owners_of(bench.run(), "hw_owner_gpu_memory_usage_bytes") == {"ml-prod/llama-0": GIB}


def test_an_owner_that_is_gone_has_its_name_in_the_history(bench, process):
    bench.host.names.publish("test", Names(pods=(PodName(POD_UID, "ml-prod", "llama-0"),)))
    bench.host.holdings.publish(gpu_batch(GIB, (process(100, POD), {"memory_bytes": GIB})))
    bench.run()
    bench.host.holdings.withdraw(GPU.id)
    bench.host.names.publish("test", Names())
    assert owners_of(bench.run(), "hw_owner_gpu_memory_usage_bytes") == {}
    found = bench.host.ring.find("hw_owner_gpu_memory_usage_bytes")
    assert [dict(zip(series.metric.labels, series.labels))["pod"] for series in found] == ["llama-0"]


def test_conflicts_between_hierarchies_are_reported(bench, process, tmp_path):
    held = process(100, UNIT)
    other = "beef" * 16
    lines = f"4:memory:/docker/{CONTAINER}\n3:pids:/docker/{other}\n1:name=systemd:/docker/{CONTAINER}\n"
    (tmp_path / "proc/100/cgroup").write_text(lines)
    bench.host.holdings.publish(gpu_batch(GIB, (held, {"memory_bytes": GIB})))
    values = bench.run()
    assert values["hwinfod_owner_conflicts"] == 1
    (owner,) = bench.host.attribution.owners.values()
    assert owner.label == f"docker {CONTAINER[:12]}"
    assert owner.conflicts == (f"pids:/docker/{other} is of container:docker:{other[:12]}",)


def test_who_has_nodes_open_and_holds_nothing_is_an_owner_without_series(tmp_path, process):
    bench = Bench(Owners, tmp_path, {MOST_OWNERS: 1})
    bench.host.holdings.publish(gpu_batch(GIB, (process(100, POD), {"memory_bytes": GIB})))
    bench.host.devices.report("test", replace(GPU, facts={"gpu": "0", "device_node": "/dev/nvidia0"}))
    users = (
        NodeUser(*process(100, POD), ("/dev/nvidia0",)),
        NodeUser(*process(200, UNIT), ("/dev/nvidia0", "/dev/kfd")),
    )
    bench.host.node_use = NodeUse(1, (*users, NodeUser(999, 1, ("/dev/kfd",))))
    values = bench.run()
    assert set(owners_of(values, "hw_owner_gpu_processes")) == {f"pod {POD_UID}"}
    assert values["hw_owners_dropped"] == 0
    attribution = bench.host.attribution
    assert attribution.owners["unit::train.service"].holders == ()
    assert [(h.owner, h.pid, h.devices) for h in attribution.node_holders] == [
        (f"pod:{POD_UID}:{CONTAINER[:12]}", 100, (GPU.id,)), ("unit::train.service", 200, (GPU.id,)),
    ]  # fmt: skip


def test_who_ended_keeps_no_node_open(bench, process, tmp_path):
    bench.host.node_use = NodeUse(1, (NodeUser(*process(100, POD), ("/dev/nvidia0",)),))
    bench.run()
    assert len(bench.host.attribution.node_holders) == 1
    shutil.rmtree(tmp_path / "proc/100")
    bench.run()
    assert bench.host.attribution.node_holders == ()
    assert bench.host.attribution.owners == {}


def test_nodes_lead_to_devices():
    nodes = nodes_of(
        [
            Device("G", "gpu", "0", {"card_node": "/dev/dri/card0", "render_node": "/dev/dri/renderD128"}),
            Device("G:1", "gpu partition", "0/1", {"render_node": "/dev/dri/renderD129"}, parent="G"),
            Device("R", "rdma", "mlx5_0", {"nodes": "uverbs0 umad0"}),
            Device("D", "disk", "sda", {"device_node": ""}),
        ]
    )
    assert nodes == {
        "/dev/dri/card0": "G", "/dev/dri/renderD128": "G", "/dev/dri/renderD129": "G",
        "/dev/infiniband/uverbs0": "R", "/dev/infiniband/umad0": "R",
    }  # fmt: skip


def test_the_budget_keeps_the_oldest_and_sums_the_rest(tmp_path, process):
    bench = Bench(Owners, tmp_path, {MOST_OWNERS: 2})
    bench.host.devices.report("test", GPU)
    held = [(process(100 + n, f"/system.slice/u{n}.service", started=10 + n), {"memory_bytes": 1}) for n in range(5)]
    bench.host.holdings.publish(gpu_batch(GIB, *held))
    values = bench.run()
    assert owners_of(values, "hw_owner_gpu_memory_usage_bytes") == {"u0.service": 1, "u1.service": 1, "other": 3}
    assert values["hw_owners_dropped"] == 3


def test_what_is_withdrawn_is_gone(bench, process):
    bench.host.holdings.publish(gpu_batch(GIB, (process(100, UNIT), {"memory_bytes": GIB})))
    bench.run()
    bench.host.holdings.withdraw(GPU.id)
    values = bench.run()
    assert owners_of(values, "hw_owner_gpu_memory_usage_bytes") == {}
    assert bench.host.attribution.owners == {}


def ask(bench, path, uid):
    context = ApiContext(bench.host, (), Settings.of(Table(SETTINGS)), lambda: None)
    router = Router()
    api.add_routes(router, context)
    route, parameters = router.find("GET", path)
    return json.loads(
        route.handler(Request("GET", path, {}, {}, b"", Peer(1, uid, uid, ()), secure=False), **parameters).body
    )


def test_the_api_shows_owners_with_their_processes(bench, process):
    bench.host.holdings.publish(gpu_batch(3 * GIB, (process(100, POD), {"memory_bytes": GIB})))
    bench.run()
    (owner,) = ask(bench, f"/v1/gpus/{GPU.id}/owners", 0)["owners"]
    assert (owner["kind"], owner["identity"]["pod_uid"], owner["uid"]) == ("pod", POD_UID, 1000)
    (device,) = owner["devices"]
    assert (device["name"], device["amounts"]) == ("gpu 0", {"memory_bytes": GIB})
    assert device["processes"] == [
        {"pid": 100, "name": "python", "uid": 1000, "command_line": None, "amounts": {"memory_bytes": GIB}}
    ]
    assert ask(bench, "/v1/owners", 0)["unattributed_bytes"] == {GPU.id: 2 * GIB}
    assert ask(bench, f"/v1/owners/{owner['id']}", 0) == owner
    with pytest.raises(Problem):
        ask(bench, "/v1/gpus/none/owners", 0)


def test_strangers_see_their_own_work_and_how_much_others_hold(bench, process):
    bench.host.holdings.publish(
        gpu_batch(
            3 * GIB,
            (process(100, "/system.slice/secret.service", uid=1001), {"memory_bytes": GIB}),
            (process(200, JOB, uid=1000), {"memory_bytes": GIB}),
        )
    )
    bench.run()
    seen = {owner["owner"]: owner for owner in ask(bench, "/v1/owners", 1000)["owners"]}
    assert set(seen) == {"another user", "slurm 4711"}
    hidden = seen["another user"]
    assert hidden["devices"][0]["amounts"] == {"memory_bytes": GIB}
    assert hidden["devices"][0]["processes"] == []
    assert "secret" not in json.dumps(hidden)
    with pytest.raises(Problem):
        ask(bench, "/v1/owners/unit::secret.service", 1000)


def test_series_that_name_owners_are_not_for_strangers(bench, process):
    bench.host.runners = {"owners": bench.runner}
    bench.host.holdings.publish(gpu_batch(GIB, (process(100, UNIT, uid=1001), {"memory_bytes": GIB})))
    bench.run()
    seen = {uid: {s["metric"] for s in ask(bench, "/v1/samples", uid)["samples"]} for uid in (0, 1000)}
    assert seen[0] - seen[1000] == {"hw_owner_gpu_memory_usage_bytes", "hw_owner_gpu_processes"}
    renderer = Renderer(bench.host)
    assert b"train.service" in renderer.render(Format.TEXT, Selection())
    assert b"train.service" not in renderer.render(Format.TEXT, Selection(owners=False))
