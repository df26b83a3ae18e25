# SPDX-License-Identifier: MIT
"""Processes in cgroups on a fixture host."""

from __future__ import annotations

import os
from pathlib import Path

from tests.fixtures.host import Host

KUBEPODS = "/kubepods.slice/kubepods-pod{}.slice/cri-containerd-{}.scope"


class Node:
    """A fixture host with cgroups of v2."""

    def __init__(self, host: Host) -> None:
        self.host = host
        self.root, self.proc = Path(host.rootfs), Path(host.procfs)
        self.cgroup = Path(host.sysfs) / "fs/cgroup"
        self.cgroup.mkdir(parents=True, exist_ok=True)
        (self.cgroup / "cgroup.controllers").write_text("cpu memory pids\n")

    def start(self, pid: int, cgroup: str, uid: int, **environ: str) -> None:
        """A process that has been there since a second after boot."""
        place = self.cgroup / cgroup.lstrip("/")
        place.mkdir(parents=True, exist_ok=True)
        (place / "cgroup.procs").write_text(f"{pid}\n")
        (place / "cpu.stat").write_text("usage_usec 2500000\nnr_throttled 0\nthrottled_usec 0\n")
        (place / "memory.current").write_text("4096\n")
        process = self.proc / str(pid)
        process.mkdir(exist_ok=True)
        fields = ["S", "1", *["0"] * 17, str(os.sysconf("SC_CLK_TCK")), *["0"] * 30]
        for name, content in {
            "stat": f"{pid} (python) {' '.join(fields)}\n", "comm": "python\n", "cgroup": f"0::{cgroup}\n",
            "status": f"Name:\tpython\nUid:\t{uid}\t{uid}\t{uid}\t{uid}\nNSpid:\t{pid}\nCapEff:\t0\n",
            "environ": "".join(f"{key}={value}\0" for key, value in environ.items()),
        }.items():  # fmt: skip
            (process / name).write_text(content)

    def start_pod(self, pid: int, pod_uid: str, container_id: str, uid: int) -> None:
        self.start(pid, KUBEPODS.format(pod_uid.replace("-", "_"), container_id), uid)

    def open(self, pid: int, *nodes: str) -> None:
        """Nodes of this host that a process has open, from the third descriptor on."""
        directory = self.proc / str(pid) / "fd"
        directory.mkdir(exist_ok=True)
        for number, node in enumerate(nodes, 3):
            (directory / str(number)).symlink_to(node)
            place = self.root / node.lstrip("/")
            place.parent.mkdir(parents=True, exist_ok=True)
            place.touch()
