# SPDX-License-Identifier: MIT
"""/v1/gpus: what the collectors saw, who may let go of the driver, and nobody's processes for strangers."""

from __future__ import annotations

import asyncio
import json
from types import MappingProxyType

import pytest

from hwinfod.collectors._gpu_families import TEMPERATURE, UP, UTILIZATION
from hwinfod.core.device import Device, Status
from hwinfod.core.event import EventKind
from hwinfod.core.holding import Batch, Holding
from hwinfod.core.owner import Attribution, Holder, OwnerRecord
from hwinfod.errors import UserError
from hwinfod.serve.http import Problem
from hwinfod.serve.http.messages import Request
from hwinfod.wire.gpus import Gpu, GpuHold, GpuPartition, GpuProcess, GpuProcesses, Gpus
from tests.unit.serve.test_api import ROOT, STRANGER, Asker

GPU = ("0", "GPU-1")


class GpuAsker(Asker):
    """The routes over a host with one GPU that works, used by users 1000 and 2000, and one given away."""

    def __init__(self, privacy="own"):
        super().__init__(privacy)
        host = self.host
        host.devices.report("nvidia", Device("GPU-1", "gpu", "0 H100", {"gpu": "0", "uuid": "GPU-1"}))
        host.devices.report("nvidia", Device("gpu:0000:4b:00.0", "gpu", "0000:4b:00.0", {"pci": "0000:4b:00.0"}))
        host.devices.report("nvidia", Device("MIG-1", "gpu partition", "0:0 1g.10gb", {}, parent="GPU-1"))
        table = host.runners["everything"].tables["sample"]
        self.group = table.bind_columns([(UP, GPU), (UTILIZATION, GPU), (TEMPERATURE, (*GPU, "memory"))])
        table.begin()
        self.group.set([1, 0.5, 61])
        table.publish(host.clock.boottime_ns())
        holders = {uid: Holder("GPU-1", uid * 10, 1, f"rank{uid}", uid, {}) for uid in (1000, 2000)}
        owners = {
            str(uid): OwnerRecord(str(uid), f"ml/job{uid}", ("",) * 7, {}, uid, 0, (holder,))
            for uid, holder in holders.items()
        }
        host.attribution = Attribution(1, MappingProxyType(owners))
        holdings = tuple(Holding(pid, 1, {"memory_bytes": pid}, role="compute") for pid in (10_000, 20_000, 30_000))
        host.holdings.publish(Batch("GPU-1", host.clock.boottime_ns(), {"memory_bytes": 70_000}, holdings))

    def post(self, path, peer=ROOT, **query):
        route, parameters = self.router.find("POST", path)
        reply = route.handler(
            Request("POST", path, {k: [v] for k, v in query.items()}, {}, b"", peer, secure=False), **parameters
        )
        return json.loads((asyncio.run(reply) if asyncio.iscoroutine(reply) else reply).body)


@pytest.fixture
def ask():
    return GpuAsker()


def test_documents_have_the_keys_that_wire_says(ask):
    document = ask("/v1/gpus")
    assert set(document) == set(Gpus.__annotations__)
    assert set(document["hold"]) == set(GpuHold.__annotations__)
    first, second = document["gpus"]
    assert set(first) == set(Gpu.__annotations__)
    assert set(first["partitions"][0]) == set(GpuPartition.__annotations__)
    assert (first["values"], first["by_label"]) == (
        {"up": 1, "utilization_ratio": 0.5},
        {"temperature_celsius": {"memory": 61}},
    )
    assert (second["gpu"], second["values"]) == ("", {})
    processes = ask("/v1/gpus/0/processes")
    assert set(processes) == set(GpuProcesses.__annotations__)
    assert set(processes["processes"][0]) == set(GpuProcess.__annotations__)


def test_a_gpu_is_found_by_index_id_and_address(ask):
    assert ask("/v1/gpus/0") == ask("/v1/gpus/GPU-1")
    ask.host.devices.report("nvidia", Device("GPU-7", "gpu", "7", {"gpu": "7", "pci": "0000:39:00.0"}))
    assert ask("/v1/gpus/0000:39:00.0") == ask("/v1/gpus/7")
    with pytest.raises(Problem, match="no GPU has this id, index or PCI address"):
        ask("/v1/gpus/9")


