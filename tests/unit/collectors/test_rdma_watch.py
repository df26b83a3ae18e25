# SPDX-License-Identifier: MIT
"""Every limit that operators alert on, from both sides: what is still healthy, and what is an event.

Source of the limits: NVSentinel "NIC Health Monitor: Link Counter Detection", appendix A; IBTA's counters of a port.
"""

from __future__ import annotations

import pytest

from hwinfod.collectors._rdma_watch import RULES, PortWatch
from hwinfod.core.event import EventKind, EventLog, Severity
from tests.unit.core.builders import FakeClock

# Counter, seconds that are looked at, the greatest increase in them that is healthy.
WARNINGS = [
    ("local_ack_timeout_err", 10, 10),
    ("packet_seq_err", 60, 60),
    ("out_of_sequence", 10, 1000),
    ("out_of_buffer", 10, 100),
    ("req_cqe_error", 10, 10),
    ("resp_cqe_error", 10, 10),
    ("rx_icrc_encapsulated", 1, 0),
    ("roce_slow_restart", 10, 100),
    ("counters/symbol_error", 10, 100),
    ("counters/link_error_recovery", 60, 5),
    ("counters/port_rcv_errors", 10, 100),
    ("counters/port_xmit_discards", 10, 1000),
    ("counters/port_xmit_wait", 10, 100_000),
]
CRITICAL = [
    ("rnr_nak_retry_err", 1, 0),
    ("max_retry_exceeded", 1, 0),
    ("retry_exceeded_err", 1, 0),
    ("retry_rnr_exceeded_err", 1, 0),
    ("link_downed", 1, 0),
    ("counters/link_downed", 1, 0),
    ("counters/local_link_integrity_errors", 1, 0),
    ("counters/excessive_buffer_overrun_errors", 1, 0),
]
LIMITS = [(*limit, Severity.WARNING) for limit in WARNINGS] + [(*limit, Severity.CRITICAL) for limit in CRITICAL]
BASE = 1 << 40


def severities(counter: str, seconds: int, increase: int) -> list[Severity]:
    """Of the events of a counter that rises evenly over so many seconds."""
    events = EventLog(FakeClock())
    watch, names = PortWatch(events, "rdma:guid/1", "mlx5_0/1"), (counter,)
    for second in range(seconds + 1):
        watch.see_counters(names, (BASE + increase * second // seconds,), float(second))
    assert {event.kind for event in events.since(0)} <= {EventKind.ERRORS_ROSE}
    return [event.severity for event in events.since(0)]


@pytest.mark.parametrize(("counter", "seconds", "healthy", "severity"), LIMITS)
def test_more_than_the_limit_is_an_event_and_the_limit_is_none(counter, seconds, healthy, severity):
    assert severities(counter, seconds, healthy) == []
    assert severities(counter, seconds, healthy + 1) == [severity]


def test_what_rose_while_a_counter_could_not_be_read_is_an_event():
    events = EventLog(FakeClock())
    watch, names = PortWatch(events, "rdma:guid/1", "mlx5_0/1"), ("rnr_nak_retry_err",)
    for second, value in enumerate((0, None, 3)):
        watch.see_counters(names, (value,), float(second))
    (event,) = events.since(0)
    assert (event.attributes["increase"], event.attributes["seconds"]) == ("3", "2.0")


def test_errors_are_not_judged_while_the_harmless_ones_among_them_can_not_be_read():
    events = EventLog(FakeClock())
    watch, names = PortWatch(events, "rdma:guid/1", "mlx5_0/1"), ("req_cqe_error", "req_cqe_flush_error")
    for second, values in enumerate(((500, 500), (500, None), (500, 500))):
        watch.see_counters(names, values, second * 10.0)
    assert events.since(0) == []


def test_no_rule_is_without_its_limits_here():
    assert sorted(rule.counter for rule in RULES) == sorted(counter for counter, *_ in LIMITS)


ACTIVE, DOWN = 4, 1


@pytest.mark.parametrize(
    ("looks", "flaps"),
    [
        ([(ACTIVE, 0), (ACTIVE, 2), (ACTIVE, 2)], False),
        ([(ACTIVE, 0), (ACTIVE, 3)], True),
        ([(ACTIVE, 0), (DOWN, 2), (ACTIVE, 3)], True),
        ([(ACTIVE, 0), (DOWN, 1), (DOWN, 3)], True),
        ([(ACTIVE, 0), (DOWN, 3)], True),
        ([(ACTIVE, 0), (DOWN, 1), (ACTIVE, 1), (DOWN, 2), (ACTIVE, 2)], False),
        ([(ACTIVE, None), (DOWN, None), (ACTIVE, None)] * 3, True),
        # A carrier is counted before the port's state follows: one loss, seen at two looks.
        ([(ACTIVE, 0), (ACTIVE, 1), (DOWN, 1), (ACTIVE, 1), (ACTIVE, 2), (DOWN, 2), (ACTIVE, 2)], False),
        ([(ACTIVE, 0), (ACTIVE, 1), (DOWN, 1), (ACTIVE, 2), (ACTIVE, 3)], True),
    ],
)
def test_each_loss_of_a_link_counts_once_whenever_it_is_seen(looks, flaps):
    events = EventLog(FakeClock())
    watch = PortWatch(events, "rdma:guid/1", "mlx5_0/1")
    for second, (state, losses) in enumerate(looks):
        watch.see_link(state, losses, float(second))
    assert any("flaps" in event.text for event in events.since(0)) is flaps
