# SPDX-License-Identifier: MIT
"""What the unit's lines cost: the service beside the same daemon as root without them, on one host. What differs is
what docs/security.md says, and nothing else."""

from __future__ import annotations

import contextlib
import errno
import json
import os
import re
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from drop_ins import with_engine
from hidden import ENVIRONMENT, KNOWN, hidden, known
from in_guest import wait_for
from system import drop_in, expect, output
from unix_http import get

_SERVICE, _ROOT = "/run/hwinfod/hwinfod.sock", "/run/as-root/socket"
_PAGE = Path("/usr/share/doc/hwinfod/docs/security.md")
# The collectors that lack a right: what the service says of them, and what root.
_LACKS = {"oom": ("absent", "ok")}
_OF_THESE = re.compile(r'hw_memory_oom_kills_logged_total|hwinfod_collector_\w+\{collector="oom"')
# What cgroups use, by owner: which of them have figures depends on how long a daemon has run, not on its rights. What
# owners hold of devices is compared.
_OF_CGROUPS = re.compile(r"hw_owner_(?!.*[{,]device=)")
_CONSTANT = re.compile(r"hw_\w+_(info|limit_bytes|size_bytes|read_only|up)\{")
_RUNTIME = re.compile(r"hwinfod_runtime_up\{.*/run/docker\.sock")


@contextlib.contextmanager
def _both() -> Iterator[None]:
    """On a host with what there is to be hidden, and a runtime's socket that is root's."""
    command = ("/usr/sbin/hwinfod", "--socket", _ROOT, "--state-dir", "/run/as-root/state")
    unit = ("--unit=as-root", "--property=RuntimeDirectory=as-root", f"--setenv={ENVIRONMENT}")
    with hidden(Path(os.environ["IN"], "nvml")), drop_in(f"[Service]\nEnvironment={ENVIRONMENT}\n"), with_engine():
        output("systemd-run", "--quiet", *unit, *command)
        try:
            wait_for("it answers", lambda: _states(_ROOT))
            yield
        finally:
            output("systemctl", "stop", "as-root")


def _states(socket: str) -> dict[str, str]:
    """By collector, once none is looking for its hardware any more."""
    states = {item["name"]: item["state"] for item in get(socket, "/v1/collectors").json()["collectors"]}
    assert "starting" not in states.values()
    return states


def _series(socket: str) -> dict[str, str]:
    """The values by names and labels, at every level."""
    lines = get(socket, "/metrics?level=detailed").text.splitlines()
    found = {name: value for name, _, value in (line.rpartition(" ") for line in lines if not line.startswith("#"))}
    return {name: value for name, value in found.items() if not _OF_CGROUPS.match(name)}


def _facts(socket: str) -> dict[str, Any]:
    return {device["id"]: device["facts"] for device in get(socket, "/v1/devices").json()["devices"]}


def _difference(read: Callable[[str], Mapping[str, Any]]) -> dict[str, tuple[Any, Any]]:
    """What the service and root say of something, where that is not the same."""
    service, root = read(_SERVICE), read(_ROOT)
    names = service.keys() | root.keys()
    return {name: (service.get(name), root.get(name)) for name in names if service.get(name) != root.get(name)}


def _settles_at(expected: object, read: Callable[[str], Mapping[str, Any]]) -> None:
    """The host lives while they are asked, one after the other."""

    def agree() -> bool:
        expect(_difference(read), expected)
        return True

    wait_for("they agree", agree)


def _names(socket: str) -> dict[str, bool]:
    return {name: True for name in _series(socket) if not _OF_THESE.match(name)}


def _constants(socket: str) -> dict[str, str]:
    return {name: value for name, value in _series(socket).items() if _CONSTANT.match(name)}


def check_all_but_what_its_page_says_works_as_it_does_for_root(_: object) -> None:
    with _both():
        for socket in (_SERVICE, _ROOT):
            wait_for("it knows what is hidden", lambda socket=socket: _knows(socket))
        _settles_at(_LACKS, _states)
        _settles_at({}, _facts)
        _settles_at({}, _names)
        _settles_at({}, _constants)
        wait_for("the runtime is asked", lambda: [_runtime(socket) for socket in (_SERVICE, _ROOT)] == ["0", "1"])
    page = _PAGE.read_text()
    expect([name for name in (*_LACKS, "runtime-sockets") if name not in page], [])


def _knows(socket: str) -> bool:
    expect(known(socket), KNOWN)
    return True


def _runtime(socket: str) -> str:
    (value,) = [value for name, value in _series(socket).items() if _RUNTIME.match(name)]
    return value


def check_memory_and_descriptors_of_others_are_out_of_reach(_: object) -> None:
    """Of the calls that CAP_SYS_PTRACE would open, each is refused, whatever it asks for; without the unit none is."""
    program, free, bound = f"{os.environ['IN']}/forbidden_calls.py", "/run/free.json", "/run/hwinfod/bound.json"
    output("python3", program, free)
    with drop_in(f"[Service]\nExecStartPost=/usr/bin/python3 {program} {bound}\n"):
        refused = json.loads(Path(bound).read_text())
    Path(bound).unlink()
    calls = json.loads(Path(free).read_text())
    expect(calls, dict.fromkeys(calls, 0))
    expect(refused, dict.fromkeys(calls, errno.EPERM))
