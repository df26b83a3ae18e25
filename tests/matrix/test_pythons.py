# SPDX-License-Identifier: MIT
"""The unit tests on each other Python that this machine has, in environments of their own under .venvs/."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.support import pythons

ROOT = Path(__file__).parents[2]
Run = subprocess.CompletedProcess[str]

pytestmark = pytest.mark.timeout(1500)


@pytest.fixture(scope="module")
def runs() -> Iterator[dict[str, Future[Run]]]:
    """All versions' runs, two at a time, begun when the first is asked for."""
    found = [version for version in pythons.OTHERS if pythons.find(version)]
    with ThreadPoolExecutor(max_workers=2) as pool:
        yield {version: pool.submit(_unit_tests, version) for version in found}


@pytest.mark.parametrize(
    "version",
    [pytest.param(version, marks=pytest.mark.tier(f"python{version}")) for version in pythons.OTHERS],
)
def test_units_pass_on_python(version: str, runs: dict[str, Future[Run]]) -> None:
    run = runs[version].result()
    assert run.returncode == 0, f"unit tests on Python {version}:\n{run.stdout[-20000:]}"


def _unit_tests(version: str) -> Run:
    interpreter = pythons.find(version)
    assert interpreter
    venv = ROOT / ".venvs" / version
    made = _run([ROOT / "tools" / "venv.sh", venv, interpreter, ROOT / "requirements-dev.txt"])
    if made.returncode != 0:
        return made
    cache = f"cache_dir={venv}/.pytest_cache"
    return _run([venv / "bin" / "python", "-m", "pytest", "-o", cache, "tests/unit"])


def _run(command: list[str | Path]) -> Run:
    return subprocess.run(
        list(map(os.fspath, command)),
        cwd=ROOT,
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        check=False,
    )
