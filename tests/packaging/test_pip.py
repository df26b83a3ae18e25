# SPDX-License-Identifier: MIT
"""The source release and its wheel: the same bytes twice, complete, and installed by pip and pipx."""

from __future__ import annotations

import re
import sys
import tarfile
import zipfile
from pathlib import Path

import pytest

from hwinfod._version import VERSION
from tests.support.notify import NotifySocket
from tests.support.packages import ROOT, run
from tests.support.processes import Program, clean_environ, running

EXTRAS = "amd,runtimes,web"

pytestmark = pytest.mark.timeout(600)


def _build(directory: Path) -> dict[str, bytes]:
    run(ROOT / "packaging/build-wheel.sh", sys.executable, directory)
    return {path.name: path.read_bytes() for path in directory.iterdir()}


@pytest.fixture(scope="module")
def release(tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("release")
    _build(directory)
    return directory


@pytest.fixture(scope="module")
def wheel(release: Path) -> Path:
    return release / f"hwinfod-{VERSION}-py3-none-any.whl"


def test_built_twice_it_is_the_same(release: Path, tmp_path: Path) -> None:
    again = _build(tmp_path)
    assert set(again) == {f"hwinfod-{VERSION}.tar.gz", f"hwinfod-{VERSION}-py3-none-any.whl"}
    assert again == {path.name: path.read_bytes() for path in release.iterdir()}


def test_the_wheel_has_every_module_and_what_an_operator_needs(wheel: Path) -> None:
    names = set(zipfile.ZipFile(wheel).namelist())
    modules = {path.relative_to(ROOT).as_posix() for path in (ROOT / "hwinfod").rglob("*.py")}
    data = {name.partition(".data/data/")[2] for name in names} - {""}
    assert modules | {"hwinfod/py.typed"} == {name for name in names if name.startswith("hwinfod/")}
    pages = {f"share/man/man{path.suffix[1:]}/{path.name}" for path in (ROOT / "man").iterdir()}
    units = {f"share/hwinfod/{path.relative_to(ROOT)}" for path in (ROOT / "systemd").rglob("*") if path.is_file()}
    assert pages | units <= data


def test_the_source_release_builds_packages_too(release: Path) -> None:
    with tarfile.open(release / f"hwinfod-{VERSION}.tar.gz") as archive:
        names = {name.partition("/")[2] for name in archive.getnames()}
    assert {
        "Makefile",
        "packaging/build-deb.sh",
        "packaging/build-rpm.sh",
        "requirements.txt",
        "docs/install.md",
    } <= names
    assert [name for name in names if "__pycache__" in name] == []


@pytest.fixture(scope="module")
def constraints(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The versions of the lock. Not its hashes: pip would ask for one of our wheel, too."""
    lock = (ROOT / "requirements-dev.txt").read_text()
    pins = re.findall(r"^[A-Za-z0-9._-]+==[^\\\n]*", lock, re.MULTILINE)
    file = tmp_path_factory.mktemp("pins") / "constraints.txt"
    file.write_text("".join(f"{pin.strip()}\n" for pin in pins))
    return file


def test_pip_installs_it_with_all_extras(wheel: Path, constraints: Path, tmp_path: Path) -> None:
    run(sys.executable, "-m", "venv", tmp_path / "v")
    commands = tmp_path / "v/bin"
    run(commands / "python", "-m", "pip", "install", "--quiet", "-c", constraints, f"{wheel}[{EXTRAS}]")
    run(commands / "python", "-m", "pip", "check")
    imports = "import bcrypt, grpclib.client, ruamel.yaml, hwinfod; print(hwinfod.__file__)"
    assert run(commands / "python", "-I", "-c", imports).startswith(str(tmp_path))
    assert run(commands / "hwinfoctl", "--version").split() == ["hwinfoctl", VERSION]
    assert (tmp_path / "v/share/man/man8/hwinfod.8").is_file()
    _answers(commands / "hwinfod", commands / "hwinfoctl", tmp_path)


@pytest.mark.tier("pipx")
def test_pipx_installs_it(wheel: Path, constraints: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PIPX_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("PIPX_BIN_DIR", str(tmp_path / "bin"))
    run("pipx", "install", f"--pip-args=--constraint={constraints}", wheel)
    assert {path.name for path in (tmp_path / "bin").iterdir()} == {"hwinfod", "hwinfoctl"}
    _answers(tmp_path / "bin/hwinfod", tmp_path / "bin/hwinfoctl", tmp_path)


def _answers(daemon: Path, client: Path, directory: Path) -> None:
    """The daemon starts from this installation and nothing else, and its client speaks with it."""
    socket, notified = directory / "socket", NotifySocket(str(directory / "notify"))
    environ = clean_environ(NOTIFY_SOCKET=notified.path)
    command = [daemon, f"--socket={socket}", f"--state-dir={directory / 'state'}"]
    with running(Program(command, environ=environ)) as program:
        program.wait_until(lambda: notified.has("READY", "1"), "READY")
        assert f"v{VERSION}" in run(client, f"--socket={socket}", "status")
        assert program.stop() == 0
    notified.close()
