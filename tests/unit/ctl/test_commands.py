# SPDX-License-Identifier: MIT
"""hwinfoctl against the real routes: every verb, its JSON, its exit status, its errors."""

from __future__ import annotations

import asyncio
import io
import json
import os
import socket
import threading

import pytest

from hwinfod.collectors._network_families import TRAFFIC, UP
from hwinfod.core.check import Check
from hwinfod.core.device import Device
from hwinfod.core.event import EventKind, Severity
from hwinfod.ctl import __main__ as ctl
from hwinfod.ctl.client import Client
from hwinfod.ctl.commands._facts import shown_by
from hwinfod.ctl.failures import DENIED, FAILED, OK, UNHEALTHY, UNREACHABLE, USAGE, Failure
from hwinfod.errors import UserError
from hwinfod.serve.http import Peer, Problem
from tests.unit.serve.test_api import Asker, post
from tests.unit.serve.test_exposition import BYTES, INFO, RATIO


class RouteClient:
    """Stands for the socket: asks the real routes in this process."""

    asker: Asker

    def __init__(self, path):
        self.path = path

    def get(self, path, query=None):
        try:
            return self.asker(path.replace("%3A", ":"), Peer(1, 0, 0, ()), **(query or {}))
        except UserError as error:
            raise Failure(str(error), error.hint, USAGE) from None
        except Problem as problem:
            raise Failure(str(problem), "", FAILED) from None

    def request(self, method, path, query=None):
        if method == "POST":
            return json.dumps(post(self.asker, path)).encode()
        return json.dumps(self.get(path, query)).encode()


@pytest.fixture
def asker(monkeypatch, tmp_path):
    busy = Check("busy", RATIO, lambda value: value > 0.2, Severity.CRITICAL, "{value:.0%} busy", "do less")
    RouteClient.asker = asker = Asker(checks=[busy])
    monkeypatch.setattr(ctl, "Client", RouteClient)
    asker.host.devices.report("everything", Device("GPU-1", "gpu", "gpu 0", {"gpu": "0"}))
    asker.tick(20)
    return asker


def run(capsys, *arguments):
    status = ctl.main(["--socket", "/nowhere", *arguments])
    out, err = capsys.readouterr()
    return status, out, err


VERBS = [
    ("status",), ("show", "everything"), ("show", "everything", "--all"), ("devices",), ("devices", "d1"), ("metrics",),
    ("metrics", "hw_disk_*"), ("history", RATIO.name, "--since", "10s"), ("explain", BYTES.name), ("events",),
    ("events", "--since", "1h"), ("collectors",), ("inventory",), ("owners",),
    ("who", "gpu", "0"), ("holders",), ("holders", "nvidia"), ("rdma",),
    ("gpus",), ("gpu", "resume"), ("ps",), ("topo",),
    ("api", "GET", "/v1"),
]  # fmt: skip


@pytest.mark.parametrize("verb", VERBS, ids=" ".join)
def test_every_verb_says_something_and_fits_the_screen(asker, capsys, verb):
    asker.host.events.add(EventKind.LINK_DOWN, Severity.WARNING, "down", device="eth0")
    status, out, err = run(capsys, *verb)
    assert status in (OK, UNHEALTHY)
    assert out.strip()
    assert err == ""
    if verb[0] != "api":
        assert max(map(len, out.splitlines())) <= 120


@pytest.mark.parametrize("verb", [verb for verb in VERBS if verb[0] != "api"], ids=" ".join)
def test_every_verb_has_its_json(asker, capsys, verb):
    _, out, _ = run(capsys, *verb, "--json")
    assert isinstance(json.loads(out), dict)


def test_there_is_a_case_for_every_verb():
    assert {verb[0] for verb in VERBS} == set(ctl.COMMANDS)


def test_status_puts_what_is_wrong_first_and_says_so_to_scripts(asker, capsys):
    status, out, _ = run(capsys, "status")
    first, second = out.splitlines()[:2]
    assert status == UNHEALTHY
    assert "CRITICAL 1" in first
    assert second == "CRIT  25% busy  > do less"


