# SPDX-License-Identifier: MIT
"""NVLinks: which are up, down or lead nowhere, and what they carry."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.support import nvml_profiles as profiles
from tests.support.bench import Bench
from tests.support.nvml_machine import Machine, of

pytestmark = pytest.mark.tier("compiler")

Start = Callable[..., Machine]


@pytest.fixture
def bridged(start: Start) -> Machine:
    """Links to each other: no switch, no fabric."""
    machine = start(profiles.a100(2))
    for gpu in range(2):
        machine.fake.remove(f"gpu.{gpu}.nvlink")
    return machine


def state(bench: Bench, gpu: int = 1) -> list[float]:
    """How many links are up, down and unused, by the next look."""
    values = bench.run("links")
    return [values[of(gpu, "nvlinks", state=state)] for state in ("up", "down", "unused")]


def started(machine: Machine) -> Bench:
    bench = machine.bench()
    bench.run()
    return bench


def test_what_links_carry(h100: Machine) -> None:
    h100.fake.set("gpu.0.field.161.3", "3:500")
    values = started(h100).run("links")
    assert values[of(0, "nvlink_errors_total", error="replay")] == sum(range(18)) - 3 + 500
    assert values[of(0, "nvlink_link_receive_bytes_total", link="5")] == 200 * 1024
    assert values[of(0, "fabric_state")] == 3


def test_links_that_were_never_up_are_not_down(bridged: Machine) -> None:
    bridged.fake.set("gpu.1.field.165.11", "1:0")
    bench = started(bridged)
    assert state(bench) == [11, 0, 1]
    bridged.fake.set("gpu.1.field.165.4", "1:0")
    assert state(bench) == [10, 1, 1]


def test_a_link_stays_down_when_the_daemon_connects_anew(bridged: Machine) -> None:
    bench = started(bridged)
    assert state(bench) == [12, 0, 0]
    bridged.fake.set("gpu.1.field.165.4", "1:0")
    assert state(bench) == [11, 1, 0]
    bench.host.hold.take(5, "asked for")
    bench.host.hold.drop()
    bench.run()
    assert state(bench) == [11, 1, 0]


@pytest.mark.parametrize("gone", ["nvlink", "fabric"])
def test_a_link_to_a_switch_is_down_though_it_never_was_up(h100: Machine, gone: str) -> None:
    """Either the driver tells of a fabric, or of what stands at the end of those that are up."""
    h100.fake.remove(f"gpu.1.{gone}")
    h100.fake.set("gpu.1.field.165.17", "1:0")
    assert state(started(h100)) == [17, 1, 0]


def test_an_instance_has_no_use_for_links(h100: Machine) -> None:
    h100.fake.update({f"gpu.2.field.165.{link}": "1:0" for link in range(18)})
    assert state(started(h100), 2) == [0, 0, 18]


def test_links_of_generation_5_count_bytes_and_recoveries(start: Start) -> None:
    machine = start(profiles.b200(2))
    machine.fake.set("gpu.1.field.214.4", "3:100")
    bench = started(machine)
    assert bench.values()[of(1, "nvlink_receive_bytes_total")] == 36_000
    values = bench.run("links")
    assert values[of(1, "nvlink_link_transmit_bytes_total", link="4")] == 1000
    assert values[of(1, "nvlink_link_errors_total", link="4", error="link_recovery_failed")] == 100
    assert values[of(1, "nvlink_errors_total", error="link_recovery_failed")] == sum(range(18)) - 4 + 100
    assert of(1, "nvlink_errors_total", error="replay") not in values


def test_of_two_counts_of_the_same_the_first_is_taken(start: Start) -> None:
    """A driver may answer for both generations."""
    machine = start(profiles.h100(1, mig=()))
    machine.fake.update({"gpu.0.field.204": "3:5", "gpu.0.field.204.3": "3:5"})
    bench = started(machine)
    assert bench.values()[of(0, "nvlink_receive_bytes_total")] == 2000 * 1024
    assert bench.run("links")[of(0, "nvlink_link_receive_bytes_total", link="3")] == 200 * 1024


def test_limits_may_be_margins(start: Start) -> None:
    """Below zero, where the driver's word for it is a number without a sign too."""
    machine = start(profiles.b200(2))
    machine.fake.update({"gpu.1.temperature.margin": -3, "gpu.1.field.193": f"1:{2**32 - 7}"})
    bench = started(machine)
    assert bench.values()[of(1, "temperature_margin_celsius")] == -3
    values = bench.run("links")
    limits = {name: values[of(1, "temperature_margin_limit_celsius", limit=name)] for name in ("shutdown", "slowdown")}
    assert limits == {"shutdown": -7, "slowdown": -2}
    assert not [name for name in values if "temperature_limit" in name]
