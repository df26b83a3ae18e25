# SPDX-License-Identifier: MIT
"""Out-of-memory kills as the kernel's log tells them: who was killed, for whose limit, and what it held."""

from __future__ import annotations

from hwinfod.core.collector import Collector, beat
from hwinfod.core.event import EventKind, Severity
from hwinfod.core.kill import Kill
from hwinfod.core.metric import Kind, Metric
from hwinfod.errors import Absent, Denied, Gone
from hwinfod.sources.kmsg import KernelLog
from hwinfod.sources.oom import MARKS, OomContext, OomKill, parse_oom

LOGGED_KILLS = Metric(
    name="hw_memory_oom_kills_logged_total",
    kind=Kind.COUNTER,
    help="Kills for want of memory seen in the kernel's log since the daemon started, by whose limit was reached:"
    " the host's or a cgroup's.",
    source="/dev/kmsg, Documentation/ABI/testing/dev-kmsg",
    labels=("limit",),
)
_LIMITS = ("host", "cgroup")
_PRIVATE = frozenset({"pid", "task", "uid", "cgroup", "limited_cgroup"})


class OomKills(Collector):
    """The count of all kills since boot is hw_memory_oom_kills_total: it needs no right to read the log."""

    name = "oom"
    summary = "victims of out-of-memory kills, from the kernel's log"

    def open(self) -> None:
        path = self.roots.root("/dev/kmsg")
        try:
            self.log = KernelLog(path)
        except Gone as error:
            raise Absent(str(error)) from None
        except Denied as error:
            raise Absent(f"{error}; CAP_SYSLOG allows it") from None
        self.group = self.table.bind_columns([(LOGGED_KILLS, (limit,)) for limit in _LIMITS])
        self.kills = dict.fromkeys(_LIMITS, 0)
        self.announced: OomContext | None = None

    def close(self) -> None:
        self.log.close()

    @beat(seconds=5)
    def sample(self) -> None:
        for record in self.log.read(MARKS):
            found = parse_oom(record.text) if record.is_from_kernel else None
            if isinstance(found, OomContext):
                self.announced = found
            elif isinstance(found, OomKill):
                self._note(found)
        self.group.set(tuple(self.kills.values()))

    def _note(self, kill: OomKill) -> None:
        """The context stands before the kill; of a cgroup that is killed as a group only the first has one."""
        context, self.announced = self.announced, None
        if context is not None and context.pid != kill.pid:
            context = None
        if context is not None:
            self.host.kills.note(Kill(context.task_cgroup, self.host.clock.wall_ns()))
        self.kills["cgroup" if kill.is_cgroup_limit else "host"] += 1
        self.host.events.add(
            EventKind.OOM_KILL,
            Severity.WARNING,
            f"a process was killed for want of memory in {'a cgroup' if kill.is_cgroup_limit else 'the host'},"
            f" it held {kill.resident_bytes / 2**30:.2f} GiB",
            key=str(kill.pid),
            attributes=_attributes(kill, context),
            private=_PRIVATE,
        )


def _attributes(kill: OomKill, context: OomContext | None) -> dict[str, str]:
    uid = kill.uid if context is None else context.uid
    facts = {
        "pid": str(kill.pid),
        "task": kill.task,
        "uid": "" if uid is None else str(uid),
        "limit": "cgroup" if kill.is_cgroup_limit else "host",
        "resident_bytes": str(kill.resident_bytes),
        "anonymous_bytes": str(kill.anonymous_bytes),
        "shared_bytes": str(kill.shared_bytes),
        "virtual_bytes": str(kill.total_virtual_bytes),
    }
    if context is not None:
        facts["cgroup"] = context.task_cgroup
        facts["limited_cgroup"] = context.limited_cgroup
        facts["constraint"] = context.constraint
    return {name: fact for name, fact in facts.items() if fact}
