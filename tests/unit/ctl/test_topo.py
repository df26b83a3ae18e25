# SPDX-License-Identifier: MIT
"""`hwinfoctl topo`: the tree, the table of what lies between, and its legend."""

from __future__ import annotations

import json

import pytest

from hwinfod.core.device import Device
from hwinfod.ctl import __main__ as ctl
from tests.unit.ctl.test_commands import RouteClient, run
from tests.unit.serve.test_api import Asker
from tests.unit.serve.test_api_topology import TopologyAsker, function

TREE = """\
NUMA 0  cpus 0-31
|- host bridge 0000:15
|  `- switch 0000:16:00.0
|     |- gpu 0           H100            0000:18:00.0
|     |- gpu 1           H100            0000:19:00.0
|     `- mlx5_0 ens1np0  network, 2 VFs  0000:1a:00.0
`- host bridge 0000:59
   `- nvme0n1            nvme            0000:5a:00.0
NUMA 1  cpus 32-63
`- host bridge 0000:97
   |- gpu 2              H100            0000:9a:00.0
   `- gpu                                0000:9b:00.0
"""
TABLE = """\
        GPU0  GPU1  GPU2  NUMA
GPU0       X   NV4  NV10     0
GPU1     NV4     X   SYS     0
GPU2    NV10   SYS     X     1
mlx5_0   PIX   PIX   SYS     0

X itself  NV so many NVLinks  PIX one PCIe switch  SYS between NUMA nodes
"""


@pytest.fixture
def asker(monkeypatch):
    RouteClient.asker = asker = TopologyAsker()
    monkeypatch.setattr(ctl, "Client", RouteClient)
    return asker


def test_the_screen(asker, capsys):
    status, out, err = run(capsys, "topo")
    assert (status, err) == (0, "")
    assert out == f"{TREE}\n{TABLE}"


def test_many_drives_are_one_line(asker, capsys):
    for number in range(1, 10):
        place = f"0000:{0x5A + number:02x}:00.0"
        asker.functions.append(function(place, "nvme", "0", f"pci0000:59 0000:59:{number + 1:02x}.0"))
        asker.host.devices.report("disks", Device(f"eui.9{number}", "disk", f"nvme{number}n1", {}, parent=place))
    asker.report()
    (line,) = [line for line in run(capsys, "topo")[1].splitlines() if "nvme" in line]
    assert line.split() == "`- nvme0n1 to nvme9n1 10 drives 0000:5a:00.0 ...".split()


def test_a_lost_gpu_is_in_the_tree_and_not_in_the_table(asker, capsys):
    asker.gpus.pop(1)
    asker.report()
    out = run(capsys, "topo")[1]
    assert "LOST" in next(line for line in out.splitlines() if "gpu 1" in line)
    assert "GPU1" not in out


def test_a_bridge_of_two_nodes_is_in_both(asker, capsys):
    asker.functions.append(function("0000:5b:00.0", "nvme", "1", "pci0000:59 0000:59:02.0"))
    asker.report()
    lines = run(capsys, "topo")[1].split("NUMA 1")
    assert ["host bridge 0000:59" in part for part in lines] == [True, True]
    assert "0000:5b:00.0" in lines[1]


def test_without_gpus_there_is_no_table(asker, capsys):
    asker.gpus, asker.functions = [], asker.functions[2:4]
    asker.host.devices.current = {}
    asker.report()
    out = run(capsys, "topo")[1]
    assert "network" in out
    assert "SYS" not in out


def test_a_name_does_not_speak_to_the_terminal(asker, capsys):
    asker.host.devices.report("network", Device("ens1", "interface", "\x1b[31m", {}, parent="0000:1a:00.0"))
    out = run(capsys, "topo")[1]
    assert "\x1b" not in out
    assert "?[31m" in out


def test_nothing_to_show(asker, capsys):
    RouteClient.asker = Asker()
    assert run(capsys, "topo")[1] == "no GPUs, network cards or drives on a PCI bus\n"


def test_the_json_is_the_apis(asker, capsys):
    assert json.loads(run(capsys, "topo", "--json")[1]) == asker("/v1/topology")
