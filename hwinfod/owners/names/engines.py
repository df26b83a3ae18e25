# SPDX-License-Identifier: MIT
"""Names of containers from Docker and Podman themselves, on a lane that may wait for them: for root (a drop-in)."""

from __future__ import annotations

import os

from hwinfod.core.collector import Collector, beat
from hwinfod.core.metric import Kind, Level, Metric
from hwinfod.core.owner import ContainerName, Names
from hwinfod.errors import Absent, Denied, ParseError, ReadError
from hwinfod.sources.docker_engine import SOCKETS, read_containers

CONTAINERS = Metric(
    name="hwinfod_engine_containers",
    kind=Kind.GAUGE,
    help="Running containers that a Docker Engine or Podman lists.",
    source="GET /containers/json at the engine's socket",
    labels=("socket",),
    level=Level.DETAILED,
)


class EngineNames(Collector):
    name = "engine_names"
    summary = "names of containers from Docker and Podman"
    lane = "engine_names"

    def open(self) -> None:
        self.sockets = [path for path in SOCKETS if os.path.lexists(self.roots.root(path))]
        if not self.sockets:
            raise Absent("neither Docker nor Podman serves a socket")
        self.counts = {path: self.table.bind((CONTAINERS,), path) for path in self.sockets}

    @beat(seconds=10)
    def sample(self) -> None:
        containers: list[ContainerName] = []
        blind: list[str] = []
        for path in self.sockets:
            self.step(f"ask {path}")
            try:
                found = read_containers(self.roots.root(path))
            except Denied:
                blind.append(
                    f"attribution blind: {path} may not be opened, names of its containers are missing: "
                    "a drop-in of the service lets the daemon in"
                )
            except (ReadError, ParseError) as error:
                self.skip(path, error)
            else:
                self.counts[path].set((len(found),))
                containers += (ContainerName(*container) for container in found)
        names = Names(tuple(containers), (), tuple(blind))
        if names != self.host.names.current.get(self.name):
            self.host.names.publish(self.name, names)

    def close(self) -> None:
        self.host.names.withdraw(self.name)
