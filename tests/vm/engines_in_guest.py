# SPDX-License-Identifier: MIT
"""Runs in the guest: dockerd and Podman as services of systemd and with its cgroup driver. They speak one API, and are
asked by it for what they are asked by their command lines elsewhere."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from in_guest import Daemon, sh, wait_for
from unix_http import Client

IMAGE = "localhost/hwinfod/probe:1"
_DOCKER_CONFIG = {"bridge": "none", "iptables": False, "ip6tables": False, "live-restore": True}


class Engine:
    """One service that speaks Docker's API at its socket."""

    def __init__(self, runtime: str, socket: str) -> None:
        self.runtime = runtime
        self.socket = socket
        wait_for(f"{runtime} answers", lambda: self.ask("GET", "/_ping"))
        self.ask("POST", "/images/load", Path("image.tar").read_bytes())

    def ask(self, method: str, path: str, body: bytes | None = None) -> Any:
        """What it answers: a document, or the lines of one."""
        kind = "application/x-tar" if path == "/images/load" else "application/json"
        with contextlib.closing(Client(self.socket)) as client:
            reply = client.ask(f"/v1.40{path}", method=method, headers={"Content-Type": kind}, body=body)
        assert reply.status < 300, (method, path, reply)
        try:
            return reply.json()
        except ValueError:
            return reply.text or True

    def run(self, name: str, *command: str, **limits: Any) -> str:
        """The id of a container that was made and started."""
        host = {"NetworkMode": "none", "SecurityOpt": ["apparmor=unconfined"], **limits}  # there is no apparmor_parser
        document = {"Image": IMAGE, "Cmd": command, "HostConfig": host}
        made: str = self.ask("POST", f"/containers/create?name={name}", json.dumps(document).encode())["Id"]
        self.ask("POST", f"/containers/{made}/start")
        return made

    def cgroup(self, container: str) -> str:
        pid = self.ask("GET", f"/containers/{container}/json")["State"]["Pid"]
        return Path(f"/proc/{pid}/cgroup").read_text().strip()

    def remove(self, container: str) -> None:
        self.ask("DELETE", f"/containers/{container}?force=1")


def start_docker() -> Engine:
    Path("/etc/docker").mkdir(exist_ok=True)
    Path("/etc/docker/daemon.json").write_text(json.dumps(_DOCKER_CONFIG))
    sh("systemctl start docker.socket docker.service")
    return Engine("docker", "/run/docker.sock")


def start_podman() -> Engine:
    sh("systemctl start podman.socket")
    return Engine("podman", "/run/podman/podman.sock")


def lives(daemon: Daemon, engine: Engine, cgroup: str) -> None:
    """A container with a device lives in a cgroup of systemd's, and somebody ends it."""
    device = {"PathOnHost": "/dev/full", "PathInContainer": "/dev/full", "CgroupPermissions": "rw"}
    made = engine.run("web", "/bin/sleep", "6000", Devices=[device])
    wait_for("it is told", lambda: list(life(daemon, made)) == ["created", "started"])
    assert cgroup.format(made) in engine.cgroup(made), engine.cgroup(made)
    engine.remove(made)
    wait_for("its end is told", lambda: "deleted" in life(daemon, made))
    told = life(daemon, made)
    assert list(told) == ["created", "started", "exited", "deleted"]
    attributes = told["exited"]["attributes"]
    said = {name: attributes[name] for name in ("runtime", "container", "image", "device_nodes", "exit_code")}
    assert said == {
        "runtime": engine.runtime, "container": "web", "image": IMAGE, "device_nodes": "/dev/full", "exit_code": "137",
    }  # fmt: skip
    assert told["exited"]["owner"] == f"container:{engine.runtime}:{made[:12]}"


def ends(daemon: Daemon, engine: Engine) -> None:
    """By itself with a code, and for want of memory."""
    fails = engine.run("fails", "/bin/sh", "-c", "exit 7")
    eats = engine.run("eats", "/bin/tail", "/dev/zero", Memory=16 << 20)
    wait_for("the end is told", lambda: list(life(daemon, fails)) == ["created", "started", "exited"])
    assert life(daemon, fails)["exited"]["attributes"]["exit_code"] == "7"
    wait_for(
        "the kill is told", lambda: sorted(life(daemon, eats)) == ["created", "exited", "out of memory", "started"]
    )
    assert life(daemon, eats)["exited"]["attributes"]["exit_code"] == "137"
    for name in ("fails", "eats"):
        engine.remove(name)


def restarts(daemon: Daemon, engine: Engine, unit: str) -> None:
    """The service is restarted while a container runs, which does not notice."""
    stays = engine.run("stays", "/bin/sleep", "6000")
    wait_for("it is told", lambda: "started" in life(daemon, stays))
    before = _figure(daemon, "connections_lost_total", engine)
    sh(f"systemctl restart {unit}")
    wait_for("it is lost", lambda: _figure(daemon, "connections_lost_total", engine) > before)
    wait_for("it is found", lambda: is_up(daemon, engine))
    new = engine.run("new", "/bin/sleep", "6000")
    wait_for("the next is told", lambda: list(life(daemon, new)) == ["created", "started"])
    assert list(life(daemon, stays)) == ["created", "started"]
    for name in ("stays", "new"):
        engine.remove(name)


def life(daemon: Daemon, container_id: str) -> Mapping[str, Any]:
    """The events of a container by their kinds, in order."""
    return {
        event["kind"].removeprefix("container "): event
        for event in daemon.events()
        if event["attributes"].get("container_id") == container_id
    }


def is_up(daemon: Daemon, engine: Engine) -> bool:
    return _figure(daemon, "up", engine) == 1


def _figure(daemon: Daemon, name: str, engine: Engine) -> int:
    return int(daemon.values(f"hwinfod_runtime_{name}")["engines", engine.socket])
