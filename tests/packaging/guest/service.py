# SPDX-License-Identifier: MIT
"""The service under systemd: who it runs as, its listeners, what a configuration does to it."""

from __future__ import annotations

import json
import socket
from pathlib import Path

from in_guest import sh, wait_for
from system import (
    SERVICE,
    SOCKETS,
    configuration,
    ctl,
    drop_in,
    expect,
    forget_starts,
    is_active,
    kinds,
    main_pid,
    output,
    page,
    restart,
    run,
    scrape,
    show,
    wait_active,
)

_SOCKET = "/run/hwinfod/hwinfod.sock"
_DAC_READ_SEARCH, _SYS_PTRACE = 2, 19  # linux/capability.h


def check_it_runs_as_its_user_with_two_capabilities(_: object) -> None:
    status = dict(
        line.split(":\t", 1) for line in Path(f"/proc/{main_pid()}/status").read_text().splitlines() if ":\t" in line
    )
    for capabilities in ("CapEff", "CapPrm", "CapBnd", "CapAmb"):
        expect(int(status[capabilities], 16), 1 << _DAC_READ_SEARCH | 1 << _SYS_PTRACE)
    expect((status["NoNewPrivs"], status["Seccomp"]), ("1", "2"))
    expect(output("stat", "-c", "%U:%G", f"/proc/{main_pid()}").strip(), "hwinfod:hwinfod")
    expect(output("stat", "-c", "%U %a", _SOCKET).strip(), "root 666")


def check_systemd_understands_every_line(_: object) -> None:
    expect(output("systemd-analyze", "verify", "--man=no", SERVICE, "hwinfod.socket", "hwinfod-metrics.socket"), "")


def check_a_client_of_the_api_starts_it(_: object) -> None:
    """The socket is systemd's, and outlives a stop of the service."""
    forget_starts()
    output("systemctl", "stop", SERVICE)
    expect((is_active(), is_active("hwinfod.socket"), Path(_SOCKET).is_socket()), (False, True, True))
    status = wait_for("it answers", lambda: ctl("status"))
    expect(status["faces"]["metrics_urls"], [])
    wait_active()


def check_a_client_of_the_metrics_starts_it(_: object) -> None:
    output("systemctl", "stop", SERVICE)
    output("systemctl", "enable", "--now", "hwinfod-metrics.socket")
    assert not is_active()
    wait_for("a sample", lambda: "\nhw_load1 " in scrape())
    wait_active()
    expect([urls.rpartition(":")[2] for urls in ctl("status")["faces"]["metrics_urls"]], ["10049/metrics"])


def check_a_connection_outlives_a_restart_in_the_queue(_: object) -> None:
    """Who comes while nobody listens waits, and is answered by the successor."""
    output("systemctl", "stop", SERVICE)
    with socket.socket(socket.AF_UNIX) as client:
        client.settimeout(120)
        client.connect(_SOCKET)
        client.sendall(b"GET /v1/status HTTP/1.1\r\nHost: hwinfod\r\n\r\n")
        expect(client.recv(15), b"HTTP/1.1 200 OK")
    wait_active()


def check_a_reload_takes_the_new_configuration(_: object) -> None:
    pid = main_pid()
    with configuration("log_level = 'debug'\n"):
        output("systemctl", "reload", SERVICE)
        wait_for("the event", lambda: "configuration reloaded" in kinds())
    with configuration("log_level = 'nonsense'\n"):
        output("systemctl", "reload", SERVICE)
        wait_for("the refusal", lambda: "configuration refused" in kinds())
    output("systemctl", "reload", SERVICE)
    expect((main_pid(), is_active()), (pid, True))


def check_a_wrong_configuration_is_told_and_not_tried_again(_: object) -> None:
    restarts = show("NRestarts")
    with configuration("nonsense"):
        forget_starts()
        run("systemctl", "restart", SERVICE)
        expect((show("ExecMainStatus"), show("ActiveState"), show("NRestarts")), ("78", "failed", restarts))
        said = output("journalctl", "--no-pager", "--output=json", f"_PID={show('ExecMainPID')}")
        entries = [json.loads(line) for line in said.splitlines()]
        assert any("proof.toml" in entry["MESSAGE"] for entry in entries), said
        expect({entry["PRIORITY"] for entry in entries}, {"3"})
    restart()
    assert ctl("status")["collectors"]["ok"] > 0


def check_a_client_that_waits_makes_it_fail_for_good_and_the_page_mends_it(_: object) -> None:
    """Each start for the client counts. docs/troubleshooting.md tells of it."""
    units = (SERVICE, *SOCKETS)
    (command,) = (line for line in page("troubleshooting.md") if line.startswith("systemctl reset-failed"))
    with drop_in("[Unit]\nStartLimitIntervalSec=600\nStartLimitBurst=3\n"):  # of a guest that is slow
        with configuration("nonsense"), socket.socket(socket.AF_UNIX) as client:
            output("systemctl", "stop", SERVICE)
            client.connect(_SOCKET)
            wait_for("all have failed", lambda: {show("ActiveState", unit) for unit in units} == {"failed"})
            expect({show("Result", unit) for unit in SOCKETS}, {"service-start-limit-hit"})
        sh(command.replace("hwinfod.socket", "hwinfod.socket hwinfod-metrics.socket"))
        expect([is_active(unit) for unit in units], [True] * 3)
        assert ctl("status")["collectors"]["ok"] > 0
