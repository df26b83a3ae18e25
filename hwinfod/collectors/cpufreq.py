# SPDX-License-Identifier: MIT
"""Processor frequency. On a lane of its own: asking an idle processor can take 20 ms."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hwinfod.core.collector import Collector, beat
from hwinfod.core.device import Device
from hwinfod.core.metric import Kind, Level, Metric
from hwinfod.core.table import Groups
from hwinfod.errors import Absent
from hwinfod.sources.cpu_topology import read_online
from hwinfod.sources.cpufreq import list_policies, read_policy, read_state

if TYPE_CHECKING:
    from collections.abc import Iterable

    from hwinfod.sources.cpufreq import Policy

_SOURCE = "/sys/devices/system/cpu/cpufreq/policy*/"
_LABELS = ("cpu",)

FREQUENCY = Metric(
    name="hw_cpu_frequency_hertz",
    kind=Kind.GAUGE,
    unit="hertz",
    help="Frequency of the processors online, their mean.",
    source=f"{_SOURCE}scaling_cur_freq",
)
LIMIT = Metric(
    name="hw_cpu_frequency_limit_hertz",
    kind=Kind.GAUGE,
    unit="hertz",
    help="Highest frequency that any processor may be given now, by administrator, governor and firmware.",
    source=f"{_SOURCE}scaling_max_freq",
    level=Level.DETAILED,
)
MINIMUM = Metric(
    name="hw_cpu_frequency_minimum_hertz",
    kind=Kind.GAUGE,
    unit="hertz",
    help="Lowest frequency that the processors can run at.",
    source=f"{_SOURCE}cpuinfo_min_freq",
    level=Level.DETAILED,
)
MAXIMUM = Metric(
    name="hw_cpu_frequency_maximum_hertz",
    kind=Kind.GAUGE,
    unit="hertz",
    help="Highest frequency that the processors can run at, turbo included.",
    source=f"{_SOURCE}cpuinfo_max_freq",
    level=Level.DETAILED,
)
CORE_FREQUENCY = Metric(
    name="hw_cpu_core_frequency_hertz",
    kind=Kind.GAUGE,
    unit="hertz",
    help="Frequency of one processor, as the kernel counts them.",
    source=f"{_SOURCE}scaling_cur_freq",
    labels=_LABELS,
    level=Level.DETAILED,
)
CORE_LIMIT = Metric(
    name="hw_cpu_core_frequency_limit_hertz",
    kind=Kind.GAUGE,
    unit="hertz",
    help="Highest frequency that one processor may be given now.",
    source=f"{_SOURCE}scaling_max_freq",
    labels=_LABELS,
    level=Level.DETAILED,
)
FREQUENCY_INFO = Metric(
    name="hw_cpu_frequency_info",
    kind=Kind.INFO,
    help="What decides on the processors' frequency.",
    source=f"{_SOURCE}scaling_driver, scaling_governor",
    labels=("driver", "governor"),
    level=Level.DETAILED,
)

_HOST_METRICS = (FREQUENCY, LIMIT, MINIMUM, MAXIMUM)
_CORE_METRICS = (CORE_FREQUENCY, CORE_LIMIT)


class CpuFrequency(Collector):
    name = "cpufreq"
    summary = "processor frequency, its bounds and governor"
    lane = "cpufreq"
    in_node_exporter = True
    subsystems = frozenset({"cpu", "module"})

    def open(self) -> None:
        if not list_policies(self.roots):
            raise Absent("the kernel does not scale the processors' frequency, as in most virtual machines")
        self.group = self.table.bind(_HOST_METRICS)
        self.cores = Groups(self.table, lambda cpu: [(metric, (cpu,)) for metric in _CORE_METRICS])
        self.online: tuple[int, ...] | None = None
        self.policies: list[Policy] = []

    @beat(seconds=15)
    def sample(self) -> None:
        self._follow()
        states = []
        for policy in self.policies:
            self.step(f"scaling_cur_freq of {policy.name}")
            state = read_state(self.roots, policy.name)
            for cpu in policy.cpus:
                self.cores.set(str(cpu), (state.hertz, state.limit_hertz))
            states += [state] * len(policy.cpus)
        self.cores.sweep()
        known = [state.hertz for state in states if state.hertz is not None]
        self.group.set(
            (
                round(sum(known) / len(known)) if known else None,
                _highest(state.limit_hertz for state in states),
                _lowest(policy.minimum_hertz for policy in self.policies),
                _highest(policy.maximum_hertz for policy in self.policies),
            )
        )
        drivers = {policy.driver for policy in self.policies}
        self._report(drivers, {state.governor for state in states})

    def _follow(self) -> None:
        """A processor that goes offline takes its policy with it, or leaves one that it shared."""
        names, online = list_policies(self.roots), read_online(self.roots)
        if not names:
            raise Absent("the cpufreq driver left")
        if online != self.online or names != tuple(policy.name for policy in self.policies):
            self.online = online
            self.policies = [read_policy(self.roots, name) for name in names]

    def _report(self, drivers: set[str], governors: set[str]) -> None:
        """A governor that somebody changes leaves an event, by way of the record."""
        facts = {"driver": ",".join(sorted(drivers - {""})), "governor": ",".join(sorted(governors - {""}))}
        device = Device(
            id="cpufreq", kind="frequency scaling", name="processor frequency", facts=facts, info=FREQUENCY_INFO
        )
        self.host.devices.reconcile(self.name, [device])


def _highest(values: Iterable[int | None]) -> int | None:
    return max((value for value in values if value is not None), default=None)


def _lowest(values: Iterable[int | None]) -> int | None:
    return min((value for value in values if value is not None), default=None)
