# SPDX-License-Identifier: MIT
"""`hwinfoctl rdma`: the screens of a host with RDMA."""

from __future__ import annotations

import json

import pytest

from hwinfod.ctl import __main__ as ctl
from hwinfod.ctl.failures import FAILED, OK
from tests.unit.ctl.test_commands import RouteClient, run
from tests.unit.serve.test_api_rdma import RdmaAsker


@pytest.fixture
def asker(monkeypatch, tmp_path):
    RouteClient.asker = asker = RdmaAsker(tmp_path, monkeypatch)
    asker.attribute()
    monkeypatch.setattr(ctl, "Client", RouteClient)
    return asker


def row(out: str, title: str) -> list[str]:
    (line,) = [line for line in out.splitlines() if line.lstrip().startswith(title)]
    return line.split()


def test_every_port_has_a_line(asker, capsys):
    asker.device.hw["rnr_nak_retry_err"] += 2
    asker.device.counters |= {"port_rcv_data": 2000}
    asker.kernel.show()
    asker.bench.run()  # two seconds after the first
    status, out, err = run(capsys, "rdma")
    assert (status, err) == (OK, "")
    line = "mlx5_0/1 active 200 Gb/s 1.95 KiB/s 0 B/s 8 2 3 0 4 ml/job1000 2, ml/job2000 1"
    assert row(out, "mlx5_0/1") == line.split()


def test_a_port_that_is_down_and_a_card_that_left_say_so(asker, capsys):
    asker.device.state, asker.device.physical_state = 1, 3
    asker.bench.run()
    assert "down (disabled)" in run(capsys, "rdma")[1]
    asker.kernel.remove("mlx5_0")
    asker.bench.attempt()
    assert "lost" in row(run(capsys, "rdma")[1], "mlx5_0/1")


def test_a_device_with_its_errors_and_holders(asker, capsys):
    status, out, err = run(capsys, "rdma", "mlx5_0")
    assert (status, err) == (OK, "")
    assert row(out, "mlx5_0")[-1] == "9803:9bff:fe12:3456"
    assert row(out, "port 1")[2:5] == ["active", "200", "Gb/s"]
    assert row(out, "error rnr_nak_retry_err")[-2:] == ["5", "0"]
    assert row(out, "link lost")[-2:] == ["3", "0"]
    assert row(out, "4711")[1:6] == ["rank1000", "ml/job1000", "2", "-", "1"]
    assert "[ib_core]" in out
    assert "10.9.0.2:7174" in out


def test_what_a_process_calls_itself_does_not_speak_to_the_terminal(asker, capsys):
    for owner in asker.host.attribution.owners.values():
        object.__setattr__(owner.holders[0], "name", "\x1b[31mroot")
    out = run(capsys, "rdma", "mlx5_0")[1]
    assert "\x1b" not in out
    assert "?[31mroot" in out


def test_the_json_is_the_apis_with_the_holders(asker, capsys):
    document = json.loads(run(capsys, "rdma", "mlx5_0", "--json")[1])
    assert document["name"] == "mlx5_0"
    assert document["holders"] == asker("/v1/rdma/mlx5_0/resources")
    assert json.loads(run(capsys, "rdma", "--json")[1]) == asker("/v1/rdma")


def test_an_unknown_device_is_a_failure(asker, capsys):
    status, out, _ = run(capsys, "rdma", "none")
    assert (status, out) == (FAILED, "")
