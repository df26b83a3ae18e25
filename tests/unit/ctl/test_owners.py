# SPDX-License-Identifier: MIT
"""Owners and holders on a terminal: a row each, within 80 columns, and what is said below."""

from __future__ import annotations

import io
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hwinfod.ctl.commands import holders, who
from hwinfod.ctl.commands._owner_remarks import remarks
from hwinfod.ctl.commands._owner_table import node_names, shortened, spans, table
from hwinfod.ctl.commands.who import _amount
from hwinfod.ctl.failures import OK, Failure
from hwinfod.ctl.terminal import Terminal, folded
from hwinfod.wire.owners import Holders, OpenNodes, Owner, Owners, Process

GIB = 1 << 30
LONG = "ml-production/train-llama-70b-instruct-7f9c-worker-0"
NOTHING: Owners = {"owners": [], "unattributed_bytes": {}, "overstated_bytes": {}, "blind": []}


def terminal(width: int = 80) -> Terminal:
    return Terminal(io.StringIO(), {"COLUMNS": str(width)})


def owner(name: str = LONG, *devices: dict[str, Any], **more: Any) -> Owner:
    whole: Owner = {
        "id": name, "owner": name, "kind": "container", "namespace": "", "pod": "", "container": "", "job_id": "",
        "unit": "", "uid": 0, "identity": {}, "cgroups": [], "conflicts": [], "since_seconds": 100.0,
        "devices": devices, "allocated": [], "nodes": [], "placement": [],
        "usage": {"values": {}, "by_label": {}, "network": ""},
    }  # type: ignore[typeddict-item]  # fmt: skip
    return {**whole, **more}  # type: ignore[typeddict-item]


def gpu(index: int, pid: int = 7, **amounts: float) -> dict[str, Any]:
    process = {"pid": pid, "name": "python", "uid": 0, "command_line": None, "amounts": amounts}
    return {
        "device": f"GPU-{index}",
        "name": f"{index} H100",
        "kind": "gpu",
        "amounts": amounts,
        "processes": [process],
    }


def nic(index: int, **amounts: float) -> dict[str, Any]:
    device = {"device": f"rdma:{index}", "name": f"mlx5_{index}", "kind": "rdma"}
    return {**device, "amounts": amounts, "processes": []}


def opener(pid: int, owner_: str, *nodes: str, memory: int | None = None, process: str = "python") -> OpenNodes:
    return {
        "pid": pid, "process": process, "uid": 0, "command_line": None, "owner_id": owner_, "owner": owner_,
        "nodes": list(nodes), "devices": [], "memory_bytes": memory,
    }  # fmt: skip


