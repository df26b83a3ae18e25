# SPDX-License-Identifier: MIT
"""The JSON API answers what the host holds, in the types of `wire`, to whom it may."""

from __future__ import annotations

import asyncio
import json
from types import SimpleNamespace

import pytest

from hwinfod.core.check import Check
from hwinfod.core.device import Device
from hwinfod.core.event import EventKind, Severity
from hwinfod.errors import UserError
from hwinfod.serve import api, viewer
from hwinfod.serve.api import context
from hwinfod.serve.api.context import ApiContext, json_bytes, wire_value
from hwinfod.serve.api.stream import Follower
from hwinfod.serve.http import Peer, Problem, Request, Router
from hwinfod.serve.viewer import Viewer
from hwinfod.settings import SETTINGS, Settings, Table
from hwinfod.settings.daemon import PRIVACY, STATE_DIR
from hwinfod.wire.devices import DeviceList, DeviceRecord, Inventory
from hwinfod.wire.events import Events
from hwinfod.wire.owners import Containers, Holders, Owners
from hwinfod.wire.rdma import RdmaDevices
from hwinfod.wire.samples import MetricList, Samples
from hwinfod.wire.status import Collectors, Config, Faces, Index, Status
from hwinfod.wire.status import Problem as WireProblem
from hwinfod.wire.topology import Topology
from tests.unit.serve.test_exposition import RATIO, sampled

ROOT, STRANGER = Peer(1, 0, 0, ()), Peer(2, 1000, 1000, ())
FACES: Faces = {"socket": "/s", "metrics_urls": [], "textfile": "", "textfile_trouble": ""}
TYPES = {
    "/v1": Index,
    "/v1/status": Status,
    "/v1/devices": DeviceList,
    "/v1/devices/d1": DeviceRecord,
    "/v1/metrics": MetricList,
    "/v1/samples": Samples,
    "/v1/collectors": Collectors,
    "/v1/events": Events,
    "/v1/config": Config,
    "/v1/inventory": Inventory,
    "/v1/owners": Owners,
    "/v1/containers": Containers,
    "/v1/holders": Holders,
    "/v1/rdma": RdmaDevices,
    "/v1/topology": Topology,
}


@pytest.fixture(autouse=True)
def _no_group(monkeypatch):
    monkeypatch.setattr(viewer, "read_group_id", lambda name: None)


class Asker:
    """Asks the routes as a connection would."""

    def __init__(self, privacy="own", checks=(), settings=None):
        self.host = sampled()
        self.settings = Settings.of(Table(SETTINGS), {PRIVACY: privacy, STATE_DIR: "/nonexistent"} | (settings or {}))
        self.context = ApiContext(self.host, checks, self.settings, lambda: FACES)
        self.router = Router()
        api.add_routes(self.router, self.context)

    def response(self, path, peer=ROOT, **query):
        lists = {k: v if isinstance(v, list) else [v] for k, v in query.items()}
        route, parameters = self.router.find("GET", path)
        reply = route.handler(Request("GET", path, lists, {}, b"", peer, secure=False), **parameters)
        return asyncio.run(reply) if asyncio.iscoroutine(reply) else reply

    def __call__(self, path, peer=ROOT, **query):
        response = self.response(path, peer, **query)
        return json.loads(b"".join(asyncio.run(_parts(response))) if response.ends else response.body)

    def tick(self, count=1):
        for _ in range(count):
            self.host.clock.advance(1)
            self.host.runners["everything"].run("sample")


async def _parts(response):
    return [part async for part in response.stream]


@pytest.fixture
def ask():
    return Asker()


@pytest.mark.parametrize("path", TYPES)
def test_a_document_has_the_keys_that_wire_says(ask, path):
    assert set(ask(path)) == set(TYPES[path].__annotations__)


def test_every_route_is_tried_here(ask):
    tried = {path.replace("/d1", "/{id}") for path in TYPES} | {
        "/v1/series",
        "/v1/stream",
        "/v1/inventory/accept",
        "/v1/gpus",
        "/v1/gpus/{uuid}",
        "/v1/gpus/{uuid}/processes",
        "/v1/gpus/release",
        "/v1/gpus/resume",
        "/v1/rdma/{device}",
        "/v1/rdma/{device}/resources",
        "/v1/owners/{id}",
        "/v1/processes/{pid}",
        "/v1/gpus/{uuid}/owners",
        "/v1/rdma/{device}/owners",
    }
    assert {route.template for route in ask.router.routes} == tried


def test_devices_are_found_by_kind_and_id(ask):
    assert [d["id"] for d in ask("/v1/devices", kind="disk")["devices"]] == ["d1"]
    assert ask("/v1/devices", kind="gpu")["devices"] == []
    assert ask("/v1/devices", status="lost")["devices"] == []
    assert ask("/v1/devices/d1")["facts"]["device"] == "sda"
    with pytest.raises(Problem):
        ask("/v1/devices/none")


