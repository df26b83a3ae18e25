# SPDX-License-Identifier: MIT
"""The clock: whether something disciplines it, how far off it is, and when somebody sets it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hwinfod.core.check import Check
from hwinfod.core.collector import Collector, beat
from hwinfod.core.device import Device
from hwinfod.core.event import EventKind, Severity
from hwinfod.core.metric import Kind, Level, Metric
from hwinfod.errors import ReadError
from hwinfod.sources.clock_step import StepDetector, read_wall_offset
from hwinfod.sources.files import read_text
from hwinfod.sources.timex import Timex

if TYPE_CHECKING:
    from hwinfod.core.codec import Value

_TIMEX = "adjtimex(2), include/uapi/linux/timex.h"
_STEPS = "CLOCK_REALTIME against CLOCK_BOOTTIME, clock_gettime(2)"
_CLOCKSOURCE = "devices/system/clocksource/clocksource0/current_clocksource"
_NANOSECONDS = 1_000_000_000

SYNCHRONIZED = Metric(
    name="hw_clock_synchronized",
    kind=Kind.GAUGE,
    help="Whether the kernel was told that its clock is disciplined (1); chronyd tells it with rtcsync only.",
    source=f"{_TIMEX}, STA_UNSYNC and TIME_ERROR",
    level=Level.CORE,
)
OFFSET = Metric(
    name="hw_clock_offset_seconds",
    kind=Kind.GAUGE,
    unit="seconds",
    help="Offset that the kernel is still slewing away.",
    source=f"{_TIMEX}, offset",
)
MAXIMUM_ERROR = Metric(
    name="hw_clock_maximum_error_seconds",
    kind=Kind.GAUGE,
    unit="seconds",
    help="Bound of the clock's error; grows by 0.5 ms each second that nobody disciplines it, to 16 s.",
    source=f"{_TIMEX}, maxerror",
    level=Level.DETAILED,
)
ESTIMATED_ERROR = Metric(
    name="hw_clock_estimated_error_seconds",
    kind=Kind.GAUGE,
    unit="seconds",
    help="The clock's error as the time daemon estimates it.",
    source=f"{_TIMEX}, esterror",
    level=Level.DETAILED,
)
FREQUENCY = Metric(
    name="hw_clock_frequency_adjustment_ratio",
    kind=Kind.GAUGE,
    unit="ratio",
    help="Correction of the oscillator's frequency, 0.000001 being one part per million.",
    source=f"{_TIMEX}, freq",
    level=Level.DETAILED,
)
TAI_OFFSET = Metric(
    name="hw_clock_tai_offset_seconds",
    kind=Kind.GAUGE,
    unit="seconds",
    help="International Atomic Time minus UTC as the kernel was told, 0 where nobody told it.",
    source=f"{_TIMEX}, tai",
    level=Level.DETAILED,
)
STEPS = Metric(
    name="hw_clock_steps_total",
    kind=Kind.COUNTER,
    help="Times that the wall clock was set by a millisecond or more since the daemon started.",
    source=_STEPS,
)
LAST_STEP = Metric(
    name="hw_clock_last_step_seconds",
    kind=Kind.GAUGE,
    unit="seconds",
    help="How far the wall clock was set last time, positive for forward; absent before the first time.",
    source=_STEPS,
)
CLOCK_INFO = Metric(
    name="hw_clock_info",
    kind=Kind.INFO,
    help="The hardware counter that the kernel takes its time from.",
    source=f"/sys/{_CLOCKSOURCE}",
    labels=("clocksource",),
    level=Level.DETAILED,
)

_TIMEX_METRICS = (SYNCHRONIZED, OFFSET, MAXIMUM_ERROR, ESTIMATED_ERROR, FREQUENCY, TAI_OFFSET)
_STEP_METRICS = (STEPS, LAST_STEP)

UNSYNCHRONIZED = Check(
    name="clock_unsynchronized",
    metric=SYNCHRONIZED,
    wrong=lambda synchronized: synchronized == 0,
    severity=Severity.WARNING,
    text="clock not synchronised",
    remedy="timedatectl timesync-status, chronyc tracking",
    for_seconds=300,
)


class Clock(Collector):
    name = "clock"
    summary = "clock synchronisation, offset and steps"
    in_node_exporter = True
    beyond_node_exporter = frozenset(_STEP_METRICS)

    def open(self) -> None:
        self.timex = Timex()
        self.detector = StepDetector()
        self.steps = 0
        self.last_step: float | None = None
        self.timex_group = self.table.bind(_TIMEX_METRICS)
        self.step_group = self.table.bind(_STEP_METRICS)
        self.clocksource = ""

    @beat(seconds=5)
    def sample(self) -> None:
        try:
            self.timex_group.set(self._read_timex())
        except ReadError as error:  # a seccomp filter: the steps are seen all the same
            self.skip("adjtimex", error)
        self._watch_steps()
        self.step_group.set((self.steps, self.last_step))
        self._watch_clocksource()

    def _read_timex(self) -> tuple[Value, ...]:
        clock = self.timex.read()
        return (
            int(clock.is_synchronised),
            clock.offset_seconds,
            clock.maximum_error_seconds,
            clock.estimated_error_seconds,
            clock.frequency_ratio,
            clock.tai_offset_seconds,
        )

    def _watch_steps(self) -> None:
        step_ns = self.detector.update(*read_wall_offset())
        if not step_ns:
            return
        self.steps += 1
        # The two clocks are read a microsecond apart: more digits would be noise.
        self.last_step = round(step_ns / _NANOSECONDS, 6)
        way = "forward" if step_ns > 0 else "back"
        self.host.events.add(
            EventKind.CLOCK_STEP,
            Severity.WARNING,
            f"the wall clock was set {way} by {abs(self.last_step):.6g} s",
            key=way,
            attributes={"step_seconds": f"{self.last_step:.6f}"},
        )

    def _watch_clocksource(self) -> None:
        """A time stamp counter that the kernel finds unstable is replaced by a slow one: worth an event."""
        clocksource = read_text(self.roots.sys(_CLOCKSOURCE))
        if not clocksource or clocksource == self.clocksource:
            return
        self.clocksource = clocksource
        facts = {"clocksource": clocksource}
        self.host.devices.reconcile(
            self.name, [Device(id="clock", kind="clock", name="clock", facts=facts, info=CLOCK_INFO)]
        )