def test_traffic_is_not_told_before_it_is_known(asker, capsys):
    """A counter that was read once has no rate yet; a rate of nothing is another thing."""
    table = asker.host.runners["everything"].tables["sample"]
    asker.host.catalog[TRAFFIC[0].name] = (TRAFFIC[0], "everything")
    group = table.bind_columns([(metric, ("eth0",)) for metric in (UP, TRAFFIC[0])])
    table.begin()
    group.set([1, 5])
    table.publish(asker.host.clock.boottime_ns())
    lines = run(capsys, "status")[1].splitlines()
    assert [line for line in lines if line.startswith("NET")] == ["NET   1/1 up"]


def test_a_long_note_stands_below_its_collector(asker, capsys):
    asker.host.runners["everything"].health.reason = "no socket: " + ", ".join(["/run/some/runtime.sock"] * 5)
    lines = run(capsys, "collectors")[1].splitlines()
    assert max(map(len, lines)) <= 80
    assert lines[1].startswith("everything")
    assert lines[2] == "  no socket: /run/some/runtime.sock, /run/some/runtime.sock,"


def test_a_short_note_stands_beside_it(asker, capsys):
    asker.host.runners["everything"].health.reason = "brief"
    assert run(capsys, "collectors")[1].splitlines()[1].endswith("  brief")


def test_what_to_do_has_a_line_of_its_own_where_there_is_no_room(asker, capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "24")
    lines = run(capsys, "status")[1].splitlines()
    assert lines[1:3] == ["CRIT  25% busy", "        > do less"]


def test_status_tells_how_prometheus_gets_to_see_the_host(asker, capsys):
    assert "listen_address" in run(capsys, "status")[1]


def test_history_draws_a_chart_with_its_extremes(asker, capsys):
    _, out, _ = run(capsys, "history", RATIO.name, "--since", "10s")
    assert "min 25 %  mean 25 %  max 25 %" in out
    assert "│" in out or "|" in out


def test_history_of_a_counter_is_its_rate(asker, capsys):
    _, out, _ = run(capsys, "history", BYTES.name, "device=sd*", "--since", "10s")
    assert "mean 0 B/s" in out


@pytest.mark.parametrize(
    ("arguments", "status", "words"),
    [
        (("explain", "hw_cpu_utilisation_ratio"), USAGE, "did you mean hw_cpu_utilization_ratio"),
        (("show", "gpus"), USAGE, "known: everything"),
        (("metrics", "hw_xx*"), FAILED, "no metric with a value matches hw_xx*"),
        (("metrics", "disk_"), FAILED, "did you mean '*disk_*'?"),
        (("history", "hw_nothing"), USAGE, "hw_nothing: no metric of this host has this name"),
        (("history", RATIO.name, "device=x"), USAGE, f"{RATIO.name}: the metric has no such label\n  it has none"),
        (("history", BYTES.name, "device=x"), FAILED, "with these labels in that time\n  device is sda"),
        (("history", INFO.name), FAILED, "hw_disk_info has facts and no values: I.\n  hwinfoctl devices shows them"),
        (("metrics", INFO.name), FAILED, "hw_disk_info has facts and no values"),
        (("history", RATIO.name, "--since", "10s", "nolabel"), USAGE, "nolabel is no LABEL=VALUE"),
        (("devices", "none"), FAILED, "no device has the name or id none\n  hwinfoctl devices"),
        (("devices", "--kind", "fan"), FAILED, "no device is of the kind fan\n  known: disk, gpu"),
        (("gpu", "9"), FAILED, "gpu 9: no GPU has this id, index or PCI address"),
        (("rdma", "mlx5_9"), FAILED, "rdma mlx5_9: no RDMA device has this name"),
        (("who", "rdma", "mlx5_9"), FAILED, "no RDMA device is called mlx5_9"),
    ],
)
def test_errors_say_what_to_do(asker, capsys, arguments, status, words):
    code, out, err = run(capsys, *arguments)
    assert code == status
    assert out == ""
    assert words in err
    assert err.startswith("hwinfoctl: ")


def test_facts_are_explained_with_the_command_that_shows_them(asker, capsys):
    assert run(capsys, "explain", INFO.name)[1].splitlines()[-1] == "  hwinfoctl devices"
    assert run(capsys, "explain", RATIO.name)[1].splitlines()[-1] == f"  hwinfoctl history {RATIO.name}"
    assert shown_by({"labels": ["owner", "kind"]}) == "hwinfoctl owners"


@pytest.mark.parametrize("arguments", [("stauts",), ("history",), ("show", "x", "--bogus"), ("events", "--since", "x")])
def test_a_wrong_command_line_is_usage(asker, capsys, arguments):
    with pytest.raises(SystemExit) as raised:
        run(capsys, *arguments)
    assert raised.value.code == USAGE


