# SPDX-License-Identifier: MIT
"""/v1/rdma: what the collector saw, what happened within the hour, and nobody's processes for strangers."""

from __future__ import annotations

import errno
import json
from pathlib import Path
from types import MappingProxyType

import pytest

from hwinfod.collectors.rdma import Rdma
from hwinfod.core.owner import Attribution, Holder, OwnerRecord
from hwinfod.serve import api
from hwinfod.serve.api.context import ApiContext
from hwinfod.serve.http import Problem, Router
from hwinfod.settings import SETTINGS, Settings, Table
from hwinfod.settings.daemon import PRIVACY
from hwinfod.wire.rdma import RdmaCount, RdmaDevice, RdmaDevices, RdmaHolder, RdmaPort, RdmaResources
from tests.support.bench import Bench
from tests.support.rdma import FakeDevice, RdmaHost, cm_id, mr, qp
from tests.unit.serve.test_api import FACES, ROOT, STRANGER, TYPES, Asker

GUID = 0x98039BFFFE123456
DEVICE = "rdma:9803:9bff:fe12:3456"
HW = {"rnr_nak_retry_err": 5, "packet_seq_err": 2, "np_cnp_sent": 7, "rx_write_requests": 9}
PMA = {"port_rcv_data": 1000, "port_xmit_data": 500, "symbol_error": 1, "link_downed": 3}
OBJECTS = {
    "qp": [qp(9, 4711), qp(10, 4711), qp(11, 4800), qp(1, "ib_core", kind=1)],
    "mr": [mr(1, 4711, 4096), mr(2, 4800, 8192)],
    "cm_id": [cm_id(1, 4711, "10.9.0.2:7174")],
}


class RdmaAsker(Asker):
    """The routes over a host that has RDMA, and whose processes 4711 (uid 1000) and 4800 (uid 2000) hold some."""

    def __init__(self, directory: Path, patch: pytest.MonkeyPatch, privacy: str = "own") -> None:
        self.kernel = RdmaHost(directory, patch)
        self.device = self.kernel.add(FakeDevice("mlx5_0", 0, GUID, hw=dict(HW), counters=dict(PMA)))
        self.device.objects = {kind: list(entries) for kind, entries in OBJECTS.items()}
        self.kernel.process(4711, start=1000)
        self.kernel.process(4800, start=2000)
        self.bench = Bench(Rdma, directory)
        self.host = self.bench.host
        self.host.runners = {"rdma": self.bench.runner}
        settings = Settings.of(Table(SETTINGS), {PRIVACY: privacy})
        self.router = Router()
        api.add_routes(self.router, ApiContext(self.host, (), settings, lambda: FACES))
        self.bench.run()
        self.bench.run("resources")

    def attribute(self) -> None:
        holders = {
            uid: Holder(DEVICE, pid, start, f"rank{uid}", uid, {})
            for pid, start, uid in ((4711, 1000, 1000), (4800, 2000, 2000))
        }
        owners = {
            str(uid): OwnerRecord(str(uid), f"ml/job{uid}", ("",) * 7, {}, uid, 0, (holder,))
            for uid, holder in holders.items()
        }
        self.host.attribution = Attribution(1, MappingProxyType(owners))


@pytest.fixture
def ask(tmp_path, monkeypatch):
    return RdmaAsker(tmp_path, monkeypatch)


def keys(kind):
    return set(kind.__annotations__)


def test_documents_have_the_keys_that_wire_says(ask):
    document = ask("/v1/rdma")
    (device,) = document["devices"]
    (port,) = device["ports"]
    assert (set(document), set(device), set(port)) == (
        keys(RdmaDevices),
        keys(RdmaDevice),
        keys(RdmaPort),
    )
    assert set(port["link_transitions"]) == keys(RdmaCount)
    assert ask("/v1/rdma/mlx5_0") == ask(f"/v1/rdma/{DEVICE}") == device
    assert TYPES["/v1/rdma"] is RdmaDevices


def test_a_port_says_what_the_collector_saw(ask):
    (port,) = ask("/v1/rdma/mlx5_0")["ports"]
    assert (port["up"], port["state"], port["physical_state"]) == (True, "active", "link_up")
    assert port["rate_bytes_per_second"] == 25e9
    assert port["totals"]["hw_rdma_port_receive_bytes_total"] == 4000
    assert port["totals"]["hw_rdma_port_receive_packets_total"] is None
    assert {name: port["counters"][name] for name in HW} == HW
    assert port["errors"]["rnr_nak_retry_err"]["total"] == 5
    assert port["retransmits"] == {"sequence_error": {"total": 2, "last_hour": 0}}
    assert port["congestion"] == {"cnp_sent": {"total": 7, "last_hour": 0}}
    assert ask("/v1/rdma")["netns_mode"] == "shared"
    assert ask("/v1/rdma/mlx5_0")["resources"]["qp"] == 4


