# SPDX-License-Identifier: MIT
"""The frame of the tests themselves: a tier never passes by absence, and no test leaves this machine."""

from __future__ import annotations

import asyncio
import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from tests.lint.project import ROOT
from tests.support import network, tiers

SAMPLE = """
import pytest

@pytest.mark.tier("curl")
def test_with_curl(): pass

@pytest.mark.tier("python3.10", "python3.11")
def test_with_another_python(): pass

def test_that_gives_up(): pytest.skip("no such device")

@pytest.mark.xfail
def test_that_is_known_to_fail(): assert False

def test_without(): pass
"""


def test_a_tier_that_lacks_something_is_skipped_and_named(tmp_path: Path) -> None:
    done = _run_sample(tmp_path, SAMPLE, ci=False)
    assert done.returncode == 0, done.stdout
    assert "1 passed, 3 skipped, 1 xfailed" in done.stdout
    assert "not run" in done.stdout
    assert "tier curl (needs curl: apt install curl): 1 tests" in done.stdout
    assert "no such device: 1 tests" in done.stdout


def test_in_ci_it_fails_but_a_missing_python_does_not(tmp_path: Path) -> None:
    done = _run_sample(tmp_path, SAMPLE, ci=True)
    assert done.returncode == 1, done.stdout
    assert "1 failed, 1 passed, 1 skipped, 1 xfailed, 1 error" in done.stdout
    assert "not run, and CI=true: tier curl (needs curl: apt install curl)" in done.stdout
    assert "not run, and CI=true: no such device" in done.stdout


def test_in_ci_a_module_that_skips_itself_fails(tmp_path: Path) -> None:
    sample = "import pytest\npytest.importorskip('nonesuch')\n"
    assert _run_sample(tmp_path, sample, ci=False).returncode == pytest.ExitCode.NO_TESTS_COLLECTED
    done = _run_sample(tmp_path, sample, ci=True)
    assert done.returncode == pytest.ExitCode.INTERRUPTED
    assert "not run, and CI=true: could not import 'nonesuch'" in done.stdout


def test_an_unknown_tier_is_an_error(tmp_path: Path) -> None:
    done = _run_sample(tmp_path, SAMPLE.replace("curl", "crul"), ci=False)
    assert done.returncode == pytest.ExitCode.USAGE_ERROR
    assert "no such tier: crul" in done.stdout


def test_every_line_of_the_package_list_is_read() -> None:
    packages = tiers.parse_packages("# a comment\n\nshell  shellcheck  shellcheck\nshell  dash  dash sh\n")
    assert packages == {"shell": {"shellcheck": ["shellcheck"], "dash": ["dash", "sh"]}}
    assert tiers.parse_packages(tiers.PACKAGES.read_text()).keys() <= set(tiers.names())


def test_what_is_missing_is_named_with_its_package() -> None:
    assert tiers.lack_of_packages({"base-files": ["/etc/hostname"], "dash": ["sh"]}) is None
    lack = tiers.lack_of_packages({"dash": ["sh"], "nonesuch": ["/nonesuch", "none-such"]})
    assert lack == tiers.Lack("/nonesuch, none-such: apt install nonesuch")


@pytest.mark.parametrize(
    ("family", "address", "local"),
    [
        (socket.AF_UNIX, "/run/hwinfod/hwinfod.sock", True),
        (socket.AF_NETLINK, (0, 0), True),
        (socket.AF_INET, ("127.0.0.1", 80), True),
        (socket.AF_INET, ("127.9.9.9", 80), True),
        (socket.AF_INET, ("localhost", 80), True),
        (socket.AF_INET6, ("::1", 80, 0, 0), True),
        (socket.AF_INET6, ("::ffff:127.0.0.1", 80, 0, 0), True),
        (socket.AF_INET, ("192.0.2.1", 80), False),
        (socket.AF_INET, ("prometheus.io", 80), False),
        (socket.AF_INET6, ("2001:db8::1", 80, 0, 0), False),
        (socket.AF_INET6, ("::ffff:192.0.2.1", 80, 0, 0), False),
        (socket.AF_INET6, ("fe80::1%lo", 80, 0, 0), False),
    ],
)
def test_what_stays_on_this_machine(family: int, address: object, local: bool) -> None:
    assert network.is_local(family, address) is local


def test_the_guard_stands_before_every_call() -> None:
    far = ("192.0.2.1", 9)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        for call in (lambda: sock.connect(far), lambda: sock.connect_ex(far), lambda: sock.sendto(b"x", far)):
            with pytest.raises(network.NetworkUsed):
                call()
    with pytest.raises(network.NetworkUsed):
        asyncio.run(asyncio.wait_for(asyncio.open_connection(*far), 10))


def _run_sample(directory: Path, text: str, *, ci: bool) -> subprocess.CompletedProcess[str]:
    """The sample below our conftest.py, where no command is found but Python's own."""
    sample = directory / "test_sample.py"
    sample.write_text(text)
    environment = {**os.environ, "PATH": "/nonexistent", "PYENV_ROOT": "/nonexistent", "CI": str(ci).lower()}
    command = [sys.executable, "-m", "pytest", "-p", "tests.conftest", "-p", "no:cacheprovider"]
    return subprocess.run(
        [*command, f"--rootdir={ROOT}", f"--config-file={ROOT / 'pyproject.toml'}", os.fspath(sample)],
        cwd=ROOT,
        env=environment,
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        check=False,
    )
