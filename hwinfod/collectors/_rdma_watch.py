# SPDX-License-Identifier: MIT
"""What happens to an RDMA port: links lost and regained, and counters that rise faster than is healthy.

The limits are those that operators of GPU clusters alert on; errors are looked for on the side that requests,
because a far end that died or has no buffers shows in the requester's counters alone.
Source: NVSentinel "NIC Health Monitor: Link Counter Detection", appendix A; Linux commit d7fab916374c.
"""

from __future__ import annotations

from collections import Counter, deque
from typing import TYPE_CHECKING, NamedTuple

from hwinfod.core.event import EventKind, Severity

if TYPE_CHECKING:
    from collections.abc import Sequence

    from hwinfod.collectors._rdma_scan import DeviceScan, Holder
    from hwinfod.core.codec import Value
    from hwinfod.core.event import EventLog

_ACTIVE = 4  # enums.PORT_STATES
_FLAPS = 3
_FLAP_SECONDS = 60.0
_INFO, _WARNING, _CRITICAL = Severity.INFO, Severity.WARNING, Severity.CRITICAL


class Rule(NamedTuple):
    """More than `per_second` over `seconds` is an event; 0 and 0: any increase at all. `without` is a counter
    that is contained and harmless."""

    counter: str
    per_second: float
    seconds: float
    severity: Severity
    meaning: str
    without: str = ""


RULES = (
    Rule("local_ack_timeout_err", 1, 10, _WARNING, "no acknowledgement came in time: loss, or a dead far end"),
    Rule("rnr_nak_retry_err", 0, 0, _CRITICAL, "the far end had no receive buffers, and a queue pair gave up"),
    Rule("max_retry_exceeded", 0, 0, _CRITICAL, "a queue pair gave up"),
    Rule("retry_exceeded_err", 0, 0, _CRITICAL, "a queue pair gave up"),
    Rule("retry_rnr_exceeded_err", 0, 0, _CRITICAL, "the far end had no receive buffers, and a queue pair gave up"),
    Rule("packet_seq_err", 1, 60, _WARNING, "packets of ours were lost in the fabric"),
    Rule("out_of_sequence", 100, 10, _WARNING, "packets arrive out of order: loss, or adaptive routing"),
    Rule("out_of_buffer", 10, 10, _WARNING, "packets arrive and no receive buffer is posted"),
    Rule("req_cqe_error", 1, 10, _WARNING, "requests complete with errors", "req_cqe_flush_error"),
    Rule("resp_cqe_error", 1, 10, _WARNING, "receives complete with errors", "resp_cqe_flush_error"),
    Rule("rx_icrc_encapsulated", 0, 0, _WARNING, "RoCE packets arrive damaged: a cable, or a switch that rewrites"),
    Rule("roce_slow_restart", 10, 10, _WARNING, "adaptive retransmission starts over and over"),
    Rule("link_downed", 0, 0, _CRITICAL, "the link was lost"),
    Rule("counters/link_downed", 0, 0, _CRITICAL, "the link was lost"),
    Rule("counters/symbol_error", 10, 10, _WARNING, "errors on the wire: cable or transceiver"),
    Rule("counters/link_error_recovery", 5 / 60, 60, _WARNING, "the link retrains: cable or transceiver"),
    Rule("counters/local_link_integrity_errors", 0, 0, _CRITICAL, "the link exceeded its error limit"),
    Rule("counters/excessive_buffer_overrun_errors", 0, 0, _CRITICAL, "flow control broke down"),
    Rule("counters/port_rcv_errors", 10, 10, _WARNING, "packets arrive damaged"),
    Rule("counters/port_xmit_discards", 100, 10, _WARNING, "packets are discarded: congestion, or a link that is down"),
    Rule("counters/port_xmit_wait", 10_000, 10, _WARNING, "data waits for credits: congestion"),
)


