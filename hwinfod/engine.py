# SPDX-License-Identifier: MIT
"""The sampling engine: from settings to collectors on their lanes. Knows no face and no event loop.

One lane is not a thread: the collectors of lane `daemon` run on the loop of whoever calls `supervise`, so that they
tell of every thread that hangs.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from hwinfod import collectors
from hwinfod.core.catalog import catalog_of
from hwinfod.core.check import checks_of
from hwinfod.core.collector import MAIN
from hwinfod.core.crew import Crew
from hwinfod.core.health import State
from hwinfod.core.host import Host
from hwinfod.core.lane import Lane, Schedule
from hwinfod.core.ring import Ring
from hwinfod.core.runner import Runner
from hwinfod.core.supervisor import supervise
from hwinfod.owners.allocated.checkpoint import KubeletCheckpoint
from hwinfod.owners.allocated.collector import OwnerAllocations
from hwinfod.owners.collector import Owners
from hwinfod.owners.kubelet import Kubelet
from hwinfod.owners.names.collector import OwnerNames
from hwinfod.owners.names.slurm import Slurm
from hwinfod.owners.names.users import UserNames
from hwinfod.owners.runtimes.collector import ContainerdContainers, CriContainers, EngineContainers, PodResources
from hwinfod.owners.runtimes.rootless import RootlessEngines
from hwinfod.owners.usage.collector import OwnerUsage
from hwinfod.settings import Setting, collector_interval, collector_switch
from hwinfod.settings import daemon as own
from hwinfod.sources.files import Roots

if TYPE_CHECKING:
    from collections.abc import Sequence

    from hwinfod.core.clock import Clock
    from hwinfod.core.collector import Collector
    from hwinfod.core.crew import Alarm
    from hwinfod.settings import Settings

log = logging.getLogger("hwinfod.engine")

_LOOP_LANE = "daemon"
_SUPERVISE_SECONDS = 2.0


def discover() -> list[type[Collector]]:
    """Every collector there is: one file each in `collectors`, and those of attribution."""
    attribution = (
        *(Owners, OwnerNames, UserNames, OwnerUsage),
        *(ContainerdContainers, CriContainers, EngineContainers, PodResources, RootlessEngines),
        *(OwnerAllocations, Kubelet, KubeletCheckpoint, Slurm),
    )
    return sorted([*collectors.discover(), *attribution], key=lambda kind: kind.name)


@dataclass(frozen=True, slots=True)
class Declared:
    """A collector class with the settings that every collector has."""

    kind: type[Collector]
    switch: Setting[bool]
    intervals: dict[str, Setting[float]]

    @classmethod
    def of(cls, kind: type[Collector]) -> Declared:
        return cls(
            kind,
            collector_switch(kind.name, _sentence(kind.summary), default=kind.enabled),
            {
                method: collector_interval(kind.name, seconds, of="" if method == MAIN else method)
                for method, seconds in kind.beats().items()
            },
        )

    def settings(self) -> list[Setting[Any]]:
        return [self.switch, *self.intervals.values(), *self.kind.settings]

    def wanted(self, settings: Settings) -> tuple[object, ...]:
        """What its runner depends on: a runner made for other values is replaced."""
        return tuple(settings[setting] for setting in self.settings())


def _sentence(summary: str) -> str:
    return summary[0].upper() + summary[1:].rstrip(".") + "."


class Engine:
    """Samples the host. `start`, then `supervise` every two seconds, `apply` on a reload, `stop` at the end.

    With an alarm, which is to call `relieve`, lanes that prove quick share a thread; without one each keeps its own.
    """

    def __init__(
        self, declared: Sequence[Declared], settings: Settings, clock: Clock, alarm: Alarm | None = None
    ) -> None:
        self._declared = declared
        self._settings = settings
        self._clock = clock
        self._phase = settings[own.SAMPLING_PHASE]
        kinds = [item.kind for item in declared]
        roots = Roots(settings[own.PROCFS], settings[own.SYSFS], settings[own.ROOTFS])
        ring = Ring(settings[own.RING_BYTES], settings[own.RING_DURATION])
        self.host = Host(clock, roots, ring, catalog_of(kinds))
        self.checks = checks_of(kinds)
        self._loop_schedule = Schedule(clock, self._phase)
        self._lanes: dict[str, Lane] = {}
        self._crew = Crew(clock, alarm) if alarm is not None else None
        self._runners: dict[str, Runner] = {}
        self._wanted: dict[str, tuple[object, ...]] = {}
        self._started = False
        self._is_behind = False

    def start(self) -> None:
        """Starts the lanes and takes the loop lane's first sample."""
        self._started = True
        self.apply(self._settings)
        self._loop_schedule.run_due()

    def apply(self, settings: Settings) -> None:
        """Starts, stops and replaces collectors until they are as the settings want. Never waits for a lane: one that
        hangs stays in sight, as it hangs whatever is wanted, and is replaced when its call has returned."""
        self._settings = settings
        self._is_behind = False
        runners = self._runners
        for item in self._declared:
            name = item.kind.name
            wanted = item.wanted(settings) if settings[item.switch] else ()
            if wanted == self._wanted.get(name, ()):
                continue
            if name in runners and runners[name].health.stuck:
                self._is_behind = True
                continue
            if name in runners:
                self._remove(runners.pop(name))
            if wanted:
                runners[name] = self._add(item)
            self._wanted[name] = wanted
        order = [item.kind.name for item in self._declared]
        self.host.runners = {name: runners[name] for name in sorted(runners, key=order.index)}

    def _add(self, item: Declared) -> Runner:
        intervals = {method: self._settings[setting] for method, setting in item.intervals.items()}
        runner = Runner(item.kind, self.host, self._settings, intervals)
        if item.kind.lane == _LOOP_LANE:
            self._loop_schedule.add(runner)
            return runner
        lane = self._lanes.get(item.kind.lane)
        if lane is None:
            take_over = self._crew.take if self._crew is not None else None
            lane = self._lanes[item.kind.lane] = Lane(item.kind.lane, self._clock, self._phase, take_over)
            lane.start()
        runner.submit = lane.submit
        lane.submit(lambda: lane.add(runner))
        return runner

    def _remove(self, runner: Runner) -> None:
        if runner.kind.lane == _LOOP_LANE:
            self._loop_schedule.remove(runner)
            runner.close()
        else:
            lane = self._lanes[runner.kind.lane]
            lane.submit(lambda: lane.remove(runner))

    def supervise(self) -> None:
        """The loop's part, every two seconds: its own collectors, and a look at which lane hangs."""
        supervise(self.host.runners.values(), self._clock.monotonic(), self.host.events)
        self.relieve()
        if self._is_behind:
            self.apply(self._settings)
        self._loop_schedule.run_due()

    def relieve(self) -> None:
        """From the thread of `supervise`: when the alarm went off, and where no thread could be had when it did."""
        if self._crew is not None:
            try:
                self._crew.relieve()
            except RuntimeError as error:
                log.error("no thread for the lanes that wait behind one that hangs: %s", error)

    def wait_seconds(self) -> float:
        """When `supervise` has something to sample."""
        wait = self._loop_schedule.wait_seconds()
        return _SUPERVISE_SECONDS if wait is None else min(wait, _SUPERVISE_SECONDS)

    def subsystems(self) -> set[str]:
        """Whose kernel events announce what a collector could be waiting for."""
        return {name for item in self._declared for name in item.kind.subsystems}

    def hear(self, heard: bool) -> None:
        """The kernel's events are heard from now on, or no more. They tell of its own hardware, not of another root."""
        self.host.is_hardware_announced = heard and self.host.roots == Roots()

    def rescan(self) -> None:
        """Hardware may have come: every collector that found none looks again now."""
        for lane in self._lanes.values():
            lane.rescan()

    def settled(self) -> bool:
        """Whether every collector has sampled, or found that its hardware is not here."""
        return all(runner.health.state is not State.STARTING for runner in self.host.runners.values())

    def stop(self, timeout_seconds: float) -> bool:
        """Ends the lanes. False where one hangs in a call: it is left behind."""
        deadline = self._clock.monotonic() + timeout_seconds
        for lane in self._lanes.values():
            lane.stop()
        if self._crew is not None:
            self._crew.end(deadline)
        ended = [lane.join(max(0.0, deadline - self._clock.monotonic())) for lane in self._lanes.values()]
        for name, end in zip(self._lanes, ended):
            if not end:
                log.error("lane %s hangs in a call and is left behind", name)
        return all(ended)