def test_a_port_names_the_counters_that_nobody_turned_on(ask):
    assert ask("/v1/rdma/mlx5_0")["ports"][0]["counters_off"] == []  # a kernel that does not tell
    ask.device.optional = {"cc_rx_ce_pkts": False, "cc_rx_cnp_pkts": False, "rdma_tx_bytes": True}
    ask.bench.run("facts")
    (port,) = ask("/v1/rdma/mlx5_0")["ports"]
    assert port["counters_off"] == ["cc_rx_ce_pkts", "cc_rx_cnp_pkts"]
    assert "counters_off" not in port["facts"]
    ask.device.refuses["STAT_GET_STATUS"] = errno.EBUSY  # once, and they are no others for that
    ask.bench.run("facts")
    assert ask("/v1/rdma/mlx5_0")["ports"] == [port]


def test_the_last_hour_is_told_from_what_was_before(ask):
    ask.device.hw["rnr_nak_retry_err"] = 6
    ask.bench.run(after=1800)
    ask.device.hw["rnr_nak_retry_err"] = 8
    ask.bench.run(after=1790)
    (port,) = ask("/v1/rdma/mlx5_0")["ports"]
    assert port["errors"]["rnr_nak_retry_err"] == {"total": 8, "last_hour": 3}
    ask.bench.run(after=1000)  # the first row is older than an hour now
    (port,) = ask("/v1/rdma/mlx5_0")["ports"]
    assert port["errors"]["rnr_nak_retry_err"] == {"total": 8, "last_hour": 2}


def test_a_counter_that_began_anew_has_counted_since(ask):
    ask.device.hw["rnr_nak_retry_err"] = 3
    ask.bench.run()
    (port,) = ask("/v1/rdma/mlx5_0")["ports"]
    assert port["errors"]["rnr_nak_retry_err"] == {"total": 3, "last_hour": 3}


def test_a_device_that_left_is_listed_without_values(ask):
    ask.kernel.add(FakeDevice("mlx5_1", 1, GUID + 1, hw={}))
    ask.bench.run()
    ask.kernel.remove("mlx5_1")
    ask.bench.run()
    device = ask("/v1/rdma/mlx5_1")
    assert (device["status"], device["resources"]) == ("lost", {})
    assert (device["ports"][0]["up"], device["ports"][0]["state"]) == (None, "")
    assert ask("/v1/rdma/mlx5_1/resources")["age_seconds"] is None


@pytest.mark.parametrize("path", ["/v1/rdma/none", "/v1/rdma/rdma", "/v1/rdma/none/resources"])
def test_an_unknown_device_is_not_found(ask, path):
    with pytest.raises(Problem, match="no RDMA device"):
        ask(path)


def test_root_sees_who_holds_what(ask):
    ask.attribute()
    document = ask("/v1/rdma/mlx5_0/resources")
    assert set(document) == keys(RdmaResources)
    assert document["totals"]["qps"] == 4
    first, kernel, last = document["holders"]
    assert set(first) == keys(RdmaHolder)
    assert (first["pid"], first["process"], first["uid"], first["owner"]) == (4711, "rank1000", 1000, "ml/job1000")
    assert (first["amounts"]["qps"], first["amounts"]["mr_bytes"], first["peers"]) == (2, 4096, ["10.9.0.2:7174"])
    assert (last["pid"], last["kernel"]) == (0, "ib_core") or (kernel["pid"], kernel["kernel"]) == (0, "ib_core")


def test_a_stranger_sees_his_own_and_the_others_as_one(ask):
    ask.attribute()
    holders = ask("/v1/rdma/mlx5_0/resources", STRANGER)["holders"]
    own, kernel, others = holders
    assert (own["pid"], own["owner"]) == (4711, "ml/job1000")
    assert kernel["kernel"] == "ib_core"
    assert others == {
        "pid": 0, "process": "another user", "uid": -1, "owner": "another user", "kernel": "",
        "command_line": None, "peers": [],
        "amounts": {"qps": 1, "qps_state_rts": 1, "qps_type_rc": 1, "mrs": 1, "mr_bytes": 8192},
    }  # fmt: skip


def test_before_attribution_a_stranger_sees_nobody(ask):
    holders = ask("/v1/rdma/mlx5_0/resources", STRANGER)["holders"]
    assert {holder["owner"] for holder in holders if not holder["kernel"]} == {"another user"}
    assert "4711" not in json.dumps(holders)
    assert {holder["pid"] for holder in ask("/v1/rdma/mlx5_0/resources", ROOT)["holders"]} == {0, 4711, 4800}


def test_a_process_that_has_another_ones_number_is_not_taken_for_it(ask):
    ask.attribute()
    ask.kernel.process(4711, start=9999)
    ask.bench.run("resources")
    holder = next(h for h in ask("/v1/rdma/mlx5_0/resources")["holders"] if h["pid"] == 4711)
    assert (holder["owner"], holder["uid"]) == ("", -1)


def test_with_privacy_open_everybody_sees_all(tmp_path, monkeypatch):
    ask = RdmaAsker(tmp_path, monkeypatch, "open")
    ask.attribute()
    assert ask("/v1/rdma/mlx5_0/resources", STRANGER) == ask("/v1/rdma/mlx5_0/resources", ROOT)


@pytest.mark.parametrize("path", ["/v1/rdma", "/v1/rdma/mlx5_0", "/v1/rdma/mlx5_0/resources"])
def test_with_privacy_group_a_stranger_sees_nothing(tmp_path, monkeypatch, path):
    with pytest.raises(Problem):
        RdmaAsker(tmp_path, monkeypatch, "group").response(path, STRANGER)
