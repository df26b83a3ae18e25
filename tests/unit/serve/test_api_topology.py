# SPDX-License-Identifier: MIT
"""/v1/topology: a host with two NUMA nodes, as its collectors report it."""

from __future__ import annotations

import pytest

from hwinfod.core.device import Device, Status
from hwinfod.serve.api.topology import _kinds
from hwinfod.wire.topology import Topology, TopologyBridge, TopologyDevice, TopologyLink, TopologyNode
from tests.unit.serve.test_api import Asker

SWITCH = "pci0000:15 0000:15:01.0 0000:16:00.0"
FUNCTIONS = {
    "0000:18:00.0": ("gpu", "0", f"{SWITCH} 0000:17:00.0"),
    "0000:19:00.0": ("gpu", "0", f"{SWITCH} 0000:17:01.0"),
    "0000:1a:00.0": ("network", "0", f"{SWITCH} 0000:17:02.0"),
    "0000:5a:00.0": ("nvme", "0", "pci0000:59 0000:59:01.0"),
    "0000:9a:00.0": ("gpu", "1", "pci0000:97 0000:97:01.0"),
    "0000:9b:00.0": ("gpu", "1", "pci0000:97 0000:97:02.0"),
    "0000:03:00.0": ("display", "", "pci0000:00 0000:00:1c.0 0000:02:00.0"),
}


def function(address, class_, node, above, **facts):
    facts = {"pci": address, "class": class_, "numa_node": node, "path": f"{above} {address}", **facts}
    return Device(address, "pci", f"{class_} {address}", facts, missed=not facts.get("physical_function"))


def gpu(index, address, links="", **record):
    facts = {"gpu": str(index), "pci": address, "model": "H100", "nvlink_peers": links}
    return Device(f"GPU-{index}", "gpu", f"{index} H100", facts, parent=address, missed=True, **record)


class TopologyAsker(Asker):
    """Two GPUs and an RDMA card on a switch, a third GPU on the other socket, a fourth that no driver shows."""

    def __init__(self, privacy="own"):
        super().__init__(privacy)
        self.functions = [function(address, *where) for address, where in FUNCTIONS.items()]
        self.functions += [
            function(f"0000:1a:00.{n}", "network", "0", f"{SWITCH} 0000:17:02.0", physical_function="0000:1a:00.0")
            for n in (1, 2)
        ]
        self.gpus = [
            gpu(0, "0000:18:00.0", "0000:19:00.0 x4, nvswitch x12"),
            gpu(1, "0000:19:00.0", "0000:18:00.0 x4"),
            gpu(2, "0000:9a:00.0", "nvswitch x10"),
        ]
        for node, distances in ((0, "10 21"), (1, "21 10")):
            facts = {"numa_node": str(node), "cpus": f"{node * 32}-{node * 32 + 31}", "distances": distances}
            self.host.devices.report("numa", Device(f"numa:{node}", "numa node", f"node {node}", facts))
        nic = {"parent": "0000:1a:00.0"}
        self.host.devices.report("network", Device("ens1", "interface", "ens1np0", {}, **nic))
        self.host.devices.report("rdma", Device("rdma:1", "rdma", "mlx5_0", {}, **nic))
        self.host.devices.report("disks", Device("eui.1", "disk", "nvme0n1", {}, parent="0000:5a:00.0"))
        self.report()

    def report(self):
        self.host.devices.reconcile("pcie", self.functions)
        self.host.devices.reconcile("nvidia", self.gpus)


@pytest.fixture
def ask():
    return TopologyAsker()


def test_documents_have_the_keys_that_wire_says(ask):
    document = ask("/v1/topology")
    assert set(document) == set(Topology.__annotations__)
    for key, kind in (
        ("numa_nodes", TopologyNode), ("bridges", TopologyBridge), ("devices", TopologyDevice),
        ("links", TopologyLink),
    ):  # fmt: skip
        assert set(document[key][0]) == set(kind.__annotations__)


def test_devices_by_name_where_they_stand(ask):
    document = ask("/v1/topology")
    assert [(d["id"], d["kind"], d["names"], d["numa_node"], d["parent"]) for d in document["devices"]] == [
        ("GPU-0", "gpu", ["gpu 0"], 0, "0000:17:00.0"),
        ("GPU-1", "gpu", ["gpu 1"], 0, "0000:17:01.0"),
        ("GPU-2", "gpu", ["gpu 2"], 1, "0000:97:01.0"),
        ("0000:9b:00.0", "gpu", [], 1, "0000:97:02.0"),
        ("0000:03:00.0", "display", [], None, "0000:02:00.0"),
        ("0000:1a:00.0", "network", ["mlx5_0", "ens1np0"], 0, "0000:17:02.0"),
        ("0000:5a:00.0", "nvme", ["nvme0n1"], 0, "0000:59:01.0"),
    ]
    assert [d["virtual_functions"] for d in document["devices"] if d["kind"] == "network"] == [2]
    assert document["numa_nodes"][1] == {"numa_node": 1, "cpus": "32-63", "distances": [21, 10]}


