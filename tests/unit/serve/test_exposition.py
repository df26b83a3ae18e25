# SPDX-License-Identifier: MIT
"""The exposition says what the rows say, in both formats, as the strict parsers read them."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client import CollectorRegistry, ProcessCollector, generate_latest
from prometheus_client.openmetrics.parser import text_string_to_metric_families as parse_openmetrics
from prometheus_client.parser import text_string_to_metric_families as parse_text

from hwinfod.core.collector import Collector, beat
from hwinfod.core.device import Device
from hwinfod.core.metric import Kind, Level, Metric
from hwinfod.core.runner import Runner
from hwinfod.prometheus import Collector as PrometheusCollector
from hwinfod.serve.exposition import Renderer, Selection, choose_format
from hwinfod.serve.exposition_lines import Format
from tests.unit.core.builders import FakeClock, make_host

BYTES = Metric(
    name="hw_disk_read_bytes_total", kind=Kind.COUNTER, unit="bytes", help='Bytes "read"\\.\nTwo lines.', source="x",
    labels=("device",),
)  # fmt: skip
RATIO = Metric(name="hw_cpu_utilization_ratio", kind=Kind.GAUGE, unit="ratio", help="R.", source="x", level=Level.CORE)
DETAIL = Metric(name="hw_core_utilization_ratio", kind=Kind.GAUGE, unit="ratio", help="R.", source="x",
                level=Level.DETAILED)  # fmt: skip
STATE = Metric(name="hw_link_state", kind=Kind.STATE, help="S.", source="x", labels=("port",), states=("down", "up"))
PLAIN_STATE = Metric(name="hw_clock_state", kind=Kind.STATE, help="S.", source="x", states=("bad", "good"))
TIME = Metric(name="hw_boot_timestamp_seconds", kind=Kind.GAUGE, unit="timestamp_seconds", help="T.", source="x")
INFO = Metric(name="hw_disk_info", kind=Kind.INFO, help="I.", source="x", labels=("device", "model"))
THREADS = Metric(name="process_threads", kind=Kind.GAUGE, help="T.", source="x")
NASTY = 'a"b\\c\nd'


class Everything(Collector):
    name = "everything"
    summary = "one of each"
    lane = "test"
    values: tuple = (10**18, 0.25, 0.5, 1, 0, 1.7e9)
    label = "sda"

    def open(self):
        self.group = self.table.bind_columns(
            [(BYTES, (self.label,)), (RATIO, ()), (DETAIL, ()), (STATE, ("1",)), (PLAIN_STATE, ()), (TIME, ())]
        )

    @beat(seconds=1)
    def sample(self):
        self.group.set(self.values)


class OfProcess(Everything):
    def open(self):
        self.group = self.table.bind_columns([(THREADS, ()), (RATIO, ())])


def sampled(values=Everything.values, label="sda", kind=Everything):
    kind = type("Fresh", (kind,), {"values": values, "label": label, "__module__": __name__})
    host = make_host(FakeClock(), kind)
    host.runners = {"everything": Runner(kind, host, None, {"sample": 1.0})}
    host.runners["everything"].run("sample")
    host.devices.reconcile("everything", [Device("d1", "disk", "sda", {"device": label, "model": NASTY}, info=INFO)])
    return host


def samples(families):
    return {(s.name, tuple(sorted(s.labels.items()))): s.value for family in families for s in family.samples}


@pytest.mark.parametrize(("form", "parse"), [(Format.TEXT, parse_text), (Format.OPENMETRICS, parse_openmetrics)])
def test_every_kind_comes_out_as_it_went_in(form, parse):
    body = Renderer(sampled(label=NASTY)).render(form, Selection(Level.DETAILED)).decode()
    assert samples(parse(body)) == {
        ("hw_disk_read_bytes_total", (("device", NASTY),)): 10**18,
        ("hw_cpu_utilization_ratio", ()): 0.25,
        ("hw_core_utilization_ratio", ()): 0.5,
        ("hw_link_state", (("port", "1"), ("state", "down"))): 0,
        ("hw_link_state", (("port", "1"), ("state", "up"))): 1,
        ("hw_clock_state", (("state", "bad"),)): 1,
        ("hw_clock_state", (("state", "good"),)): 0,
        ("hw_boot_timestamp_seconds", ()): 1.7e9,
        ("hw_disk_info", (("device", NASTY), ("model", NASTY))): 1,
    }


def test_openmetrics_names_types_units_and_ends():
    body = Renderer(sampled()).render(Format.OPENMETRICS, Selection()).decode()
    families = {family.name: family for family in parse_openmetrics(body)}
    assert families["hw_disk_read_bytes"].type == "counter"
    assert families["hw_disk_read_bytes"].unit == "bytes"
    assert families["hw_disk_read_bytes"].documentation == BYTES.help
    assert families["hw_disk"].type == "info"
    assert families["hw_boot_timestamp_seconds"].unit == "seconds"
    assert body.endswith("# EOF\n")


def test_a_level_leaves_out_what_is_below_it():
    renderer = Renderer(sampled())
    names = {
        level: set(samples(parse_text(renderer.render(Format.TEXT, Selection(level)).decode()))) for level in Level
    }
    assert {name for name, _ in names[Level.CORE]} == {"hw_cpu_utilization_ratio"}
    assert ("hw_core_utilization_ratio", ()) not in names[Level.STANDARD]
    assert names[Level.STANDARD] < names[Level.DETAILED]


def test_only_the_collectors_that_were_asked_for():
    renderer = Renderer(sampled())
    assert renderer.render(Format.TEXT, Selection(Level.DETAILED, frozenset({"other"}))) == b""
    assert renderer.render(Format.TEXT, Selection(Level.DETAILED, frozenset({"everything"})))


def test_what_another_process_merges_has_no_figures_of_our_process():
    host = sampled((20, 0.5), kind=OfProcess)
    bodies = [Renderer(host).render(Format.TEXT, Selection(merged=merged)) for merged in (False, True)]
    assert [b"process_threads 20" in body for body in bodies] == [True, False]
    assert all(b"hw_cpu_utilization_ratio 0.5" in body for body in bodies)


def test_a_registry_with_a_process_collector_has_each_family_once():
    registry = CollectorRegistry()
    ProcessCollector(registry=registry)
    registry.register(PrometheusCollector(sampled((20, 0.5), kind=OfProcess)))
    text = generate_latest(registry).decode()
    assert "process_cpu_seconds_total" in text
    assert "process_threads" not in text
    assert "hw_cpu_utilization_ratio 0.5" in text


def test_what_is_absent_has_no_line_and_a_family_of_nothing_no_header():
    body = Renderer(sampled((None, 0.25, None, None, None, None))).render(Format.TEXT, Selection(Level.DETAILED))
    assert b"hw_disk_read_bytes_total" not in body
    assert b"hw_link_state" not in body
    assert b"hw_cpu_utilization_ratio 0.25\n" in body


def test_a_row_that_expired_is_not_exported_and_changes_the_version():
    host = sampled()
    renderer = Renderer(host)
    version = renderer.version()
    host.clock.advance(4)
    assert renderer.version() != version
    assert b"hw_cpu_utilization_ratio" not in renderer.render(Format.TEXT, Selection())


def test_a_device_that_is_lost_has_no_info():
    host = sampled()
    host.devices.reconcile("everything", [])
    assert b"hw_disk_info" not in Renderer(host).render(Format.TEXT, Selection())


@given(st.one_of(st.integers(-(2**63), 2**64), st.floats()))
def test_every_number_survives(value):
    body = Renderer(sampled((None, value, None, None, None, None))).render(Format.TEXT, Selection()).decode()
    found = samples(parse_text(body))[("hw_cpu_utilization_ratio", ())]
    assert found == value or (math.isnan(found) and math.isnan(value))


@given(st.text())
def test_every_label_value_survives(label):
    body = Renderer(sampled((1, None, None, None, None, None), label)).render(Format.OPENMETRICS, Selection()).decode()
    assert ("hw_disk_read_bytes_total", (("device", label),)) in samples(parse_openmetrics(body))


def test_the_client_library_shows_the_same_samples_in_process():
    host = sampled()
    registry = CollectorRegistry()
    registry.register(PrometheusCollector(host))
    theirs = samples(parse_text(generate_latest(registry).decode()))
    ours = samples(parse_text(Renderer(host).render(Format.TEXT, Selection()).decode()))
    assert theirs == ours


@pytest.mark.parametrize(
    ("accept", "form"),
    [
        ("", Format.TEXT),
        ("*/*", Format.TEXT),
        ("text/html", Format.TEXT),
        ("application/openmetrics-text", Format.OPENMETRICS),
        ("application/openmetrics-text;version=1.0.0;q=0.5,text/plain;version=0.0.4;q=0.3", Format.OPENMETRICS),
        ("application/openmetrics-text;version=1.0.0;q=0.3,text/plain;version=0.0.4;q=0.5", Format.TEXT),
        ("application/openmetrics-text;version=2.0.0,text/plain;q=0.1", Format.TEXT),
        ("application/vnd.google.protobuf;proto=x,application/openmetrics-text; version=0.0.1;q=0.7,*/*;q=0.1",
         Format.OPENMETRICS),
        ("application/openmetrics-text;q=x", Format.TEXT),
        (",;,", Format.TEXT),
    ],
)  # fmt: skip
def test_the_format_is_the_one_that_accept_prefers(accept, form):
    assert choose_format(accept) is form