def test_facts_that_the_kernel_keeps_for_root_are_not_for_strangers(ask):
    private = Device("system", "system", "x", {"serial": "S1", "vendor": "V"}, private=frozenset({"serial"}))
    ask.host.devices.report("everything", private)
    assert ask("/v1/devices/system")["facts"] == {"serial": "S1", "vendor": "V"}
    assert ask("/v1/devices/system", STRANGER)["facts"] == {"vendor": "V"}
    listed = {d["id"]: d["facts"] for d in ask("/v1/devices", STRANGER)["devices"]}
    assert listed["system"] == {"vendor": "V"}


def test_samples_by_glob_label_level_and_collector(ask):
    assert len(ask("/v1/samples")["samples"]) == 6
    (sample,) = ask("/v1/samples", name="hw_disk_*")["samples"]
    assert sample["value"] == str(10**18), "beyond 2^53 JSON readers would round"
    assert sample["labels"] == {"device": "sda"}
    assert len(ask("/v1/samples", label="device=sd*")["samples"]) == 1
    assert ask("/v1/samples", label="device=nvme*")["samples"] == []
    assert ask("/v1/samples", collector="other")["samples"] == []
    assert [s["metric"] for s in ask("/v1/samples", level="core")["samples"]] == [RATIO.name]
    (state,) = ask("/v1/samples", name="hw_link_state")["samples"]
    assert (state["value"], state["state"]) == (1, "up")


@pytest.mark.parametrize(
    ("path", "query"),
    [
        ("/v1/samples", {"label": "device"}),
        ("/v1/samples", {"level": "all"}),
        ("/v1/samples", {"nmae": "x"}),
        ("/v1/events", {"severity": "bad"}),
        ("/v1/status", {"verbose": "1"}),
        ("/v1/stream", {"label": "x=y"}),
    ],
)
def test_a_question_that_means_nothing_is_refused(ask, path, query):
    with pytest.raises(UserError):
        ask.response(path, **query)


def test_what_is_wrong_comes_first_in_the_status():
    check = Check("busy", RATIO, lambda value: value > 0.2, Severity.CRITICAL, "{value:.0%} busy", "do less")
    ask = Asker(checks=[check])
    status = ask("/v1/status")
    assert status["state"] == "critical"
    assert set(status["problems"][0]) == set(WireProblem.__annotations__)
    assert (status["problems"][0]["text"], status["problems"][0]["remedy"]) == ("25% busy", "do less")
    ask.host.runners["everything"].health.stuck = True
    ask.tick()
    assert {p["check"] for p in ask("/v1/status")["problems"]} == {"busy", "collector-stuck"}
    assert ask("/v1/status")["collectors"]["stuck"] == 1


def test_events_since_a_version(ask):
    ask.host.events.add(EventKind.LINK_DOWN, Severity.WARNING, "down", device="eth0")
    first = ask("/v1/events")
    assert [e["text"] for e in first["events"]] == ["down"]
    assert ask("/v1/events", since=str(first["version"]))["events"] == []
    assert ask("/v1/events", severity="critical")["events"] == []
    assert ask("/v1/events", device="eth1")["events"] == []
    assert ask("/v1/events", limit="0")["events"] == []


def test_whose_work_was_hit_is_for_those_who_may_see_it(ask):
    ask.host.events.add(
        EventKind.OOM_KILL, Severity.WARNING, "a process was killed", owner="ml/llama",
        attributes={"process": "python train.py", "memory": "5 GiB"}, private=frozenset({"process"}),
    )  # fmt: skip
    (seen,) = ask("/v1/events")["events"]
    assert (seen["owner"], seen["attributes"]["process"]) == ("ml/llama", "python train.py")
    (hidden,) = ask("/v1/events", STRANGER)["events"]
    assert (hidden["owner"], hidden["attributes"]) == ("another user", {"process": "another user", "memory": "5 GiB"})


def test_the_configuration_is_not_for_strangers(ask):
    assert ask("/v1/config")["settings"]
    with pytest.raises(Problem):
        ask.response("/v1/config", STRANGER)


@pytest.mark.parametrize("path", [*TYPES, "/v1/stream"])
def test_with_privacy_group_a_stranger_sees_nothing(path):
    with pytest.raises(Problem):
        Asker("group").response(path, STRANGER)


def post(ask, path, peer=ROOT):
    route, _ = ask.router.find("POST", path)
    return json.loads(route.handler(Request("POST", path, {}, {}, b"", peer, secure=False)).body)


