# SPDX-License-Identifier: MIT
"""The rpm package as a file: the same bytes twice, nothing that rpmlint objects to, what it needs and brings."""

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path

import pytest

from hwinfod._version import RELEASED, VERSION
from tests.support.packages import ROOT, build, rpm_needs, run, stub_rpm

SPEC = ROOT / "packaging/rpm/hwinfod.spec"
PICKER = ROOT / "packaging/launchers/python"

pytestmark = [pytest.mark.tier("rpm", "deb"), pytest.mark.timeout(600)]


@pytest.fixture(scope="module")
def package(rpms: dict[str, Path]) -> Path:
    return rpms["amd64"]


def test_the_changelog_has_the_programs_version(package: Path) -> None:
    said = run("rpm", "-qp", "--qf", "[%{CHANGELOGNAME}\n]", package).splitlines()
    assert re.fullmatch(rf".+ - {re.escape(VERSION)}-\d+", said[0])
    assert run("rpm", "-qp", "--qf", "%{VERSION} %{BUILDTIME:date}", package).startswith(f"{VERSION} ")
    assert run("rpm", "-qp", "--qf", "%{BUILDTIME:day}", package) == run("date", "-d", RELEASED, "+%a %b %d %Y").strip()


def test_built_twice_it_is_the_same(package: Path, tmp_path: Path) -> None:
    assert build("rpm", tmp_path, ["amd64"])["amd64"].read_bytes() == package.read_bytes()


@pytest.mark.tier("rpmlint")
def test_rpmlint_is_content(rpms: dict[str, Path]) -> None:
    said = run("rpmlint", "-c", ROOT / "packaging/rpm/rpmlint.toml", SPEC, *rpms.values())
    assert "2 packages and 1 specfiles checked; 0 errors, 0 warnings" in said


def test_every_file_is_roots_and_written_by_nobody_else(package: Path) -> None:
    modes = run("rpm", "-qp", "--qf", "[%{FILEMODES:perms} %{FILEUSERNAME} %{FILEGROUPNAME}\n]", package).splitlines()
    assert set(modes) == {f"{mode} root root" for mode in ("-rw-r--r--", "-rwxr-xr-x", "drwxr-xr-x")}


def test_the_configuration_is_the_operators(package: Path) -> None:
    assert run("rpm", "-qpc", package).split() == ["/etc/hwinfod/hwinfod.toml"]
    flags = run("rpm", "-qp", "--qf", "[%{FILENAMES} %{FILEFLAGS:fflags}\n]", package)
    assert "/etc/hwinfod/hwinfod.toml cn\n" in flags  # config, noreplace


@pytest.fixture(scope="module")
def rest(package: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """All that the package needs beside Python."""
    return stub_rpm(tmp_path_factory.mktemp("rest"), "rest", "1", provides=rpm_needs(package))


@pytest.mark.parametrize(
    ("python", "suffices"),
    [
        (("python3", "3.9.18"), False),
        (("python3", "3.10.1"), True),
        (("python3", "3.13.0"), True),
        (("python3.12", "3.12.5"), True),
        (("python3.11", "3.11.9"), True),
        (("python3.8", "3.8.1"), False),
    ],
)
def test_it_asks_for_a_python_that_it_runs_on(
    package: Path, rest: Path, tmp_path: Path, python: tuple[str, str], suffices: bool
) -> None:
    stub = stub_rpm(tmp_path, *python)
    done = subprocess.run(
        ["rpm", f"--dbpath={tmp_path}/db", "--install", "--test", "--force-debian", str(rest), str(stub), str(package)],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    complaint = "(python3 >= 3.10 or python3.12 or python3.11) is needed by hwinfod"
    assert ((done.returncode == 0), complaint in done.stderr) == (suffices, not suffices), done.stderr


@pytest.mark.parametrize(
    ("there", "python3", "picked"),
    [
        (["python3.13"], "python3.13", "python3.13"),
        (["python3.9", "python3.11", "python3.12"], "python3.9", "python3.12"),
        (["python3.6", "python3.11"], "python3.6", "python3.11"),
        (["python3.10", "python3.12"], "python3.10", "python3.10"),
        (["python3.12"], None, "python3.12"),
        (["python3.9"], "python3.9", None),
    ],
)
def test_the_launcher_picks_one(tmp_path: Path, there: list[str], python3: str | None, picked: str | None) -> None:
    for name in there:
        (tmp_path / name).write_text(f'#!/bin/sh\necho {name} "$@"\n')
        (tmp_path / name).chmod(0o755)
    if python3:
        (tmp_path / "python3").symlink_to(python3)
    picker = tmp_path / "picker"
    picker.write_text(PICKER.read_text().replace("/usr/bin/", f"{tmp_path}/"))
    done = subprocess.run(["sh", picker, "-IS", "x"], capture_output=True, text=True, check=False)
    if picked:
        assert (done.returncode, done.stdout) == (0, f"{picked} -IS x\n")
    else:
        assert (done.returncode, "dnf install python3.12" in done.stderr) == (78, True)


def test_the_launcher_tells_the_journal_an_error(tmp_path: Path) -> None:
    picker = tmp_path / "picker"
    picker.write_text(PICKER.read_text().replace("/usr/bin/", f"{tmp_path}/"))
    with (tmp_path / "said").open("w") as said:
        status = os.fstat(said.fileno())
        environ = {**os.environ, "JOURNAL_STREAM": f"{status.st_dev}:{status.st_ino}"}
        assert subprocess.run(["sh", picker], env=environ, stderr=said, check=False).returncode == 78
    assert (tmp_path / "said").read_text().startswith("<3>hwinfod needs Python")


def test_the_launcher_picks_what_the_package_asks_for(package: Path) -> None:
    (asked,) = [line for line in run("rpm", "-qpR", package).splitlines() if line.startswith("(")]
    assert set(re.findall(r"/usr/bin/(python3\.\d+)", PICKER.read_text())) == set(re.findall(r"python3\.\d+", asked))
