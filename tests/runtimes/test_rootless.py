# SPDX-License-Identifier: MIT
"""Real Podman without root: what a user calls his containers is known, and said of his own alone."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from hwinfod.core.owner import ContainerName
from hwinfod.owners.cgroup import resolve_path
from hwinfod.owners.names.book import NameBook
from hwinfod.owners.runtimes.rootless import RootlessEngines
from tests.support import oci_image
from tests.support.container_runtimes import directory
from tests.support.rootless_podman import UID, RootlessPodman
from tests.support.watched_runtime import watch

pytestmark = [pytest.mark.tier("runtimes"), pytest.mark.tier("root")]


@pytest.fixture
def podman(image: Path) -> Iterator[RootlessPodman]:
    with directory() as path:
        runtime = RootlessPodman(path)
        try:
            runtime.start()
            own = path / "image.tar"
            own.write_bytes(image.read_bytes())
            runtime.podman("load", "--input", str(own))
            yield runtime
        finally:
            runtime.podman("rm", "--all", "--force", "--time=0", check=False)
            runtime.end()


def test_names_of_a_users_containers(podman: RootlessPodman) -> None:
    identifier = podman.start_container("web", "/bin/sleep", "600")
    with watch(RootlessEngines, podman.root) as watched:

        def claims() -> tuple[ContainerName, ...]:
            names = watched.host.names.current.get("rootless")
            return names.claims.get(str(UID), ()) if names is not None else ()

        watched.until(claims)
        assert claims() == (ContainerName(identifier, "web", image=oci_image.NAME),)
        assert watched.lives() == {}
        book = NameBook()
        book.learn(watched.host.names.current)
        scope = f"user.slice/libpod-{identifier}.scope/container"
        his = resolve_path(f"/user.slice/user-{UID}.slice/user@{UID}.service/{scope}")
        assert book.labels_of(his)[0] == f"podman web of user {UID}"
        assert book.name_of(resolve_path(f"/user.slice/user-1000.slice/user@1000.service/{scope}")) is None
        assert book.name_of(resolve_path(f"/machine.slice/libpod-{identifier}.scope")) is None
