# SPDX-License-Identifier: MIT
"""cgroup path -> `Owner`, for one path and for a whole /proc/PID/cgroup. Pure; about 10 µs a path.

As a command it reads paths, or lines of /proc/PID/cgroup, and prints one JSON object for each, so that an
unrecognised path from the field can be tried:

    cat /proc/*/cgroup | python3 -m hwinfod.owners.cgroup
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import NamedTuple

from hwinfod.owners.identity import KERNEL_THREAD, NOBODY, WORKLOAD, Owner, contradict, nest, strength
from hwinfod.owners.rules import batch, containers, kubernetes, machines, services, systemd
from hwinfod.owners.rules.segments import above, is_number, split
from hwinfod.sources.process import DELETED, CgroupLine

Rule = Callable[[list[str], int], Owner | None]

# Names first that only a scheduler or a runtime gives; what systemd would call a unit comes last.
_RULES: tuple[Rule, ...] = (
    kubernetes.pod,
    containers.container,
    batch.job,
    machines.machine,
    containers.short_container,
    systemd.unit,
    services.service,
)


def resolve_path(path: str) -> Owner:
    """The owner of one cgroup, `NOBODY` where no directory of it announces one. Never raises."""
    owner = NOBODY
    segments = split(path)
    for position, segment in enumerate(segments):
        found = _announced(segments, position) if segment else None
        if found is not None:
            owner = nest(owner, found)
    return owner


def _announced(segments: list[str], position: int) -> Owner | None:
    for rule in _RULES:
        found = rule(segments, position)
        if found is not None:
            return found
    return None


def made_in(path: str) -> str | None:
    """The cgroup in which the outermost workload's own was made; None where no directory announces a workload. Whoever
    may make cgroups in there chose what the path says from there on."""
    segments = split(path)
    for position, segment in enumerate(segments):
        found = _announced(segments, position) if segment else None
        if found is not None and strength(found) == WORKLOAD:
            return above(path, position)
    return None


class Conflict(NamedTuple):
    """A hierarchy whose cgroup contradicts the owner that was chosen."""

    line: CgroupLine
    owner: Owner


class Resolution(NamedTuple):
    """The owner of a process, the line that told, and what other hierarchies say against it."""

    owner: Owner
    line: CgroupLine
    conflicts: tuple[Conflict, ...] = ()


_NO_LINE = CgroupLine(0, "", "/")


def resolve(lines: Iterable[CgroupLine], *, kernel_thread: bool = False) -> Resolution:
    """The owner of a process by all of its hierarchies (v1 has one a controller, hybrid both kinds).

    The line that says most wins, v2 and then name=systemd before their equals. A line that says less, or a
    directory above the chosen one, is no conflict: v1 controllers often stay behind at a parent.
    """
    owners: dict[str, Owner] = {}
    views = []
    for line in lines:
        owner = owners.get(line.path)
        if owner is None:
            owner = owners[line.path] = resolve_path(line.path)
        views.append((line, owner))
    if not views:
        return Resolution(KERNEL_THREAD if kernel_thread else NOBODY, _NO_LINE)
    line, owner = max(views, key=_weight)
    if owner is NOBODY and kernel_thread:
        return Resolution(KERNEL_THREAD, line)
    conflicts = tuple(
        Conflict(other, view)
        for other, view in views
        if view != owner and not _above(other.path, line.path) and contradict(view, owner)
    )
    return Resolution(owner, line, conflicts)


def _weight(view: tuple[CgroupLine, Owner]) -> tuple[int, int, int]:
    line, owner = view
    told = len(owner) - owner.count(None)
    return strength(owner), told, 2 if not line.controllers else int(line.controllers == "name=systemd")


def _above(path: str, other: str) -> bool:
    return other.startswith(path + "/")


_KEYS = Owner._fields[:-1]  # all but `within`


def as_json(owner: Owner) -> dict[str, str | None]:
    """The keys of the command's output. A Slurm step's job is written as sacct does: JOB.STEP."""
    record = dict(zip(_KEYS, owner[:9], strict=True))
    if owner.runtime == "slurm" and owner.step is not None:
        record["job_id"] = f"{owner.job_id}.{owner.step}"
    return record


def path_of_line(line: str) -> str:
    """The path in a line of /proc/PID/cgroup (`4:memory:/path`), or the line itself."""
    parts = line.split(":", 2)
    return (parts[2] if len(parts) == 3 and is_number(parts[0]) else line).removesuffix(DELETED)


def main() -> None:
    """Standard input to standard output, line by line."""
    import json
    import signal
    import sys

    signal.signal(signal.SIGPIPE, signal.SIG_DFL)
    for data in sys.stdin.buffer:
        line = data.decode("utf-8", "surrogateescape").rstrip("\n")
        print(json.dumps(as_json(resolve_path(path_of_line(line)))), flush=True)


if __name__ == "__main__":
    main()