def test_events_that_come_before_the_stream_begins_are_told(asker, capsys, monkeypatch):
    async def first(stream):
        return await anext(stream)

    def lines(client, path, query):
        asker.host.events.add(EventKind.LINK_UP, Severity.INFO, "meanwhile")
        chunk = asyncio.run(first(asker.response(path, **query).stream))
        return map(json.loads, chunk.splitlines())

    monkeypatch.setattr(RouteClient, "lines", lines, raising=False)
    asker.host.events.add(EventKind.LINK_DOWN, Severity.WARNING, "before")
    out = run(capsys, "events", "-f")[1]
    assert [out.count(text) for text in ("before", "meanwhile")] == [1, 1]


def test_no_events_is_a_sentence(asker, capsys):
    assert run(capsys, "events", "--device", "d1")[1] == "no events\n"
    assert json.loads(run(capsys, "events", "--device", "d1", "--json")[1])["events"] == []


def test_a_device_is_called_by_its_name_or_its_id(asker, capsys):
    by_id = run(capsys, "devices", "GPU-1")
    assert by_id[0] == OK
    assert run(capsys, "devices", "gpu 0") == by_id
    asker.host.events.add(EventKind.LINK_DOWN, Severity.WARNING, "it went", device="GPU-1")
    asker.host.events.add(EventKind.LINK_DOWN, Severity.WARNING, "another went", device="d1")
    assert "it went" in run(capsys, "events", "--device", "gpu 0")[1]
    asker.host.events.add(EventKind.LINK_DOWN, Severity.WARNING, "one long gone went", device="d9")
    assert "long gone" in run(capsys, "events", "--device", "d9")[1]
    assert "another" not in run(capsys, "events", "--device", "gpu 0")[1]
    asker.host.devices.report("another", Device("GPU-2", "gpu", "gpu 0", {}))
    status, out, err = run(capsys, "devices", "gpu 0")
    assert (status, out) == (FAILED, "")
    assert err == "hwinfoctl: several devices are called gpu 0\n  their ids: GPU-1, GPU-2\n"


def test_history_wants_a_metric_and_no_label(asker, capsys):
    with pytest.raises(SystemExit):
        run(capsys, "history")
    assert capsys.readouterr().err.endswith("the following arguments are required: METRIC\n")


def test_a_collector_without_a_value_says_so(asker, capsys):
    asker.host.runners["everything"].tables["sample"].begin()
    asker.host.runners["everything"].tables["sample"].publish(asker.host.clock.boottime_ns())
    assert run(capsys, "show", "everything")[1] == "everything: ok: no values now\n"


def test_a_collector_of_facts_says_where_they_are(asker, capsys):
    asker.host.runners["everything"].tables["sample"].begin()
    asker.host.runners["everything"].tables["sample"].publish(asker.host.clock.boottime_ns())
    asker.host.catalog.clear()
    asker.host.catalog[INFO.name] = (INFO, "everything")
    assert run(capsys, "show", "everything")[1] == "everything: ok: facts alone: hwinfoctl devices\n"


def test_devices_keep_their_columns_beside_a_long_name(asker, capsys):
    for name in ("nvme10n1", "nvme9n1", "a board of a maker whose name is long"):
        asker.host.devices.report(f"for {name}", Device(name, "disk", name, {"model": "SAMSUNG"}))
    lines = run(capsys, "devices")[1].splitlines()
    assert max(map(len, lines)) <= 80
    place = lines[0].index("WHAT")
    told = {line.split()[1]: line[place:] for line in lines if "nvme" in line}
    assert told == {"nvme9n1": "SAMSUNG", "nvme10n1": "SAMSUNG"}
    assert list(told) == ["nvme9n1", "nvme10n1"]


def test_flags_stand_before_or_behind_the_verb(asker, capsys):
    assert json.loads(run(capsys, "--json", "status")[1]) == json.loads(run(capsys, "status", "--json")[1])


def test_help_lists_verbs_and_exit_statuses(capsys):
    with pytest.raises(SystemExit) as raised:
        ctl.main(["--help"])
    out = capsys.readouterr().out
    assert raised.value.code == 0
    assert all(name in out for name in ctl.COMMANDS)
    assert "exit status:" in out


