# SPDX-License-Identifier: MIT
"""Who has nodes of GPUs and RDMA devices open, whether or not anything is held behind them: what keeps a driver from
being reloaded."""

from __future__ import annotations

import time
from collections import Counter

from hwinfod.core.collector import Collector, beat
from hwinfod.core.holding import NodeUse, NodeUser
from hwinfod.core.metric import Kind, Level, Metric
from hwinfod.errors import Absent
from hwinfod.sources.device_nodes import CLASSES, class_of, has_nodes, is_node, node_of
from hwinfod.sources.process_walk import OpenFiles, ProcessWalk

HOLDERS = Metric(
    name="hw_device_node_holders",
    kind=Kind.GAUGE,
    help="Processes that have nodes of GPUs or RDMA devices open, by the directory or driver of the node.",
    source="/proc/PID/fd",
    labels=("class",),
    level=Level.DETAILED,
)
HIDDEN = Metric(
    name="hwinfod_device_node_hidden_processes",
    kind=Kind.GAUGE,
    help="Processes whose open files may not be seen (CAP_SYS_PTRACE).",
    source="/proc/PID/fd",
    level=Level.DETAILED,
)

_STEP_CPU_SECONDS = 0.015
_FIRST_STEP_CPU_SECONDS = 0.1  # the first pass looks into all processes, and somebody may wait for it
_PASS_SECONDS = 15.0
# A process with as many descriptors as before has the same ones, as a rule.
_KEEP_SECONDS = 30.0
_RECHECK_SECONDS, _RECHECK_UNTOLD_SECONDS = 600.0, 60.0


class DeviceNodes(Collector):
    name = "device_nodes"
    summary = "processes that have nodes of GPUs and RDMA devices open"
    lane = "owners"

    def open(self) -> None:
        if not has_nodes(self.roots):
            raise Absent("no device nodes of GPUs or RDMA devices")
        self.walk = ProcessWalk(
            self.roots,
            self.host.clock,
            is_node,
            keep_seconds=_KEEP_SECONDS,
            recheck_seconds=_RECHECK_SECONDS,
            recheck_untold_seconds=_RECHECK_UNTOLD_SECONDS,
        )
        self.users: list[NodeUser] = []
        self.begun_ns = 0
        self.due = 0.0
        self.holders = self.table.bind_columns([(HOLDERS, (name,)) for name in CLASSES])
        self.hidden = self.table.bind((HIDDEN,))

    @beat(seconds=5)
    def sample(self) -> None:
        """A pass that takes more than its share of this tick goes on in the next one; the next begins 15 s after it."""
        now = self.host.clock.monotonic()
        if not self.walk.is_running and now >= self.due:
            self.due = now + _PASS_SECONDS
            self.users, self.begun_ns = [], self.host.clock.boottime_ns()
            self.walk.begin(self._see)
        use = self.host.node_use
        if self.walk.work(_STEP_CPU_SECONDS if use.boottime_ns else _FIRST_STEP_CPU_SECONDS, time.thread_time):
            use = self.host.node_use = NodeUse(self.begun_ns, tuple(self.users), self.walk.blind)
        if use.boottime_ns:
            counts = Counter(name for user in use.users for name in set(map(class_of, user.nodes)))
            self.holders.set([counts[name] for name in CLASSES])
            self.hidden.set((use.hidden,))
        if use.hidden:
            self.skip("processes", f"attribution blind: {use.hidden} processes may not be looked into: CAP_SYS_PTRACE")

    def close(self) -> None:
        self.walk.close()
        self.host.node_use = NodeUse()

    def _see(self, process: OpenFiles) -> None:
        nodes = sorted({node_of(target) for _, target in process.files})
        self.users.append(NodeUser(process.pid, process.start_time_ticks, tuple(nodes)))
