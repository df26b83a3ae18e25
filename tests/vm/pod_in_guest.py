# SPDX-License-Identifier: MIT
"""Runs in the guest: a pod whose container holds memory of an NVIDIA GPU, memory of an AMD GPU and RDMA queue pairs.

The queue pairs are real. NVIDIA's library is the fake of tests/fakes; its GPU on the PCI bus, and AMD's with its KFD,
are directories of tests/fixtures that lie over the guest's own /sys. Both are told of the container's real process.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from engines_in_guest import IMAGE
from in_guest import Daemon, sh, wait_for

from hwinfod.sources.protobuf import encode_bytes, encode_integer

OWNER = "ml/train-0"
GIB = 1 << 30
_PROGRAM = ("/usr/bin/ibv_rc_pingpong", "-d", "rxe0", "-g", "1", "-p", "18700")
_OF_THE_HOST = ("/usr", "/lib", "/lib64", "/etc/libibverbs.d")  # what the program needs, and the image has not


class Gpus:
    """What the vendors' interfaces tell of processes, in files that are ours."""

    def __init__(self) -> None:
        given = Path(os.environ["IN"])
        sh("mkdir -p /run/gpus/upper /run/gpus/work /run/gpus/sys")
        layers = f"lowerdir={given}/gpus/sys:/sys,upperdir=/run/gpus/upper,workdir=/run/gpus/work"
        sh(f"mount -t overlay -o {layers} overlay /run/gpus/sys")
        sh("mount --bind /sys/fs/cgroup /run/gpus/sys/fs/cgroup")
        self._control = given / "nvml.control"
        self._control.write_text(f"device {given}/nvml.control\n{self._control.read_text()}")
        os.environ["HWINFOD_FAKE_NVML"] = str(self._control)
        self.flags = ("--path.sysfs=/run/gpus/sys", f"--nvidia.library-roots={given}/nvml")
        self._kfd = Path("/run/gpus/sys/class/kfd/kfd")
        (self._gpu_id,) = [
            number for path in self._kfd.glob("topology/nodes/*/gpu_id") if (number := path.read_text().strip()) != "0"
        ]

    def use(self, pid: int) -> None:
        """7 GiB of the one and 5 of the other."""
        told = f"gpu.0.compute.processes 1\ngpu.0.compute.0 {pid} {7 * GIB} 4294967295 4294967295\n"
        new = self._control.with_suffix(".new")
        lines = self._control.read_text().splitlines(keepends=True)
        new.write_text("".join(line for line in lines if not line.startswith("gpu.0.compute.")) + told)
        new.rename(self._control)
        of_process = self._kfd / "proc" / str(pid)
        of_process.mkdir(parents=True)
        (of_process / f"vram_{self._gpu_id}").write_text(f"{5 * GIB}\n")


def container() -> bytes:
    """A ContainerConfig of the CRI with one device node, and the program that makes queue pairs and waits."""
    nodes = Path("/sys/class/infiniband_verbs").glob("uverbs*/ibdev")
    (path,) = [f"/dev/infiniband/{node.parent.name}" for node in nodes if node.read_text().strip() == "rxe0"]
    parts = [encode_bytes(1, encode_bytes(1, "cuda")), encode_bytes(2, encode_bytes(1, IMAGE))]
    parts += [encode_bytes(3, word) for word in _PROGRAM]
    parts += [encode_bytes(7, encode_bytes(1, p) + encode_bytes(2, p) + encode_integer(3, 1)) for p in _OF_THE_HOST]
    parts.append(encode_bytes(8, encode_bytes(1, path) + encode_bytes(2, path) + encode_bytes(3, "rw")))
    return b"".join(parts)


def is_everywhere(daemon: Daemon, pid: int, owner_id: str) -> None:
    """The container's process has its pod's name wherever it is shown."""
    devices = {device["name"]: device["id"] for device in daemon.get("/v1/devices")["devices"]}
    gpus = [device["id"] for device in daemon.get("/v1/devices?kind=gpu")["devices"]]
    assert len(gpus) == 2
    held = {gpus[0], gpus[1], devices["rxe0"]}
    for path in (*(f"/v1/gpus/{gpu}/owners" for gpu in gpus), "/v1/rdma/rxe0/owners", "/v1/owners"):
        (owner,) = [owner for owner in daemon.get(path)["owners"] if owner["id"] == owner_id]
        assert _names(owner) == ("ml", "train-0", "cuda")
        assert {device["device"] for device in owner["devices"]} == held, (path, owner)
        assert {p["pid"] for device in owner["devices"] for p in device["processes"]} == {pid}
    amounts = {each["device"]: each["amounts"] for each in daemon.get(f"/v1/owners/{owner_id}")["devices"]}
    assert sorted(amounts[gpu]["memory_bytes"] for gpu in gpus) == [5 * GIB, 7 * GIB]
    assert amounts[devices["rxe0"]]["qps"] == 1
    for path, rows in _tables(daemon, gpus):
        (row,) = [row for row in rows if row["pid"] == pid]
        assert row["owner"] == OWNER, (path, row)
    (one,) = [c for c in daemon.get("/v1/containers")["containers"] if c["pid"] == pid]
    assert _names(one) == ("ml", "train-0", "cuda")
    assert {device["device"] for device in one["devices"]} == held


def _names(record: Any) -> tuple[str, str, str]:
    return record["namespace"], record["pod"], record["container"]


def _tables(daemon: Daemon, gpus: list[str]) -> Iterator[tuple[str, list[Any]]]:
    """Tables of processes."""
    for gpu in gpus:
        yield gpu, daemon.get(f"/v1/gpus/{gpu}/processes")["processes"]
    yield "rxe0", daemon.get("/v1/rdma/rxe0/resources")["holders"]
    yield "nodes", daemon.get("/v1/holders")["holders"]


def is_measured(daemon: Daemon) -> None:
    """By the same labels in the metrics."""
    wanted = {
        "hw_owner_gpu_memory_usage_bytes": [5 * GIB, 7 * GIB],
        "hw_owner_gpu_processes": [1, 1],
        "hw_owner_rdma_qps": [1],
    }
    for metric, values in wanted.items():
        of_pod = [v for labels, v in daemon.values(metric).items() if {"ml", "train-0", "cuda"} <= set(labels)]
        assert sorted(of_pod) == values, (metric, daemon.values(metric))


def is_on_screens(daemon: Daemon, pid: int) -> None:
    screens = ("who gpu 0", "who rdma rxe0", f"who pid {pid}", "owners", "holders", "ps", "rdma rxe0")
    for arguments in screens:
        command = [sys.executable, "-m", "hwinfod.ctl", "--socket", daemon.socket, *arguments.split()]
        shown = subprocess.run(command, capture_output=True, text=True, check=True).stdout
        assert any(OWNER in line for line in shown.splitlines()), (arguments, shown)


def wait_until_shown(daemon: Daemon, pid: int, owner_id: str) -> None:
    for what, check in (
        ("the pod", lambda: is_everywhere(daemon, pid, owner_id)),
        ("its figures", lambda: is_measured(daemon)),
        ("screens", lambda: is_on_screens(daemon, pid)),
    ):
        wait_for(what, lambda: check() is None)  # noqa: B023 - called within the turn