def test_what_lies_between(ask):
    paths = ask("/v1/topology")["paths"]
    assert set(paths) == {"GPU-0", "GPU-1", "GPU-2", "0000:9b:00.0"}
    assert {id_: paths["GPU-0"][id_] for id_ in ("GPU-0", "GPU-1", "GPU-2", "0000:1a:00.0", "0000:5a:00.0")} == {
        "GPU-0": "X", "GPU-1": "PIX", "GPU-2": "SYS", "0000:1a:00.0": "PIX", "0000:5a:00.0": "NODE",
    }  # fmt: skip


def test_links_are_told_once_a_pair(ask):
    assert ask("/v1/topology")["links"] == [
        {"ends": ["GPU-0", "GPU-1"], "kind": "nvlink", "links": 4, "through": ""},
        {"ends": ["GPU-0", "GPU-2"], "kind": "nvlink", "links": 10, "through": "nvswitch"},
    ]


def test_amd_does_not_tell_how_many(ask):
    """And one end that tells of the other is enough."""
    for device in ask.gpus:
        device.facts["nvlink_peers"] = ""
    ask.gpus[1].facts["xgmi_peers"] = ask.gpus[0].facts["pci"]
    ask.report()
    assert ask("/v1/topology")["links"] == [
        {"ends": ["GPU-0", "GPU-1"], "kind": "xgmi", "links": None, "through": ""},
    ]


def test_bridges_in_the_order_of_the_bus(ask):
    bridges = {bridge["id"]: bridge for bridge in ask("/v1/topology")["bridges"]}
    assert list(bridges)[:4] == ["pci0000:00", "0000:00:1c.0", "0000:02:00.0", "pci0000:15"]
    assert bridges["0000:16:00.0"] == {
        "id": "0000:16:00.0", "kind": "switch", "parent": "0000:15:01.0", "numa_node": 0,
    }  # fmt: skip
    assert bridges["pci0000:59"]["parent"] == ""


@pytest.mark.parametrize(("above", "kinds"), [
    ("", []),
    ("pci0000:00", ["host bridge"]),
    ("pci0000:00 0000:00:01.0", ["host bridge", "root port"]),
    ("pci0000:00 0000:00:01.0 0000:01:00.0 0000:02:00.0", ["host bridge", "root port", "switch", "switch port"]),
    ("pci0000:00 0000:00:01.0 0000:01:00.0", ["host bridge", "root port", "bridge"]),
    ("pci0000:00 0000:00:0e.0 pci10000:e0 10000:e0:06.0", ["host bridge", "bridge", "host bridge", "root port"]),
])  # fmt: skip
def test_kinds_of_bridges(above, kinds):
    assert _kinds(above.split()) == kinds


def test_a_lost_gpu_stays_and_a_virtual_function_does_not(ask):
    ask.gpus.pop(2)
    ask.functions = ask.functions[:-2]
    ask.report()
    devices = {device["id"]: device for device in ask("/v1/topology")["devices"]}
    assert devices["GPU-2"]["status"] == "lost"
    assert devices["0000:1a:00.0"]["virtual_functions"] == 0


def test_of_two_gpus_at_one_place_the_one_that_is_there_counts(ask):
    ask.gpus.append(Device("pci-1", "gpu", "0", {"gpu": "0", "pci": "0000:9b:00.0"}, missed=True, status=Status.LOST))
    ask.gpus.append(gpu(3, "0000:9b:00.0"))
    ask.report()
    assert [d["id"] for d in ask("/v1/topology")["devices"] if d["pci"] == "0000:9b:00.0"] == ["GPU-3"]


def test_a_gpu_on_no_bus_that_we_know(ask):
    """The collector of PCI devices is off."""
    ask.functions = []
    ask.host.devices.current = {}
    ask.gpus = [Device("GPU-9", "gpu", "9 GB10", {"gpu": "9", "model": "GB10", "pci": ""}, missed=True)]
    ask.report()
    document = ask("/v1/topology")
    (found,) = [device for device in document["devices"] if device["id"] == "GPU-9"]
    assert (found["parent"], found["numa_node"], found["names"]) == ("", None, ["gpu 9"])
    assert "GPU-9" not in document["paths"]


def test_a_host_without_anything_of_it():
    document = Asker()("/v1/topology")
    assert document == {"numa_nodes": [], "bridges": [], "devices": [], "links": [], "paths": {}}
