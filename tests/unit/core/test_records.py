# SPDX-License-Identifier: MIT
"""Devices, events, holdings, metrics, checks: the records that are not rows."""

from __future__ import annotations

import pytest

from hwinfod.core.check import Check, checks_of, evaluate
from hwinfod.core.device import MOST_LOST, Device, Status
from hwinfod.core.event import KEPT, MOST_ATTRIBUTES, EventKind, EventLog, Severity
from hwinfod.core.holding import Batch, Holding, Holdings
from hwinfod.core.metric import Kind, Level, Metric
from hwinfod.core.runner import Runner
from tests.unit.core.builders import COUNT, SECOND, VALUE, Counting, FakeClock, make_host

INFO = Metric(name="hw_disk_info", kind=Kind.INFO, help="X.", source="x", labels=("id", "model", "firmware"))


@pytest.fixture
def clock():
    return FakeClock()


@pytest.fixture
def host(clock):
    return make_host(clock, Counting)


def disk(name, **facts):
    return Device(id=f"disk:{name}", kind="disk", name=name, facts=facts, info=INFO, missed=True)


def kinds(host):
    return [event.kind for event in host.events.since(0)]


def test_a_device_that_is_gone_stays_listed_as_lost_and_can_return(host, clock):
    host.devices.reconcile("disks", [disk("sda", model="X"), disk("sdb")])
    first = clock.wall_ns()
    clock.advance(100)
    host.devices.reconcile("disks", [disk("sdb")])
    lost = host.devices.current["disk:sda"]
    assert (lost.status, lost.status_since_wall_ns, lost.first_seen_wall_ns) == (Status.LOST, clock.wall_ns(), first)
    assert lost.facts == {"model": "X"}
    host.devices.reconcile("disks", [disk("sdb")])
    clock.advance(100)
    host.devices.reconcile("disks", [disk("sda", model="X"), disk("sdb")])
    assert host.devices.current["disk:sda"].status is Status.PRESENT
    assert kinds(host) == [EventKind.DEVICE_LOST, EventKind.DEVICE_RETURNED]


def test_what_the_first_look_finds_is_no_event_and_what_comes_later_is(host):
    host.devices.reconcile("disks", [disk("sda")])
    assert kinds(host) == []
    host.devices.reconcile("disks", [disk("sda"), disk("sdb")])
    assert kinds(host) == [EventKind.DEVICE_ADDED]


def test_one_reporter_does_not_lose_what_another_reports(host):
    host.devices.reconcile("disks", [disk("sda")])
    host.devices.reconcile("network", [Device(id="nic:eth0", kind="nic", name="eth0", facts={})])
    host.devices.reconcile("network", [])
    assert host.devices.current["disk:sda"].status is Status.PRESENT
    assert host.devices.current["nic:eth0"].status is Status.LOST


def test_a_changed_fact_raises_the_version_and_leaves_old_and_new(host):
    host.devices.reconcile("disks", [disk("sda", firmware="1")])
    version = host.devices.version
    host.devices.reconcile("disks", [disk("sda", firmware="1")])
    assert host.devices.version == version
    host.devices.reconcile("disks", [disk("sda", firmware="2")])
    assert host.devices.current["disk:sda"].version == 2
    assert host.devices.version == version + 1
    changed = host.events.since(0)[-1]
    assert (changed.kind, changed.attributes) == (EventKind.DEVICE_CHANGED, {"firmware": "1 -> 2"})


def test_info_labels_come_from_facts():
    assert disk("sda", firmware="2", other="x").info_labels() == ("disk:sda", "", "2")


def test_lost_devices_keep_a_bound(host, clock):
    for number in range(MOST_LOST + 50):
        clock.advance(1)
        host.devices.reconcile("network", [Device(id=f"nic:veth{number}", kind="nic", name="v", facts={})])
    assert len(host.devices.current) == MOST_LOST + 1
    assert "nic:veth0" not in host.devices.current


