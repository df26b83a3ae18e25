# SPDX-License-Identifier: MIT
"""Packages of both kinds and architectures, built once for the run."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support import packages


@pytest.fixture(scope="session")
def debs(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    return packages.build("deb", tmp_path_factory.mktemp("debs"))


@pytest.fixture(scope="session")
def rpms(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    return packages.build("rpm", tmp_path_factory.mktemp("rpms"))


@pytest.fixture(scope="session")
def contents(
    debs: dict[str, Path], rpms: dict[str, Path], tmp_path_factory: pytest.TempPathFactory
) -> dict[tuple[str, str], Path]:
    """What each package installs, unpacked: by kind and architecture."""
    directory = tmp_path_factory.mktemp("contents")
    return {
        (kind, architecture): packages.unpack(package, directory / kind / architecture)
        for kind, built in (("deb", debs), ("rpm", rpms))
        for architecture, package in built.items()
    }
