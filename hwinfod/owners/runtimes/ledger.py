# SPDX-License-Identifier: MIT
"""The containers of one runtime, and what happens to them: each thing once, whether an event told it or a list. Pure.

Runtimes do not replay events. After a connection was lost, and now and then besides, the list says how things are;
what it shows and no event told is told then. An event that is older than what is known already changes nothing.
"""

from __future__ import annotations

import signal
from dataclasses import replace
from typing import TYPE_CHECKING, NamedTuple

from hwinfod.core.container import Container
from hwinfod.core.owner import ContainerName
from hwinfod.owners.memory import Memory

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

MOST_CONTAINERS = 4_096
_REMEMBERED_DEAD = 4_096
_SIGKILLED = 128 + signal.SIGKILL
_ABOUT_NS = 15 * 10**9  # the kernel's log is read every 5 s

CREATED, STARTED, EXITED, OOM, DELETED = "created", "started", "exited", "oom", "deleted"


class Change(NamedTuple):
    """What a runtime told: one of the words above, of one container, at a Unix time."""

    container_id: str
    kind: str
    unix_ns: int
    exit_code: int | None = None


class Told(NamedTuple):
    """What is news: `container` is as it was after it, or at its end."""

    kind: str
    container: Container


class Ledger:
    """The containers that a runtime has, at most `MOST_CONTAINERS`; more are not looked at, and `overflow` counts them.
    `has_list` says that one was seen: what is new from then on is news. For one thread."""

    def __init__(self, runtime: str) -> None:
        self.runtime = runtime
        self.containers: dict[str, Container] = {}
        self.overflow = 0
        self._dead: Memory[str, int] = Memory(_REMEMBERED_DEAD)
        self._out_of_memory: set[str] = set()
        self.has_list = False

    def describe(self, container: Container) -> None:
        """What a container was made with, learned after it was first heard of. Its life stays as it is known."""
        known = self.containers.get(container.id)
        if known is not None:
            pid = container.pid if known.state == "running" and known.pid is None else known.pid
            self.containers[container.id] = replace(
                container, state=known.state, exit_code=known.exit_code, changed_ns=known.changed_ns, pid=pid
            )

    def apply(self, change: Change) -> list[Told]:
        """The news in one event."""
        known = self.containers.get(change.container_id)
        if known is None:
            known = self._meet(change)
            if known is None:
                return []
            if change.kind == CREATED:
                return [Told(CREATED, known)]
        elif change.unix_ns < known.changed_ns and not (change.kind == OOM and known.state == "exited"):
            return []
        if change.kind == OOM:  # the reason of an exit may be told after it
            return self._run_out_of_memory(known)
        if change.kind == DELETED:
            return self._delete(known, change.unix_ns)
        if change.kind == CREATED:
            return self._replace(known, change.unix_ns) if known.state in ("running", "exited") else []
        state = {STARTED: "running", EXITED: "exited"}.get(change.kind, known.state)
        if state == known.state:
            return []
        return [self._enter(known, state, change.unix_ns, change.exit_code)]

    def explain(self, container_id: str, unix_ns: int) -> list[Told]:
        """About this time the kernel's log told of a process of the container that was killed for want of memory:
        that is why it ended, where SIGKILL ended it then and no event told. A cgroup that systemd keeps is gone once
        it is empty, often before the runtime has read that there was a kill: containerd issue 8893, pull request 12714.
        """
        known = self.containers.get(container_id)
        if known is None or known.state != "exited" or known.exit_code != _SIGKILLED:
            return []
        return self._run_out_of_memory(known) if abs(unix_ns - known.changed_ns) <= _ABOUT_NS else []

    def reconcile(self, listed: Sequence[Container], asked_ns: int) -> list[Told]:
        """The news in a list that was asked for at a time: none in the first one, which is what was there before us."""
        told = self._compare(listed, asked_ns)
        news = told if self.has_list else []
        self.has_list = True
        return news

    def _meet(self, change: Change) -> Container | None:
        """A container that an event tells of first."""
        if change.kind == DELETED or change.unix_ns <= (self._dead.get(change.container_id) or 0):
            return None
        created_ns = change.unix_ns if change.kind == CREATED else 0
        return self._add(
            Container(
                ContainerName(change.container_id, ""), self.runtime, "created", created_ns=created_ns, changed_ns=0
            )
        )

    def _add(self, container: Container) -> Container | None:
        if len(self.containers) >= MOST_CONTAINERS:
            self.overflow += 1
            return None
        self.containers[container.id] = container
        return container

    def _enter(self, known: Container, state: str, unix_ns: int, exit_code: int | None) -> Told:
        if state == "running":
            self._out_of_memory.discard(known.id)
        pid = known.pid if state == known.state else None
        container = replace(known, state=state, exit_code=exit_code, changed_ns=unix_ns, pid=pid)
        self.containers[known.id] = container
        return Told(STARTED if state == "running" else EXITED, container)

    def _run_out_of_memory(self, known: Container) -> list[Told]:
        """Once a run: a container at its limit is told of again and again."""
        if known.id in self._out_of_memory:
            return []
        self._out_of_memory.add(known.id)
        return [Told(OOM, known)]

    def _delete(self, known: Container, unix_ns: int) -> list[Told]:
        told = [self._enter(known, "exited", unix_ns, None)] if known.state == "running" else []
        self._out_of_memory.discard(known.id)
        self._dead.put(known.id, unix_ns)
        return [*told, Told(DELETED, self.containers.pop(known.id))]

    def _replace(self, known: Container, unix_ns: int) -> list[Told]:
        """Another one of the same name: ctr gives ids of one's choice."""
        told = self._delete(known, unix_ns)
        made = self._add(Container(ContainerName(known.id, ""), self.runtime, "created", created_ns=unix_ns))
        return told if made is None else [*told, Told(CREATED, made)]

    def _compare(self, listed: Iterable[Container], asked_ns: int) -> list[Told]:
        told: list[Told] = []
        present = set()
        self.overflow = 0
        for container in listed:
            present.add(container.id)
            known = self.containers.get(container.id)
            if known is None:
                told += self._find(container, asked_ns)
            elif known.changed_ns <= asked_ns:
                told += self._update(known, container, asked_ns)
        for known in [each for each in self.containers.values() if each.id not in present]:
            if max(known.changed_ns, known.created_ns) <= asked_ns:
                told += self._delete(known, asked_ns)
        return told

    def _find(self, container: Container, asked_ns: int) -> list[Told]:
        if asked_ns <= (self._dead.get(container.id) or 0):
            return []
        added = self._add(replace(container, changed_ns=container.changed_ns or asked_ns))
        if added is None:
            return []
        told = [Told(CREATED, added)]
        if added.state in ("running", "exited"):
            told += self._killed(added)
            told.append(Told(STARTED if added.state == "running" else EXITED, added))
        return told

    def _killed(self, listed: Container) -> list[Told]:
        """Why a container exited, where the list that tells of it says so."""
        return self._run_out_of_memory(listed) if listed.state == "exited" and listed.was_out_of_memory else []

    def _update(self, known: Container, listed: Container, asked_ns: int) -> list[Told]:
        """A container that has another first process was restarted while nobody looked."""
        if listed.state == "created" and known.state in ("running", "exited"):
            return [*self._delete(known, asked_ns - 1), *self._find(listed, asked_ns)]
        told: list[Told] = []
        restarted = None not in (known.pid, listed.pid) and known.pid != listed.pid
        if known.state == listed.state == "running" and restarted:
            told.append(self._enter(known, "exited", asked_ns, None))
        if listed.state in ("running", "exited") and (listed.state != known.state or told):
            changed_ns = min(listed.changed_ns, asked_ns) or asked_ns
            told += self._killed(listed)
            told.append(self._enter(known, listed.state, changed_ns, listed.exit_code))
        current = self.containers[known.id]
        container = replace(listed, state=current.state, exit_code=current.exit_code, changed_ns=current.changed_ns)
        self.containers[known.id] = container
        return [Told(each.kind, replace(container, exit_code=each.container.exit_code)) for each in told]