def test_the_same_thing_within_a_minute_is_one_event(clock):
    log = EventLog(clock)
    for _ in range(5):
        log.add(EventKind.LINK_DOWN, Severity.WARNING, "down", device="eth0")
        clock.advance(10)
    log.add(EventKind.LINK_DOWN, Severity.WARNING, "down", device="eth1")
    first, second = log.since(0)
    assert (first.count, first.last_wall_ns - first.first_wall_ns) == (5, 40 * SECOND)
    assert second.device == "eth1"
    clock.advance(60)
    log.add(EventKind.LINK_DOWN, Severity.WARNING, "down", device="eth0")
    assert len(log.since(0)) == 3


def test_the_worst_of_the_same_thing_is_what_is_told(clock):
    log = EventLog(clock)
    log.add(EventKind.GPU_ERROR, Severity.INFO, "an application", key="1", attributes={"xid": "31"})
    worse = {"xid": "79", "process": "train"}
    log.add(EventKind.GPU_ERROR, Severity.CRITICAL, "the hardware", key="1", attributes=worse,
            private=frozenset({"process"}))  # fmt: skip
    log.add(EventKind.GPU_ERROR, Severity.INFO, "an application", key="1", attributes={"xid": "31"})
    (event,) = log.since(0)
    assert (event.severity, event.text, event.count) == (Severity.CRITICAL, "the hardware", 3)
    assert (event.attributes, event.private) == (worse, {"process"})


def test_amounts_of_the_same_thing_are_summed(clock):
    def describe(amounts):
        return " ".join(f"{name}={amount}" for name, amount in amounts.items())

    log = EventLog(clock)
    for amounts in ({"soft": 2}, {"soft": 5}, {"hard": 1}):
        severity = Severity.CRITICAL if "hard" in amounts else Severity.INFO
        log.add_amounts(EventKind.MEMORY_ERROR, severity, amounts, describe, device="d", attributes={"bank": "7"})
    (event,) = log.since(0)
    assert (event.text, event.severity, event.count) == ("soft=7 hard=1", Severity.CRITICAL, 3)
    assert event.attributes == {"bank": "7", "soft": "7", "hard": "1"}
    clock.advance(61)
    log.add_amounts(EventKind.MEMORY_ERROR, Severity.INFO, {"soft": 1}, describe, device="d")
    assert [event.text for event in log.since(0)] == ["soft=7 hard=1", "soft=1"]


def test_a_follower_learns_of_new_events_and_of_counts(clock):
    log = EventLog(clock)
    log.add(EventKind.LINK_DOWN, Severity.INFO, "down", device="a")
    seen = log.version
    assert log.since(seen) == []
    log.add(EventKind.LINK_DOWN, Severity.CRITICAL, "down", device="a")
    (again,) = log.since(seen)
    assert (again.count, again.severity) == (2, Severity.CRITICAL)


def test_events_are_bounded_in_number_and_size(clock):
    log = EventLog(clock)
    for number in range(KEPT + 100):
        log.add(EventKind.OOM_KILL, Severity.WARNING, "x" * 10_000, key=str(number),
                attributes={str(i): "y" * 10_000 for i in range(100)})  # fmt: skip
    events = log.since(0)
    assert len(events) == KEPT
    assert len(events[-1].text) == 500
    assert len(events[-1].attributes) == MOST_ATTRIBUTES
    assert len(events[-1].attributes["0"]) == 500