def test_a_gpu_that_got_a_better_name_is_shown_once(ask):
    place = {"pci": "0000:18:00.0"}
    lost = Device("gpu:18", "gpu", "1", {"gpu": "1", **place}, missed=True, status=Status.LOST)
    ask.host.devices.report("nvidia", lost)
    assert [gpu["id"] for gpu in ask("/v1/gpus")["gpus"]][:2] == ["GPU-1", "gpu:18"]
    assert [problem["check"] for problem in ask("/v1/status")["problems"]] == ["device-lost"]
    ask.host.devices.report("nvidia", Device("GPU-2", "gpu", "1 H100", {"gpu": "1", **place}))
    assert [gpu["id"] for gpu in ask("/v1/gpus")["gpus"]][:2] == ["GPU-1", "GPU-2"]
    assert ask("/v1/status")["problems"] == []
    ask.host.devices.report("nvidia", Device("GPU-3", "gpu", "3", {"gpu": "3"}, status=Status.LOST))
    assert "GPU-3" in [gpu["id"] for gpu in ask("/v1/gpus")["gpus"]], "of one without a place nobody has taken it"


def test_strangers_see_their_own_and_one_row_of_the_rest(ask):
    everything = ask("/v1/gpus/all/processes")["processes"]
    assert [process["pid"] for process in everything] == [30_000, 20_000, 10_000]
    assert [process["owner"] for process in everything] == ["", "ml/job2000", "ml/job1000"]
    mine = ask("/v1/gpus/all/processes", STRANGER)["processes"]
    assert all(process["uid"] in (-1, STRANGER.uid) for process in mine)
    assert sum(process["amounts"]["memory_bytes"] for process in mine) == 60_000
    assert "ml/job2000" not in json.dumps(mine)
    assert "ml/job" not in json.dumps(ask("/v1/gpus", STRANGER)["gpus"][0]["owners"]).replace(
        f"ml/job{STRANGER.uid}", ""
    )


def test_only_root_may_let_go(ask):
    for path in ("/v1/gpus/release", "/v1/gpus/resume"):
        with pytest.raises(Problem) as caught:
            ask.post(path, STRANGER)
        assert caught.value.kind.status == 403
    assert not ask.host.hold.is_active


def test_release_and_resume(ask):
    let_go = []
    ask.host.hold.subscribe("nvidia", lambda: let_go.append(ask.host.hold.is_active))
    hold = ask.post("/v1/gpus/release", **{"for": "90"})
    assert hold == {"released": True, "remaining_seconds": 90.0, "reason": "asked for", "holding": []}
    assert ask.post("/v1/gpus/resume")["released"] is False
    assert let_go == [True, False]
    kinds = [event.kind for event in ask.host.events.since(0)]
    assert EventKind.GPU_RELEASED in kinds
    assert EventKind.GPU_RESUMED in kinds


def test_another_release_within_the_minute_is_another_event(ask):
    for seconds in ("600", "5", "5"):
        ask.post("/v1/gpus/release", **{"for": seconds})
    told = [(event.text, event.count) for event in ask.host.events.since(0) if event.kind is EventKind.GPU_RELEASED]
    assert told == [("let go of the GPUs for 600 s: asked for", 1), ("let go of the GPUs for 5 s: asked for", 2)]


@pytest.mark.parametrize("seconds", ["0", "-1", "86401", "x"])
def test_a_release_has_an_end(ask, seconds):
    with pytest.raises(UserError):
        ask.post("/v1/gpus/release", **{"for": seconds})


def test_a_call_in_flight_is_named_with_its_age(ask, monkeypatch):
    monkeypatch.setattr("hwinfod.serve.api.gpus._WAIT_SECONDS", 0.0)
    ask.host.hold.set_holding("everything", True)
    health = ask.host.runners["everything"].health
    health.step, health.busy_since = "nvmlDeviceGetTemperature", ask.host.clock.monotonic() - 153
    with pytest.raises(Problem, match=r"nvmlDeviceGetTemperature has been in flight for 153\.0 s") as caught:
        ask.post("/v1/gpus/release")
    assert caught.value.kind.status == 409
