# SPDX-License-Identifier: MIT
"""Processors: what they are, where their time goes, and what the kernel does with them."""

from __future__ import annotations

from itertools import compress
from operator import lt, sub
from typing import TYPE_CHECKING

from hwinfod.collectors._interval import DIGITS
from hwinfod.core.collector import Collector, beat
from hwinfod.core.device import Device
from hwinfod.core.metric import Kind, Level, Metric
from hwinfod.errors import Absent, Gone, HwinfodError
from hwinfod.sources.cpu_topology import read_topology
from hwinfod.sources.files import SeqFile, clean_text
from hwinfod.sources.proc_cpuinfo import CpuInfo, read_cpuinfo
from hwinfod.sources.proc_stat import MODES, TICKS_PER_SECOND, WIDTH, parse_stat

if TYPE_CHECKING:
    from collections.abc import Iterator

    from hwinfod.core.codec import Value
    from hwinfod.core.table import Column, Group
    from hwinfod.sources.cpu_topology import Topology
    from hwinfod.sources.proc_stat import Stat

_STAT = "/proc/stat"
_TOPOLOGY = "/sys/devices/system/cpu/cpu*/topology"

UTILIZATION = Metric(
    name="hw_cpu_utilization_ratio",
    kind=Kind.GAUGE,
    unit="ratio",
    help="Part of the last interval in which processors were neither idle nor waiting for io, over all of them.",
    source=_STAT,
    level=Level.CORE,
)
SECONDS = Metric(
    name="hw_cpu_seconds_total",
    kind=Kind.COUNTER,
    unit="seconds",
    help="Time that all processors spent in each mode; user and nice contain what guests ran.",
    source=_STAT,
    labels=("mode",),
)
GUEST_SECONDS = Metric(
    name="hw_cpu_guest_seconds_total",
    kind=Kind.COUNTER,
    unit="seconds",
    help="Time that all processors ran virtual machines, which user (mode guest) and nice (guest_nice) contain.",
    source=_STAT,
    labels=("mode",),
    level=Level.DETAILED,
)
CORE_UTILIZATION = Metric(
    name="hw_cpu_core_utilization_ratio",
    kind=Kind.GAUGE,
    unit="ratio",
    help="Part of the last interval in which one processor, as the kernel counts them, was neither idle nor waiting"
    " for io.",
    source=_STAT,
    labels=("cpu",),
    level=Level.DETAILED,
)
CORE_SECONDS = Metric(
    name="hw_cpu_core_seconds_total",
    kind=Kind.COUNTER,
    unit="seconds",
    help="Time that one processor, as the kernel counts them, spent in each mode.",
    source=_STAT,
    labels=("cpu", "mode"),
    level=Level.DETAILED,
)
CONTEXT_SWITCHES = Metric(
    name="hw_context_switches_total",
    kind=Kind.COUNTER,
    help="Context switches.",
    source=f"{_STAT}, ctxt",
    level=Level.DETAILED,
)
INTERRUPTS = Metric(
    name="hw_interrupts_total",
    kind=Kind.COUNTER,
    help="Interrupts serviced.",
    source=f"{_STAT}, intr",
    level=Level.DETAILED,
)
SOFT_INTERRUPTS = Metric(
    name="hw_soft_interrupts_total",
    kind=Kind.COUNTER,
    help="Soft interrupts serviced.",
    source=f"{_STAT}, softirq",
    level=Level.DETAILED,
)
FORKS = Metric(
    name="hw_processes_created_total",
    kind=Kind.COUNTER,
    help="Processes and threads created.",
    source=f"{_STAT}, processes",
    level=Level.DETAILED,
)
RUNNING = Metric(
    name="hw_processes_running",
    kind=Kind.GAUGE,
    help="Tasks that run or could run.",
    source=f"{_STAT}, procs_running",
    level=Level.DETAILED,
)
BLOCKED = Metric(
    name="hw_processes_blocked",
    kind=Kind.GAUGE,
    help="Tasks that wait for io and cannot be interrupted.",
    source=f"{_STAT}, procs_blocked",
    level=Level.DETAILED,
)
BOOT_TIME = Metric(
    name="hw_boot_timestamp_seconds",
    kind=Kind.GAUGE,
    unit="timestamp_seconds",
    help="When the host booted, in seconds since 1970.",
    source=f"{_STAT}, btime",
    level=Level.DETAILED,
)
SOCKETS = Metric(
    name="hw_cpu_sockets",
    kind=Kind.GAUGE,
    help="Sockets with a processor online.",
    source=_TOPOLOGY,
    level=Level.DETAILED,
)
CORES = Metric(
    name="hw_cpu_cores", kind=Kind.GAUGE, help="Cores with a thread online.", source=_TOPOLOGY, level=Level.DETAILED
)
THREADS = Metric(
    name="hw_cpu_threads",
    kind=Kind.GAUGE,
    help="Processors present, as the kernel counts them: the hardware threads of all cores.",
    source="/sys/devices/system/cpu/cpu*",
)
THREADS_ONLINE = Metric(
    name="hw_cpu_threads_online",
    kind=Kind.GAUGE,
    help="Processors online, as the kernel counts them.",
    source=_STAT,
    level=Level.CORE,
)
CPU_INFO = Metric(
    name="hw_cpu_info",
    kind=Kind.INFO,
    help="The processor in each socket.",
    source=f"/proc/cpuinfo, {_TOPOLOGY}",
    labels=("socket", "vendor", "model", "microcode", "cores", "threads"),
)

