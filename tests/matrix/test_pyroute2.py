# SPDX-License-Identifier: MIT
"""The RDMA family on the oldest pyroute2 that we promise: what Debian 12 has. The newest is in the lock file."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
OLDEST = "0.7.2"
WHEEL = "pyroute2==0.7.2 --hash=sha256:87e5c6963af1224def6c35e7c08e616f6aa3751927f12a733ccc82bb72d11874\n"


def test_the_rdma_family_works_with_the_oldest_pyroute2(tmp_path: Path) -> None:
    library = ROOT / ".venvs" / f"pyroute2-{OLDEST}"
    if not (library / "pyroute2").is_dir():
        requirements = tmp_path / "requirements.txt"
        requirements.write_text(WHEEL)
        install = ["install", "--quiet", "--no-deps", "--require-hashes", "--target", library, "-r", requirements]
        made = _run(["-m", "pip", "--disable-pip-version-check", *install])
        assert made.returncode == 0, made.stdout
    tests = ROOT / "tests" / "unit" / "sources" / "nldev"
    cache = f"cache_dir={library}/.pytest_cache"
    run = _run(["-m", "pytest", "-o", cache, tests / "test_family.py", tests / "test_transport.py"], library)
    assert run.returncode == 0, f"with pyroute2 {OLDEST}:\n{run.stdout[-20000:]}"


def _run(arguments: list[str | Path], library: Path | None = None) -> subprocess.CompletedProcess[str]:
    environment = dict(os.environ)
    if library:
        environment.update(PYTHONPATH=os.fspath(library), EXPECT_PYROUTE2=OLDEST)
    return subprocess.run(
        [sys.executable, *map(os.fspath, arguments)],
        cwd=ROOT,
        env=environment,
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        check=False,
    )