def test_root_accepts_the_devices_of_now_and_nobody_else_does(tmp_path):
    ask = Asker(settings={STATE_DIR: str(tmp_path / "state")})
    gpu = Device("0000:16:00.0", "pci", "gpu 0000:16:00.0", {"class": "gpu"})
    ask.host.devices.report("everything", gpu)
    assert ask("/v1/inventory") == {"accepted_seconds": None, "expected": {}, "present": {"gpu": [gpu.id]}}
    with pytest.raises(Problem):
        post(ask, "/v1/inventory/accept", STRANGER)
    accepted = post(ask, "/v1/inventory/accept")
    assert ask("/v1/inventory") == accepted
    assert accepted["expected"] == accepted["present"] == {"gpu": [gpu.id]}
    assert accepted["accepted_seconds"] == ask.host.clock.wall_ns() / 1e9
    ask.tick()
    assert ask("/v1/inventory") == accepted


def test_an_inventory_that_cannot_be_kept_says_where(tmp_path):
    (tmp_path / "file").write_text("")
    ask = Asker(settings={STATE_DIR: str(tmp_path / "file" / "state")})
    with pytest.raises(UserError, match="cannot keep the inventory in"):
        post(ask, "/v1/inventory/accept")


def test_a_body_is_made_once_until_what_it_shows_changes(ask):
    first = ask.response("/v1/samples")
    assert ask.response("/v1/samples") is first
    assert ask.response("/v1/samples", STRANGER) is not first
    ask.tick()
    second = ask.response("/v1/samples")
    assert second is not first
    assert second.etag != first.etag
    ask.host.clock.advance(10)  # everything expires without a new row
    assert json.loads(ask.response("/v1/samples").body)["samples"] == []


def test_kept_bodies_have_a_bound_in_bytes(ask, monkeypatch):
    size = len(ask.response("/v1/samples").body)
    monkeypatch.setattr(context, "_MOST_BODY_BYTES", 2 * size + 50)
    ask = Asker()
    names = ["?*", "??*", "???*", "????*"]
    first, *_, last = [ask.response("/v1/samples", name=name) for name in names]
    assert ask.response("/v1/samples", name=names[-1]) is last
    assert ask.response("/v1/samples", name=names[0]) is not first


@pytest.mark.parametrize(
    ("value", "wired"),
    [(None, None), (5, 5), (2**53, 2**53), (2**53 + 1, str(2**53 + 1)), (-(2**70), str(-(2**70))), (0.5, 0.5),
     (float("inf"), "Infinity"), (float("-inf"), "-Infinity"), (float("nan"), "NaN")],
)  # fmt: skip
def test_values_survive_json(value, wired):
    assert json.loads(json_bytes({"v": wire_value(value)}))["v"] == wired


def records(follower):
    return [json.loads(line) for line in follower.news()]


def test_the_stream_begins_with_a_snapshot_and_goes_on_with_rows_and_events(ask):
    follower = Follower(ask.host, Viewer(0, sees_all=True, may_change=True, sees_command_lines=True), "hw_cpu_*", "", 0)
    columns, row = records(follower)
    assert columns == {"type": "columns", "table": "everything", "series": [{"metric": RATIO.name, "labels": {}}]}
    assert (row["type"], row["sequence"], row["values"]) == ("row", 1, [0.25])
    assert records(follower) == []
    ask.tick()
    ask.host.events.add(EventKind.LINK_UP, Severity.INFO, "up")
    row, event = records(follower)
    assert (row["sequence"], event["type"], event["text"]) == (2, "event", "up")
    ask.host.clock.advance(10)
    assert records(follower) == [{"type": "expired", "table": "everything"}]
    ask.tick()
    assert [record["type"] for record in records(follower)] == ["columns", "row"]


@pytest.mark.parametrize(("since", "told"), [(0, ["up", "down"]), (1, ["down"]), (None, [])])
def test_the_stream_goes_on_behind_the_events_that_were_read(ask, since, told):
    ask.host.events.add(EventKind.LINK_UP, Severity.INFO, "up")
    ask.host.events.add(EventKind.LINK_DOWN, Severity.INFO, "down")
    query = {} if since is None else {"since": str(since)}

    async def first():
        stream = ask.response("/v1/stream", name="none", collector="none", **query).stream
        try:
            return await asyncio.wait_for(anext(stream), 0.01)
        except asyncio.TimeoutError:
            return b""
        finally:
            await stream.aclose()

    assert [json.loads(line)["text"] for line in asyncio.run(first()).splitlines()] == told


def test_the_stream_of_a_stranger_hides_whose_work_it_was(ask):
    stranger = Viewer(1000, sees_all=False, may_change=False, sees_command_lines=False)
    follower = Follower(ask.host, stranger, "none", "", 0)
    records(follower)
    ask.host.events.add(EventKind.OOM_KILL, Severity.WARNING, "killed", owner="ml/llama")
    (event,) = records(follower)
    assert event["owner"] == "another user"
    assert SimpleNamespace(**event).text == "killed"
