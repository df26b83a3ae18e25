# SPDX-License-Identifier: MIT
"""Processor frequency. On a lane of its own: asking an idle processor can take 20 ms."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hwinfod.core.collector import Collector, beat
from hwinfod.core.device import Device
from hwinfod.core.metric import Kind, Level, Metric
from hwinfod.core.table import Groups
from hwinfod.errors import Absent
from hwinfod.sources.cpufreq import list_policies, read_frequency, read_policy

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
)

_HOST_METRICS = (FREQUENCY, LIMIT, MINIMUM, MAXIMUM)
_CORE_METRICS = (CORE_FREQUENCY, CORE_LIMIT)


class CpuFrequency(Collector):
    name = "cpufreq"
    summary = "processor frequency, its bounds and governor"
    lane = "cpufreq"

    def open(self) -> None:
        if not list_policies(self.roots):
            raise Absent("the kernel does not scale the processors' frequency, as in most virtual machines")
        self.group = self.table.bind(_HOST_METRICS)
        self.cores = Groups(self.table, lambda cpu: [(metric, (cpu,)) for metric in _CORE_METRICS])

    @beat(seconds=15)
    def sample(self) -> None:
        policies = [read_policy(self.roots, name) for name in list_policies(self.roots)]
        if not policies:
            raise Absent("the cpufreq driver left")
        frequencies = []
        for policy in policies:
            self.step(f"scaling_cur_freq of {policy.name}")
            frequency = read_frequency(self.roots, policy.name)
            for cpu in policy.cpus:
                self.cores.set(str(cpu), (frequency, policy.maximum_hertz))
            frequencies += [frequency] * len(policy.cpus)
        self.cores.sweep()
        known = [frequency for frequency in frequencies if frequency is not None]
        self.group.set(
            (
                round(sum(known) / len(known)) if known else None,
                _highest(policy.maximum_hertz for policy in policies),
                _lowest(policy.hardware_minimum_hertz for policy in policies),
                _highest(policy.hardware_maximum_hertz for policy in policies),
            )
        )
        self.host.devices.reconcile(self.name, [_governing(policies)])


def _governing(policies: list[Policy]) -> Device:
    """A governor that somebody changes leaves an event, by way of the record."""
    facts = {
        "driver": ",".join(sorted({policy.driver for policy in policies if policy.driver})),
        "governor": ",".join(sorted({policy.governor for policy in policies if policy.governor})),
    }
    return Device(id="cpufreq", kind="frequency scaling", name="processor frequency", facts=facts, info=FREQUENCY_INFO)


def _highest(values: Iterable[int | None]) -> int | None:
    return max((value for value in values if value is not None), default=None)


def _lowest(values: Iterable[int | None]) -> int | None:
    return min((value for value in values if value is not None), default=None)