def test_a_flood_of_different_things_is_bounded_too(clock):
    log = EventLog(clock)
    for _ in range(2):
        for number in range(KEPT // 2):
            log.add(EventKind.ERRORS_ROSE, Severity.INFO, "x", key=str(number))
    assert [event.count for event in log.since(0)] == [2] * (KEPT // 2)
    clock.advance(61)
    log.add(EventKind.ERRORS_ROSE, Severity.INFO, "x", key="0")
    assert len(log.since(0)) == KEPT // 2 + 1
    assert len(log._recent) == 1


def test_a_clock_set_back_does_not_coalesce_with_the_future(clock):
    log = EventLog(clock)
    log.add(EventKind.LINK_UP, Severity.INFO, "up")
    clock.step_wall(-3600)
    log.add(EventKind.LINK_UP, Severity.INFO, "up")
    assert len(log.since(0)) == 2


def test_holdings_are_replaced_by_device():
    holdings = Holdings()
    holdings.publish(Batch("gpu-1", 1, {"memory_bytes": 10}, (Holding(1, 5, {"memory_bytes": 4}),)))
    before = holdings.current
    holdings.publish(Batch("gpu-1", 2))
    assert before["gpu-1"].boottime_ns == 1
    assert holdings.current["gpu-1"].boottime_ns == 2
    holdings.withdraw("gpu-1")
    assert holdings.current == {}


@pytest.mark.parametrize(
    ("wrong", "problem"),
    [
        ({"name": "hw_Bad"}, "snake_case"),
        ({"name": "disk_bytes"}, "snake_case"),
        ({"name": "hw_x_total"}, "_total"),
        ({"kind": Kind.COUNTER}, "_total"),
        ({"kind": Kind.INFO}, "_info"),
        ({"unit": "megabytes"}, "base unit"),
        ({"unit": "bytes"}, "must end the name"),
        ({"name": "hw_start_time_seconds", "unit": "timestamp_seconds"}, "must end the name"),
        ({"states": ("a",)}, "states"),
        ({"kind": Kind.STATE}, "states"),
        ({"help": "no stop"}, "full stop"),
        ({"source": ""}, "source"),
        ({"labels": ("node",)}, "belong to Prometheus"),
        ({"labels": ("clock",), "aside": {"color": frozenset({"red"})}}, "set aside"),
    ],
)
def test_a_metric_that_breaks_the_rules_cannot_be_declared(wrong, problem):
    with pytest.raises(ValueError, match=problem):
        Metric(**{"name": "hw_x", "kind": Kind.GAUGE, "help": "X.", "source": "x", **wrong})


def test_levels_are_parsed_by_name():
    assert Level.parse("detailed") is Level.DETAILED
    with pytest.raises(ValueError, match="core, standard, detailed"):
        Level.parse("all")


def sampling_host(clock, values):
    """A host whose `counting` table shows these values, one a second, and the last one now."""
    host = make_host(clock, Counting)
    runner = Runner(Counting, host, None, {"sample": 1.0})
    host.runners = {"counting": runner}
    table = runner.tables["sample"]
    group = table.bind((VALUE, COUNT), "sda")
    for position, value in enumerate(values):
        if position:
            clock.advance(1)
        table.begin()
        group.set((value, value))
        host.ring.append(table.name, table.publish(clock.boottime_ns()), clock.wall_offset_ns())
    return host


def test_a_check_finds_what_is_wrong_now(clock):
    check = Check("full", VALUE, lambda value: value > 0.9, Severity.WARNING, "{thing} is {value:.0%} full", "rm")
    (finding,) = evaluate(sampling_host(clock, [0.1, 0.95]), [check])
    assert finding.text == "sda is 95% full"
    assert evaluate(sampling_host(clock, [0.95, 0.1]), [check]) == []


def test_a_check_over_time_wants_all_of_it_wrong(clock):
    check = Check("hot", VALUE, lambda value: value > 5, Severity.WARNING, "hot", for_seconds=60)
    assert evaluate(sampling_host(clock, [9] * 61), [check])
    assert evaluate(sampling_host(clock, [9] * 30), [check]) == [], "not yet for a minute"
    assert evaluate(sampling_host(clock, [9] * 30 + [1] + [9] * 30), [check]) == []


def test_a_check_of_an_increase_takes_resets_for_what_they_are(clock):
    check = Check("oom", COUNT, lambda value: value > 2, Severity.WARNING, "{value:.0f}", increase_seconds=3600)
    assert evaluate(sampling_host(clock, [100, 101, 102]), [check]) == []
    (finding,) = evaluate(sampling_host(clock, [100, 102, 0, 1]), [check])
    assert finding.text == "3"


def test_the_worst_comes_first(clock):
    mild = Check("mild", VALUE, lambda value: True, Severity.WARNING, "mild")
    bad = Check("bad", COUNT, lambda value: True, Severity.CRITICAL, "bad")
    assert [f.check.name for f in evaluate(sampling_host(clock, [1]), [mild, bad])] == ["bad", "mild"]


def test_an_expired_value_is_not_judged(clock):
    check = Check("any", VALUE, lambda value: True, Severity.WARNING, "x")
    host = sampling_host(clock, [1])
    clock.advance(4)
    assert evaluate(host, [check]) == []


def test_checks_are_found_beside_their_collector():
    assert checks_of([Counting]) == []
