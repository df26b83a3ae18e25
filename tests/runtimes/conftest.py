# SPDX-License-Identifier: MIT
"""One of each runtime for all the tests of a module, and the image that they run."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support import oci_image
from tests.support.container_runtimes import Containerd, Docker, Podman, directory


@pytest.fixture(scope="session")
def image() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="rt-") as name:
        path = Path(name, "image.tar")
        oci_image.write(path)
        yield path


@pytest.fixture(scope="module")
def containerd(image: Path) -> Iterator[Containerd]:
    with directory() as path:
        runtime = Containerd(path)
        try:
            runtime.start()
            runtime.load(image)
            yield runtime
        finally:
            runtime.end()


@pytest.fixture(scope="module")
def docker(image: Path, containerd: Containerd) -> Iterator[Docker]:
    with directory() as path:
        runtime = Docker(path, containerd)
        try:
            runtime.start()
            runtime.docker("load", "--input", str(image))
            yield runtime
        finally:
            runtime.end()


@pytest.fixture(scope="module")
def podman(image: Path) -> Iterator[Podman]:
    with directory() as path:
        runtime = Podman(path)
        try:
            runtime.start()
            runtime.podman("load", "--input", str(image))
            yield runtime
        finally:
            runtime.podman("rm", "--all", "--force", "--time=0", check=False)
            runtime.end()
