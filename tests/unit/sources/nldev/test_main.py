# SPDX-License-Identifier: MIT
"""`python -m hwinfod.sources.nldev FILE...`"""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

from hwinfod.sources.nldev.__main__ import main
from tests.support.netlink import CAPTURES, attribute, done, reply

NETLINK = CAPTURES / "netlink"


def lines(capsys):
    captured = capsys.readouterr()
    return [json.loads(line) for line in captured.out.splitlines()], captured.err


def test_one_object_a_message(capsys):
    assert main([str(NETLINK / "devices.bin"), str(NETLINK / "refused_unknown_port.bin")]) == 0
    objects, said = lines(capsys)
    assert [o["type"] for o in objects] == ["RDMA_NLDEV_CMD_GET"] * 4 + ["NLMSG_DONE", "NLMSG_ERROR"]
    assert [o["attributes"]["RDMA_NLDEV_ATTR_DEV_NAME"] for o in objects[:4]] == ["rxe0", "rxe1", "rxe2", "rxelo"]
    assert said == ""


def test_garbage_loses_nothing_that_stands_before_it(capsys, tmp_path):
    broken = tmp_path / "broken.bin"
    broken.write_bytes((NETLINK / "devices.bin").read_bytes()[:300])
    assert main([str(broken), str(NETLINK / "system.bin")]) == 1
    objects, said = lines(capsys)
    assert [o["type"] for o in objects] == ["RDMA_NLDEV_CMD_GET"] * 2 + ["RDMA_NLDEV_CMD_SYS_GET"]
    assert said == f"{broken}: netlink message at byte 216: truncated, 84 of 108 bytes\n"


def test_a_broken_attribute_costs_its_message(capsys, tmp_path):
    capture = tmp_path / "capture.bin"
    capture.write_bytes(reply("GET", attribute(1, b"12")) + done())
    assert main([str(capture)]) == 1
    objects, said = lines(capsys)
    assert [o["type"] for o in objects] == ["NLMSG_DONE"]
    assert "message 1: RDMA_NLDEV_ATTR_DEV_INDEX" in said


def test_a_missing_file_is_said(capsys):
    assert main(["/nonexistent"]) == 1
    assert lines(capsys)[1] == "/nonexistent: cannot read /nonexistent: No such file or directory\n"


@pytest.mark.parametrize(("arguments", "status"), [([], 2), (["--wrong"], 2), (["--help"], 0)])
def test_usage(capsys, arguments, status):
    assert main(arguments) == status
    assert "usage" in capsys.readouterr().err


def test_it_runs_as_a_module_and_without_pyroute2():
    script = (
        "import runpy, sys; sys.modules['pyroute2'] = None; sys.argv = ['nldev', sys.argv[1]]\n"
        "runpy.run_module('hwinfod.sources.nldev', run_name='__main__')"
    )
    done = subprocess.run(
        [sys.executable, "-c", script, str(NETLINK / "qp_rxe0.bin")], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert [json.loads(line)["type"] for line in done.stdout.splitlines()] == [
        "RDMA_NLDEV_CMD_RES_GET",
        "RDMA_NLDEV_CMD_RES_QP_GET",
        "NLMSG_DONE",
    ]


def test_a_reader_that_stops_early_is_no_traceback():
    with subprocess.Popen(
        [sys.executable, "-m", "hwinfod.sources.nldev", *[str(NETLINK / "totals.bin")] * 200],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    ) as process:
        process.stdout.close()
        assert process.stderr.read() == b""
        assert process.wait(60) == 1