def test_an_owner_is_one_row_whatever_it_holds() -> None:
    held = [gpu(n, pid=1 + n // 2, memory_bytes=70 * GIB, utilization_ratio=0.5) for n in range(8)]
    cards = [nic(n, qps=16, qp_errors=1) for n in range(8)]
    _, row = table([owner("job", *held, *cards)], 200.0, terminal(), rest={})
    assert row.split() == [
        "job", "-", "0-7", "560", "GiB", "50", "%", "4", "1m40s", "mlx5_0-7", "128", "QP,", "8", "in", "error",
    ]  # fmt: skip


@pytest.mark.parametrize("width", [80, 120])
def test_rows_fit_the_screen(width: int) -> None:
    held = [gpu(n, memory_bytes=70.5 * GIB, utilization_ratio=0.5) for n in (0, 1, 2, 3)]
    lines = table([owner(LONG * 3, *held)], 200.0, terminal(width), rest={"0": GIB, "1": GIB})
    assert max(map(len, lines)) <= width
    nodes = ("/dev/nvidia{}", "/dev/dri/renderD{}", "/dev/infiniband/uverbs{}", "/dev/nvidia-caps/nvidia-cap{}")
    every = [node.format(n) for node in nodes for n in range(0, 16, 2)]
    holder = opener(4_194_304, LONG, *every, memory=80 * GIB)
    document: Holders = {"age_seconds": 3.0, "hidden_processes": 12, "holders": [holder], "blind": ["x " * 90]}
    assert max(map(len, holders.lines(document, terminal(width)))) <= width


def given_(index: int, sharing: str = "whole", share: float | None = 1.0) -> dict[str, Any]:
    device = {"device": f"GPU-{index}", "name": f"{index} H100", "kind": "gpu", "sharing": sharing, "share": share}
    return {**device, "part": "", "resource": "", "device_ids": [], "claim": "", "sources": [], "idle_seconds": None}


_OWNERS = st.builds(
    lambda name, gpus, cards, traffic, given, kind: owner(
        name,
        *(gpu(n, memory_bytes=70.5 * GIB, utilization_ratio=0.95) for n in gpus),
        *({**nic(n, qps=160, qp_errors=7, **traffic), "name": f"{stem}{n}"} for n, stem in cards.items()),
        allocated=[given_(n, *how) for n, how in given.items()],
        kind=kind,
        since_seconds=-40_000_000.0,
    ),
    st.text(st.characters(codec="ascii", categories=("L", "N", "P")), min_size=1, max_size=90),
    st.sets(st.integers(0, 15), min_size=1),
    st.dictionaries(st.integers(0, 15), st.sampled_from(["mlx5_", "bnxt_re", "rocep65s0f"])),
    st.sampled_from([{}, {"receive_bytes": GIB, "transmit_bytes": 1001 * GIB}]),
    st.dictionaries(st.integers(0, 15), st.sampled_from([("whole", 1.0), ("time-slicing", 0.25), ("mig", 3 / 7)])),
    st.sampled_from(["pod", "container", "job", "unit"]),
)


@given(st.lists(_OWNERS, min_size=1, max_size=4), st.integers(80, 200), st.sampled_from(["", "GPU-3"]))
def test_rows_fit_and_nothing_that_matters_is_cut(owners: list[Owner], width: int, device: str) -> None:
    lines = table(owners, 200.0, terminal(width), device=device, rest={"0": GIB})
    assert max(map(len, lines)) <= width
    said = " ".join(" ".join(lines).split())
    for each in owners:
        cards = [held for held in each["devices"] if held["kind"] == "rdma"]
        names = spans(held["name"] for held in cards)
        assert not cards or f"{names} {160 * len(cards)} QP, {7 * len(cards)} in error" in said
        for share in {one["sharing"] for one in each["allocated"] if device in ("", one["device"])}:
            assert share == "whole" or share in said
        assert each["owner"][:3] in said
        assert each["owner"][-3:] in said


def test_traffic_is_told_where_it_is_counted() -> None:
    cards = [nic(n, qps=16, receive_bytes=GIB, transmit_bytes=0) for n in range(2)]
    _, row = table([owner("job", *cards)], 200.0, terminal(120), rest={})
    assert row.endswith("  mlx5_0-1 32 QP, 2 GiB received, 0 B sent")


def test_what_has_no_room_stands_below_its_row() -> None:
    cards = [nic(n, qps=16, qp_errors=n == 3) for n in range(8)]
    lines = table([owner(LONG, gpu(0, memory_bytes=GIB), *cards), owner("b", gpu(1))], 200.0, terminal(), rest={})
    assert lines[0].split() == ["OWNER", "ALLOC", "GPU", "MEMORY", "UTIL", "PROC", "SINCE"]
    assert lines[2] == "  rdma mlx5_0-7 128 QP, 1 in error"
    assert lines[3].split()[0] == "b"
    assert len(lines) == 4


def test_what_nobody_holds_is_the_last_row() -> None:
    lines = table([owner("a", gpu(0, memory_bytes=GIB))], 100.0, terminal(), rest={"0": GIB, "1": 2 * GIB, "2": 0})
    assert lines[-1].split()[:5] == ["unattributed", "-", "-", "0-1", "3"]
    assert table([], 100.0, terminal(), rest={}) == ["nobody in sight holds anything"]
    assert len(table([], 100.0, terminal(), rest={"0": GIB})) == 3


def test_memory_of_one_device_alone() -> None:
    held = (gpu(0, memory_bytes=GIB), gpu(1, memory_bytes=5 * GIB))
    assert "5 GiB" in table([owner("a", *held)], 0.0, terminal(), device="GPU-1", rest={})[1]


def test_what_is_said_below() -> None:
    document: Owners = {
        **NOTHING,
        "owners": [owner("a", conflicts=["pids:/x is of b"])],
        "overstated_bytes": {"GPU-0": GIB},
        "blind": ["attribution blind: \x1b[2Jhidepid"],
    }
    openers = [opener(9, "dcgm.service", "/dev/nvidia0", "/dev/nvidia1"), opener(8, "b", "/dev/kfd", memory=1)]
    assert remarks(document, terminal(120), openers) == [
        "told twice on GPU-0: 1 GiB that processes share, taken off in proportion",
        "open, and holds nothing: dcgm.service (python) nvidia0-1",
        "a: pids:/x is of b",
        "attribution blind: ?[2Jhidepid",
    ]


def test_holders_of_one_driver() -> None:
    both = opener(7, "a", "/dev/nvidia0", "/dev/infiniband/uverbs0", memory=GIB)
    document: Holders = {"age_seconds": 0.5, "hidden_processes": 0, "holders": [both], "blind": []}
    assert holders.lines(document, terminal(), "nvidia")[1].split()[-1] == "nvidia0"
    assert holders.lines({**document, "holders": []}, terminal())[0] == "no process has device nodes open"


class Device:
    """Answers as the daemon of a host with one RDMA device, and a GPU, would."""

    def __init__(self, document: Owners | Process) -> None:
        self.document = document
        self.asked: list[str] = []

    def get(self, path: str, query: dict[str, str] | None = None) -> Any:
        self.asked.append(path)
        if path == "/v1/devices":
            kind = (query or {})["kind"]
            return {
                "devices": [
                    {
                        "id": f"{kind}:1",
                        "name": "mlx5_0",
                        "facts": {"gpu": "3", "pci": "0000:39:00.0"} if kind == "gpu" else {},
                    }
                ]
            }
        return {"time_seconds": 200.0} if path == "/v1/status" else self.document


def said(client: Device, *arguments: str) -> str:
    out = terminal()
    options = SimpleNamespace(kind=arguments[0], name=arguments[1], json=False)
    assert who.run(client, options, out) == OK  # type: ignore[arg-type]
    return str(out.stream.getvalue())  # type: ignore[attr-defined]


def test_who_holds_an_rdma_device() -> None:
    holder = {**nic(0, qps=16, mr_bytes=GIB), "device": "rdma:1"}
    client = Device({**NOTHING, "owners": [owner("slurm 5", holder, gpu(0, memory_bytes=GIB))]})
    lines = said(client, "rdma", "mlx5_0").splitlines()
    assert lines[0] == "rdma mlx5_0  rdma:1"
    assert lines[2].split()[-3:] == ["mlx5_0", "16", "QP"]
    assert "/v1/rdma/mlx5_0/owners" in client.asked


def process(**more: Any) -> Process:
    whole: Process = {
        "pid": 7, "name": "python", "uid": 1000, "user": "alice", "since_seconds": 100.0, "command_line": None,
        "owner_id": "pod:x", "owner": "ml/train-0", "kind": "pod", "namespace": "ml", "pod": "train-0",
        "container": "cuda", "job_id": "", "unit": "", "identity": {"runtime": "containerd", "qos": "burstable"},
        "cgroup": "/kubepods/podx/y", "conflicts": [], "devices": [], "nodes": [],
    }  # fmt: skip
    return {**whole, **more}  # type: ignore[typeddict-item]


def test_a_gpu_by_its_index_and_its_address() -> None:
    client = Device({**NOTHING, "owners": [owner("slurm 5", {**gpu(3, memory_bytes=GIB), "device": "gpu:1"})]})
    assert said(client, "gpu", "0000:39:00.0") == said(client, "gpu", "3")


def test_what_a_process_holds_and_has_open() -> None:
    held = {"device": "GPU-0", "name": "0 H100", "kind": "gpu", "amounts": {"memory_bytes": GIB, "engine_ratio": 0}}
    client = Device(process(devices=[held], nodes=["/dev/nvidia0"], conflicts=["pids:/x is of b"]))
    assert said(client, "pid", "7").splitlines() == [
        "ml/train-0  pod",
        "  process  python  pid 7  user alice (1000)  for 1m40s",
        "  identity  runtime containerd  qos burstable",
        "  cgroup  /kubepods/podx/y",
        "  conflict  pids:/x is of b",
        "  gpu 0 H100  memory 1 GiB",
        "  open        nvidia0",
    ]


def test_whose_a_process_is_that_holds_nothing() -> None:
    shell = process(owner="session-3.scope\x1b[2J", kind="session", user="", identity={}, cgroup="", name="ba\nsh")
    assert said(Device(shell), "pid", "7").splitlines() == [
        "session-3.scope?[2J  session",
        "  process  ba?sh  pid 7  user 1000  for 1m40s",
        "  holds no GPU and no RDMA object that we see",
    ]


def test_what_cannot_be_asked_about() -> None:
    for number in ("x", "-1", "٣"):
        with pytest.raises(Failure, match="is no process id"):
            said(Device(process()), "pid", number)
    with pytest.raises(Failure, match="no GPU is called 4"):
        said(Device(NOTHING), "gpu", "4")


@pytest.mark.parametrize(
    ("names", "short"),
    [
        (["0", "1", "2", "3", "7"], "0-3,7"),
        (["mlx5_0", "mlx5_1", "bnxt_re0"], "mlx5_0-1 bnxt_re0"),
        (["/dev/kfd"], "/dev/kfd"),
        ([], ""),
    ],
)
def test_spans(names: list[str], short: str) -> None:
    assert spans(names) == short


def test_nodes_without_their_directory() -> None:
    assert node_names(["/dev/nvidiactl", "/dev/nvidia1", "/dev/nvidia0", "/dev/nvidia-uvm"]) == (
        "nvidia-uvm nvidia0-1 nvidiactl"
    )


@given(st.text(max_size=80), st.integers(8, 60))
def test_shortened_names_fit_and_keep_both_ends(text: str, room: int) -> None:
    short = shortened(text, room)
    assert len(short) <= room or short == text
    assert len(text) <= room or (short[0], short[-1]) == (text[0], text[-1])


@given(st.lists(st.text("abc", min_size=1, max_size=30), max_size=20), st.integers(20, 80))
def test_folding_loses_no_word(words: list[str], width: int) -> None:
    lines = folded(" ".join(words), width)
    assert " ".join(line.strip() for line in lines) == " ".join(words)
    assert all(len(line) <= width or " " not in line.strip() for line in lines)


@pytest.mark.parametrize(
    ("name", "value", "text"),
    [
        ("memory_bytes", GIB, "memory 1 GiB"),
        ("utilization_ratio", 0.5, "utilization 50 %"),
        ("copy_seconds", 90, "copy 1m30s"),
        ("qps", 16, "16 qps"),
    ],
)
def test_amounts_as_people_read_them(name: str, value: float, text: str) -> None:
    assert _amount(name, value) == text