_KERNEL_METRICS = (CONTEXT_SWITCHES, INTERRUPTS, SOFT_INTERRUPTS, FORKS, RUNNING, BLOCKED, BOOT_TIME)
_COUNT_METRICS = (SOCKETS, CORES, THREADS, THREADS_ONLINE)

_PLAIN_MODES = MODES[:8]
_GUEST_MODES = MODES[8:]
_IDLE, _IOWAIT = MODES.index("idle"), MODES.index("iowait")
# "The value of iowait may decrease in certain conditions" (Documentation/filesystems/proc.rst), and so does idle
# with it. What falls by less than this is held where it was; what falls by more began anew: hotplug.
_HELD_TICKS = 3 * TICKS_PER_SECOND


class Cpu(Collector):
    name = "cpu"
    summary = "processor time, interrupts, processes, topology"
    in_node_exporter = True

    def open(self) -> None:
        self.stat = SeqFile(self.roots.proc("stat"))
        try:
            self.stat.read()
        except Gone as error:
            raise Absent(str(error)) from None
        self.kernel = self.table.bind(_KERNEL_METRICS)
        self.counts = self.table.bind(_COUNT_METRICS)
        self.names: tuple[bytes, ...] = ()
        self.ticks: list[int] = []
        self.groups: list[Group] = []

    @beat(seconds=1)
    def sample(self) -> None:
        stat = parse_stat(self.stat.read())
        if stat.names != self.names:
            self._change_processors(stat.names)
        ratios = self._utilization(stat.ticks)
        self.core_ratios.set(ratios[1:])
        self.ratio.set(ratios[:1])
        seconds = [ticks / TICKS_PER_SECOND for ticks in compress(stat.ticks, self.plain)]
        self.seconds.set(seconds)
        self.guests.set([ticks / TICKS_PER_SECOND for ticks in stat.ticks[len(_PLAIN_MODES) : WIDTH]])
        self.kernel.set(self._kernel_row(stat))
        self.counts.set(self.count_row)

    def _change_processors(self, names: tuple[bytes, ...]) -> None:
        """At the start, and when a processor goes online or offline."""
        for group in self.groups:
            group.release()
        cpus = [clean_text(name.removeprefix(b"cpu")) for name in names[1:]]
        self.ratio = self.table.bind((UTILIZATION,))
        self.seconds = self.table.bind_columns(_seconds_columns(cpus))
        self.guests = self.table.bind_columns([(GUEST_SECONDS, (mode,)) for mode in _GUEST_MODES])
        self.core_ratios = self.table.bind_columns([(CORE_UTILIZATION, (cpu,)) for cpu in cpus])
        self.groups = [self.ratio, self.seconds, self.guests, self.core_ratios]
        self.plain = ([True] * len(_PLAIN_MODES) + [False] * len(_GUEST_MODES)) * len(names)
        self.names = names
        self.ticks = []
        topology = read_topology(self.roots)
        self.count_row = _count_row(topology, len(cpus))
        self.host.devices.reconcile(self.name, _sockets(topology, self._read_cpuinfo()))

    def _read_cpuinfo(self) -> CpuInfo:
        try:
            return read_cpuinfo(self.roots)
        except HwinfodError as error:
            self.skip("cpuinfo", error)
            return CpuInfo(vendor="", model="", family="", stepping="", microcode="")

    def _utilization(self, ticks: list[int]) -> list[float | None]:
        """The ratio of each of `names`; None at the first look and where a counter fell. Holds, in place, the
        counters that the kernel lets fall a little."""
        before, self.ticks = self.ticks, ticks
        if not before:
            return [None] * len(self.names)
        for mode in (_IDLE, _IOWAIT):
            if any(map(lt, ticks[mode::WIDTH], before[mode::WIDTH])):
                _hold(ticks, before, mode)
        grown = list(map(sub, ticks, before))
        totals = map(sum, zip(*(grown[mode::WIDTH] for mode in range(len(_PLAIN_MODES)))))
        lowest = map(min, zip(*(grown[mode::WIDTH] for mode in range(len(_PLAIN_MODES)))))
        idles = map(sum, zip(grown[_IDLE::WIDTH], grown[_IOWAIT::WIDTH]))
        return [
            round((total - idle) / total, DIGITS) if total > 0 and low >= 0 else None
            for total, idle, low in zip(totals, idles, lowest)
        ]

    def _kernel_row(self, stat: Stat) -> tuple[Value, ...]:
        return (
            stat.context_switches,
            stat.interrupts,
            stat.softirqs,
            stat.forks,
            stat.running,
            stat.blocked,
            stat.boot_time_seconds,
        )