def test_nothing_of_the_daemon_is_imported():
    """hwinfoctl runs where the daemon's libraries are not, and starts fast."""
    from tests.support.processes import run as run_program

    code = (
        "import sys; from hwinfod.ctl.__main__ import build_parser; build_parser();"
        "bad = [m for m in sys.modules if m.startswith('hwinfod.') and not m.startswith('hwinfod.ctl')];"
        "print(sorted(bad), [m for m in ('asyncio', 'h11', 'ssl', 'http.client', 'logging') if m in sys.modules])"
    )
    import sys

    done = run_program(sys.executable, "-c", code)
    assert done.stdout.decode().strip() == "['hwinfod._streams', 'hwinfod._version'] []"


@pytest.fixture
def served(tmp_path):
    """A socket that answers with the bytes it is given."""
    path = str(tmp_path / "s")
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    listener.bind(path)
    listener.listen()
    threads = []

    def serve(answer):
        def answer_one():
            connection, _ = listener.accept()
            with connection:
                connection.recv(65536)
                connection.sendall(answer)

        thread = threading.Thread(target=answer_one)
        thread.start()
        threads.append(thread)
        return Client(path)

    yield serve
    for thread in threads:
        thread.join()
    listener.close()


def test_a_plain_answer(served):
    assert served(b'HTTP/1.1 200 OK\r\nContent-Length: 7\r\n\r\n{"a":1}').get("/v1") == {"a": 1}


def test_a_stream_is_cut_into_lines_wherever_its_chunks_end(served):
    body = b'5\r\n{"a":\r\n8\r\n1}\n{"b":\r\n3\r\n2}\n\r\n0\r\n\r\n'
    client = served(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + body)
    assert list(client.lines("/v1/stream")) == [{"a": 1}, {"b": 2}]


def test_the_daemons_problem_becomes_a_message(served):
    problem = json.dumps({"title": "Forbidden", "detail": "only root", "hint": "use sudo"}).encode()
    head = b"HTTP/1.1 403 Forbidden\r\nContent-Length: %d\r\n\r\n" % len(problem)
    with pytest.raises(Failure) as raised:
        served(head + problem).get("/v1")
    assert (str(raised.value), raised.value.hint, raised.value.status) == ("only root", "use sudo", DENIED)


@pytest.mark.parametrize("answer", [b"", b"garbage\r\n\r\n", b"HTTP/1.1\r\n"])
def test_no_http_is_no_daemon(served, answer):
    with pytest.raises(Failure) as raised:
        served(answer).get("/v1")
    assert raised.value.status == UNREACHABLE


@pytest.mark.parametrize("rest", [
    b"Content-Length: 9\r\n\r\n{\"a\"",
    b"Transfer-Encoding: chunked\r\n\r\n5\r\n{",
    b"Transfer-Encoding: chunked\r\n\r\nx\r\n",
])  # fmt: skip
def test_half_an_answer_is_no_answer(served, rest):
    with pytest.raises(Failure, match="did not finish its answer") as caught:
        served(b"HTTP/1.1 200 OK\r\n" + rest).get("/v1/status")
    assert caught.value.status == UNREACHABLE


def test_no_socket_says_how_to_start_it(tmp_path, capsys):
    status, _, err = run_at(capsys, tmp_path / "none")
    assert status == UNREACHABLE
    assert "systemctl start hwinfod" in err


def test_a_socket_nobody_listens_at_is_waited_for_and_then_told(tmp_path, capsys, monkeypatch):
    monkeypatch.setattr("hwinfod.ctl.client._STARTING_SECONDS", 0.0)
    dead = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    dead.bind(str(tmp_path / "dead"))
    dead.close()
    status, _, err = run_at(capsys, tmp_path / "dead")
    assert status == UNREACHABLE
    assert "nothing listens" in err


def run_at(capsys, path):
    status = ctl.main(["--socket", str(path), "status"])
    out, err = capsys.readouterr()
    return status, out, err


def test_a_reader_that_has_seen_enough_is_no_error(asker, monkeypatch):
    class Closed(io.StringIO):
        def write(self, text):
            raise BrokenPipeError

        def fileno(self):
            return spare

    spare = os.open(os.devnull, os.O_WRONLY)
    monkeypatch.setattr("sys.stdout", Closed())
    assert ctl.main(["--socket", "/nowhere", "metrics"]) == OK
    monkeypatch.undo()
    os.close(spare)
