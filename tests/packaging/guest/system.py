# SPDX-License-Identifier: MIT
"""For checks that run in a guest with the package installed: commands, units, hwinfoctl, users, drop-ins."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from in_guest import wait_for

SERVICE = "hwinfod.service"
SOCKETS = ("hwinfod.socket", "hwinfod-metrics.socket")
CONFIGURATION = Path("/etc/hwinfod/conf.d/proof.toml")
STATE = Path("/var/lib/hwinfod")
EXAMPLES = Path("/usr/share/doc/hwinfod/examples")
_METRICS_URL = "http://127.0.0.1:10049/metrics"
_TROUBLE = 5  # of `hwinfoctl status`: hwinfod/ctl/failures.py
_DROP_INS = Path("/etc/systemd/system/hwinfod.service.d")


def run(*command: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False
    )


def output(*command: str) -> str:
    """What a command that must succeed says."""
    done = run(*command)
    assert done.returncode == 0, f"{' '.join(command)}: exit status {done.returncode}\n{done.stdout[-4000:]}"
    return done.stdout


def expect(found: object, expected: object) -> None:
    """Raises AssertionError with both where they differ."""
    assert found == expected, f"{found!r}\nis not {expected!r}"


def show(name: str, unit: str = SERVICE) -> str:
    return output("systemctl", "show", "-P", name, unit).strip()


def main_pid() -> int:
    return int(show("MainPID"))


def is_active(unit: str = SERVICE) -> bool:
    return show("ActiveState", unit) == "active"


def forget_starts() -> None:
    """What an operator does in an hour is done here in a minute: those that StartLimitBurst= counts."""
    run("systemctl", "reset-failed", SERVICE, *SOCKETS)


def restart() -> None:
    forget_starts()
    output("systemctl", "restart", SERVICE)


def wait_active() -> None:
    """It answers before it is ready: the first samples come behind the listeners."""
    wait_for("it is ready", is_active)


def comes_back(pid: int) -> None:
    """Until the service runs with another process than this one, and answers."""
    wait_for("it comes back", lambda: is_active() and main_pid() not in (0, pid))
    wait_for("it answers", lambda: ctl("status"))


def scrape() -> str:
    """What Prometheus gets."""
    return str(urllib.request.urlopen(_METRICS_URL, timeout=60).read().decode())


def as_user(user: str) -> tuple[str, ...]:
    return ("setpriv", f"--reuid={user}", f"--regid={user}", "--init-groups", "--inh-caps=-all")


def kinds() -> set[str]:
    """Of the events so far."""
    return {event["kind"] for event in ctl("events")["events"]}


def ctl(*arguments: str, user: str = "root") -> Any:
    """What `hwinfoctl ... --json` answers to this user, of a host in trouble, too."""
    done = run(*(as_user(user) if user != "root" else ()), "hwinfoctl", *arguments, "--json")
    assert done.returncode in (0, _TROUBLE), f"{arguments}: exit status {done.returncode}\n{done.stdout[-4000:]}"
    return json.loads(done.stdout)


def collectors() -> dict[str, str]:
    """The state of each collector, once none is looking for its hardware any more."""

    def settled() -> dict[str, str] | None:
        states = {item["name"]: item["state"] for item in ctl("collectors")["collectors"]}
        return None if "starting" in states.values() else states

    found: dict[str, str] = wait_for("every collector has looked", settled)
    return found


def state_directory() -> dict[str, tuple[int, int, str]]:
    """Owner, mode and content of everything in it, by name."""
    files = [STATE, *sorted(STATE.rglob("*"))]
    return {
        str(path): (path.stat().st_uid, path.stat().st_mode, path.read_text() if path.is_file() else "")
        for path in files
    }


def starts() -> int:
    """How often the service was started in this boot, as the journal tells."""
    said = output("journalctl", "--no-pager", "--output=cat", f"--unit={SERVICE}")
    return sum(line.startswith("Started hwinfod.service") for line in said.splitlines())


@contextlib.contextmanager
def configuration(text: str) -> Iterator[None]:
    """A file in conf.d for the time of the check; who wants it in force reloads or restarts."""
    CONFIGURATION.write_text(text)
    CONFIGURATION.chmod(0o644)
    try:
        yield
    finally:
        CONFIGURATION.unlink()


@contextlib.contextmanager
def drop_in(text: str, name: str = "proof.conf") -> Iterator[None]:
    """The service restarted with a drop-in, and without it again."""
    path = _DROP_INS / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    output("systemctl", "daemon-reload")
    try:
        restart()
        yield
    finally:
        path.unlink()
        path.parent.rmdir()
        output("systemctl", "daemon-reload")
        restart()


def example(name: str) -> str:
    """A drop-in as the package installed it."""
    return (EXAMPLES / f"{name}.conf").read_text()


def page(name: str) -> list[str]:
    """The lines of a document as the package installed it."""
    return (EXAMPLES.parent / "docs" / name).read_text().splitlines()


def note(name: str, value: object) -> None:
    """A figure for whoever reads the test's output."""
    with open(Path(os.environ["OUT"], "figures"), "a") as file:
        file.write(f"{name}: {value}\n")
    print(f"  {name}: {value}", flush=True)


def seconds_to_ready() -> float:
    """From the start of the process to READY=1, of the last start."""
    begun, ready = int(show("ExecMainStartTimestampMonotonic")), int(show("ActiveEnterTimestampMonotonic"))
    return (ready - begun) / 1e6


def memory_of(pid: int) -> dict[str, float]:
    """MiB of VmRSS, RssAnon and RssFile."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    fields = {line.partition(":")[0]: line.split()[1] for line in lines if line.endswith("kB")}
    return {name: round(int(fields[name]) / 1024, 1) for name in ("VmRSS", "RssAnon", "RssFile")}


def seconds_of_processor() -> float:
    """That the service has taken since its start."""
    return int(show("CPUUsageNSec")) / 1e9
