# SPDX-License-Identifier: MIT
"""The lock files give what pyproject.toml asks for, and each thing with its hash."""

from __future__ import annotations

import re
from typing import Any

import pytest
import tomli
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from tests.lint.project import read

_PIN = re.compile(r"^([A-Za-z0-9._-]+)==([^\s;]+)", re.MULTILINE)


@pytest.fixture(scope="module")
def project() -> dict[str, Any]:
    return tomli.loads(read("pyproject.toml"))


def test_the_locks_satisfy_the_project(project: dict[str, Any]) -> None:
    extras = project["project"]["optional-dependencies"]
    run = [*project["project"]["dependencies"], *extras["web"], *extras["runtimes"]]
    groups = project["dependency-groups"]
    assert _unmet(groups["build"], read("requirements-build.txt")) == []
    assert _unmet(run, read("requirements.txt")) == []
    assert _unmet([*run, *groups["dev"]], read("requirements-dev.txt")) == []


def test_tests_run_on_what_is_shipped() -> None:
    shipped = set(_PIN.findall(read("requirements.txt")))
    assert shipped - set(_PIN.findall(read("requirements-dev.txt"))) == set()


@pytest.mark.parametrize("lock", ["requirements-build.txt", "requirements.txt", "requirements-dev.txt"])
def test_every_pin_has_a_hash(lock: str) -> None:
    entries = re.split(r"\n(?=\S)", read(lock))
    pins = [entry for entry in entries if _PIN.match(entry)]
    assert pins
    assert [entry.split()[0] for entry in pins if "--hash=sha256:" not in entry] == []


def test_an_unmet_requirement_is_seen() -> None:
    lock = "h11==0.15.0 \\\n    --hash=sha256:00\n"
    assert _unmet(["h11>=0.16"], lock) == ["h11>=0.16"]
    assert _unmet(["psutil"], lock) == ["psutil"]
    assert _unmet(["h11>=0.14", "H11"], lock) == []


def _unmet(requirements: list[str], lock: str) -> list[str]:
    pins: dict[str, list[str]] = {}
    for name, version in _PIN.findall(lock):
        pins.setdefault(canonicalize_name(name), []).append(version)
    unmet = []
    for text in requirements:
        requirement = Requirement(text)
        versions = pins.get(canonicalize_name(requirement.name), [])
        if not versions or not all(requirement.specifier.contains(version) for version in versions):
            unmet.append(text)
    return unmet
