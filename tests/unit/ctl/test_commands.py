# SPDX-License-Identifier: MIT
"""hwinfoctl against the real routes: every verb, its JSON, its exit status, its errors."""

from __future__ import annotations

import io
import json
import os
import socket
import threading

import pytest

from hwinfod.core.check import Check
from hwinfod.core.device import Device
from hwinfod.core.event import EventKind, Severity
from hwinfod.ctl import __main__ as ctl
from hwinfod.ctl.client import Client
from hwinfod.ctl.failures import DENIED, FAILED, OK, UNHEALTHY, UNREACHABLE, USAGE, Failure
from hwinfod.errors import UserError
from hwinfod.serve.http import Peer, Problem
from tests.unit.serve.test_api import Asker, post
from tests.unit.serve.test_exposition import BYTES, RATIO


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
    ("who", "gpu", "0"), ("rdma",),
    ("gpus",), ("gpu", "resume"), ("ps",),
    ("api", "GET", "/v1"),
]  # fmt: skip


@pytest.mark.parametrize("verb", VERBS, ids=" ".join)
def test_every_verb_says_something_and_fits_the_screen(asker, capsys, verb):
    asker.host.events.add(EventKind.LINK_DOWN, Severity.WARNING, "down", device="eth0")
    status, out, err = run(capsys, *verb)
    assert status in (OK, UNHEALTHY)
    assert out.strip()
    assert err == ""
    if verb[0] not in ("api", "devices"):
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
        (("metrics", "hw_xx*"), FAILED, "no metric matches"),
        (("history", "hw_nothing"), USAGE, "must be a metric"),
        (("history", RATIO.name, "--since", "10s", "nolabel"), USAGE, "NAME=VALUE"),
        (("devices", "none"), FAILED, ""),
    ],
)
def test_errors_say_what_to_do(asker, capsys, arguments, status, words):
    code, out, err = run(capsys, *arguments)
    assert code == status
    assert out == ""
    assert words in err
    assert err.startswith("hwinfoctl: ")


@pytest.mark.parametrize("arguments", [("stauts",), ("history",), ("show", "x", "--bogus"), ("events", "--since", "x")])
def test_a_wrong_command_line_is_usage(asker, capsys, arguments):
    with pytest.raises(SystemExit) as raised:
        run(capsys, *arguments)
    assert raised.value.code == USAGE


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
    assert done.stdout.decode().strip() == "['hwinfod._version', 'hwinfod.wire'] []" or (
        done.stdout.decode().strip() == "['hwinfod._version'] []"
    )


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