def _hold(ticks: list[int], before: list[int], mode: int) -> None:
    for index in range(mode, len(ticks), WIDTH):
        if 0 < before[index] - ticks[index] < _HELD_TICKS:
            ticks[index] = before[index]


def _seconds_columns(cpus: list[str]) -> Iterator[Column]:
    """All processors together, then each by itself, in the order of /proc/stat."""
    for mode in _PLAIN_MODES:
        yield SECONDS, (mode,)
    for cpu in cpus:
        for mode in _PLAIN_MODES:
            yield CORE_SECONDS, (cpu, mode)


def _count_row(topology: Topology, online: int) -> tuple[Value, ...]:
    """Without /sys there are no sockets and cores to count, but the kernel still says which processors it uses."""
    if not topology.online:
        return None, None, None, online
    return len(topology.sockets), topology.cores, len(topology.cpus), online


def _sockets(topology: Topology, info: CpuInfo) -> Iterator[Device]:
    """One device a socket. All sockets of a host have the same model; microcode is each one's own."""
    for socket in topology.sockets:
        cpus = [cpu for cpu in topology.online if (cpu.socket or 0) == socket]
        nodes = sorted({cpu.numa_node for cpu in cpus if cpu.numa_node is not None})
        facts = {
            "socket": str(socket),
            "vendor": info.vendor,
            "model": info.model,
            "family": info.family,
            "stepping": info.stepping,
            "microcode": cpus[0].microcode or info.microcode,
            "cores": str(len({cpu.core for cpu in cpus})),
            "threads": str(len(cpus)),
            "numa_nodes": ",".join(map(str, nodes)),
        }
        yield Device(id=f"cpu:{socket}", kind="cpu", name=f"cpu socket {socket}", facts=facts, info=CPU_INFO)