class PortWatch:
    """Turns what one port shows, second by second, into events. Times are monotonic seconds."""

    def __init__(self, events: EventLog, device: str, title: str) -> None:
        self._events = events
        self._device = device
        self._title = title
        self._names: tuple[str, ...] = ()
        self._rules: list[_RuleState] = []
        self._was_active: bool | None = None
        self._changed_at = 0.0
        self._losses: int | None = None
        self._is_counted_ahead = False
        self._recent: deque[float] = deque(maxlen=_FLAPS)

    def see_counters(self, names: tuple[str, ...], values: Sequence[Value], now: float) -> None:
        if names is not self._names:
            self._names = names
            places = {name: place for place, name in enumerate(names)}
            before = {state.rule: state for state in self._rules}
            self._rules = [_RuleState(rule, places, before.get(rule)) for rule in RULES if rule.counter in places]
        for state in self._rules:
            increase = state.increase(values, now)
            if increase is not None:
                self._tell_increase(state.rule, *increase)

    def _tell_increase(self, rule: Rule, increase: float, seconds: float) -> None:
        counter = rule.counter.rpartition("/")[2]
        self._events.add(
            EventKind.ERRORS_ROSE,
            rule.severity,
            f"RDMA port {self._title}: {counter} rose by {increase:.0f} in {seconds:.0f} s: {rule.meaning}",
            device=self._device,
            key=f"{self._title} {counter}",
            attributes={"counter": counter, "increase": f"{increase:.0f}", "seconds": f"{seconds:.1f}"},
        )

    def see_link(self, state: int | None, losses: int | None, now: float) -> None:
        """What the first look finds is how things are, and no event."""
        lost = 0
        if losses is not None:
            lost = max(0, losses - self._losses) if self._losses is not None else 0
            self._losses = losses
        active = None if state is None else state == _ACTIVE
        before, self._was_active = self._was_active, active
        if active is None or before is None:
            self._changed_at = now
            return
        counted_ahead, self._is_counted_ahead = self._is_counted_ahead, False
        if before and not active:
            self._tell_down(f"RDMA port {self._title} is down", now, lost if lost or counted_ahead else 1)
        elif before and lost:
            self._is_counted_ahead = True  # a carrier is counted before the port's state follows: net/core/link_watch.c
            self._tell_down(f"RDMA port {self._title} lost its link and has it back", now, lost)
        elif not before:
            self._count_losses(now, lost)  # it was back in the meantime, and lost again
            if active:
                self._tell_up(now)

    def _tell_down(self, text: str, now: float, times: int) -> None:
        self._changed_at = now
        told = {"times": str(max(1, times))}
        self._events.add(EventKind.LINK_DOWN, _WARNING, text, device=self._device, key=self._title, attributes=told)
        self._count_losses(now, times)

    def _count_losses(self, now: float, times: int) -> None:
        if not times:
            return
        self._recent.extend([now] * min(times, _FLAPS))
        if len(self._recent) == _FLAPS and now - self._recent[0] <= _FLAP_SECONDS:
            self._events.add(
                EventKind.LINK_DOWN,
                _CRITICAL,
                f"RDMA port {self._title} flaps: {_FLAPS} times or more within {_FLAP_SECONDS:.0f} s",
                device=self._device,
                key=f"{self._title} flaps",
            )

    def _tell_up(self, now: float) -> None:
        seconds = now - self._changed_at
        self._changed_at = now
        self._events.add(
            EventKind.LINK_UP,
            _INFO,
            f"RDMA port {self._title} is up after {seconds:.0f} s",
            device=self._device,
            key=self._title,
            attributes={"down_seconds": f"{seconds:.1f}"},
        )


class _RuleState:
    """One rule on one port: the reading at which its present stretch of time began. `before` is the same rule while
    the names stood in another order, as they do in sysfs."""

    __slots__ = ("_begun", "_place", "_value", "_without", "rule")

    def __init__(self, rule: Rule, places: dict[str, int], before: _RuleState | None) -> None:
        self.rule = rule
        self._place = places[rule.counter]
        self._without = places.get(rule.without)
        self._value: float | None = None
        self._begun = 0.0
        if before is not None and (before._without is None) == (self._without is None):
            self._value, self._begun = before._value, before._begun

    def increase(self, values: Sequence[Value], now: float) -> tuple[float, float] | None:
        """Increase and seconds, where they break the rule. A counter that fell was reset, and starts again."""
        value = values[self._place]
        if value is not None and self._without is not None:
            without = values[self._without]
            value = None if without is None else value - without
        before, elapsed = self._value, now - self._begun
        if value is None:  # what rises until it can be read again is still an increase
            return None
        if before is None or value < before:
            self._value, self._begun = value, now
            return None
        if elapsed < self.rule.seconds or elapsed <= 0:
            return None
        self._value, self._begun = value, now
        increase = value - before
        return (increase, elapsed) if increase / elapsed > self.rule.per_second else None


class QpWatch:
    """Queue pairs that stay in the error state: one on its way down passes through it, and is no event."""

    def __init__(self, events: EventLog) -> None:
        self._events = events
        self._standing: dict[str, set[tuple[Holder, int]]] = {}
        self._told: dict[str, set[tuple[Holder, int]]] = {}

    def see(self, scan: DeviceScan, device: str) -> None:
        """One device's scan. What was in the error state at the one before too is told once."""
        standing = {(holder, number) for holder, numbers in scan.failed.items() for number in numbers}
        lasting = standing & self._standing.get(device, set())
        new = lasting - self._told.get(device, set())
        self._standing[device], self._told[device] = standing, lasting
        for holder, count in Counter(holder for holder, _ in new).items():
            self._tell(scan.name, device, holder, count)

    def _tell(self, name: str, device: str, holder: Holder, count: int) -> None:
        pid, kernel = holder
        attributes = {"queue_pairs": str(count), **({"pid": str(pid)} if pid else {}), "kernel": kernel}
        self._events.add(
            EventKind.QP_ERROR,
            _WARNING,
            f"RDMA device {name}: queue pairs of one holder stay in the error state",
            device=device,
            key=f"{pid} {kernel}",
            attributes={key: value for key, value in attributes.items() if value},
            private=frozenset({"pid"}),
        )
