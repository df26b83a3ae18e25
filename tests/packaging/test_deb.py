# SPDX-License-Identifier: MIT
"""The Debian package: the same bytes twice, nothing that Debian's own checker objects to, and a life with systemd."""

from __future__ import annotations

import hashlib
import json
import re
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from hwinfod._version import VERSION
from tests.support import nspawn

ROOT = Path(__file__).parents[2]
SCRIPT = Path(__file__).with_name("guest.sh")
_MIB = 1 << 20

pytestmark = [pytest.mark.tier("deb"), pytest.mark.timeout(600)]


def _run(*command: str | Path, cwd: Path | None = None) -> str:
    done = subprocess.run([*map(str, command)], cwd=cwd, capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"{command}:\n{done.stdout[-5000:]}\n{done.stderr[-5000:]}"
    return done.stdout


def _build(directory: Path) -> Path:
    _run(ROOT / "packaging/build-deb.sh", sys.executable, directory)
    (package,) = directory.glob("*.deb")
    return package


@pytest.fixture(scope="module")
def package(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return _build(tmp_path_factory.mktemp("deb"))


@pytest.fixture(scope="module")
def content(package: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("content")
    _run("dpkg-deb", "-x", package, directory)
    return directory


def test_the_changelog_has_the_programs_version() -> None:
    first = (ROOT / "packaging/debian/changelog").read_text().partition("\n")[0]
    assert re.fullmatch(rf"hwinfod \({re.escape(VERSION)}-\d+\) \S+; urgency=\w+", first)


def test_built_twice_it_is_the_same(package: Path, tmp_path: Path) -> None:
    again = _build(tmp_path)
    assert hashlib.sha256(again.read_bytes()).digest() == hashlib.sha256(package.read_bytes()).digest()


def test_lintian_is_content(package: Path) -> None:
    done = subprocess.run(
        ["lintian", "--pedantic", "--allow-root", "--fail-on=error,warning,pedantic", package],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert (done.returncode, done.stdout) == (0, "")


def test_it_has_its_files_and_no_others(content: Path) -> None:
    names = {str(path.relative_to(content)) for path in content.rglob("*") if path.is_file()}
    outside = {name for name in names if not re.match(r"usr/lib/hwinfod/|usr/share/doc/hwinfod/licenses/", name)}
    examples = {path.name for path in (ROOT / "systemd/examples").iterdir()}
    assert outside == {
        "etc/hwinfod/hwinfod.toml",
        "usr/bin/hwinfoctl",
        "usr/sbin/hwinfod",
        *(f"lib/systemd/system/{unit}" for unit in ("hwinfod.service", "hwinfod.socket", "hwinfod-metrics.socket")),
        "usr/lib/sysusers.d/hwinfod.conf",
        "usr/lib/tmpfiles.d/hwinfod.conf",
        "usr/share/bash-completion/completions/hwinfoctl",
        "usr/share/zsh/vendor-completions/_hwinfoctl",
        "usr/share/fish/vendor_completions.d/hwinfoctl.fish",
        "usr/share/python3/runtime.d/hwinfod.rtupdate",
        "usr/share/lintian/overrides/hwinfod",
        *(f"usr/share/man/man{page[-1]}/{page}.gz" for page in _pages()),
        *(f"usr/share/doc/hwinfod/examples/{name}" for name in examples),
        *(f"usr/share/doc/hwinfod/{n}" for n in ("SECURITY.md", "changelog.Debian.gz", "copyright", "sbom.cdx.json")),
    }
    modules = {path.relative_to(ROOT) for path in (ROOT / "hwinfod").rglob("*.py")}
    assert {f"usr/lib/hwinfod/{module}" for module in modules} <= names
    assert [name for name in names if name.endswith((".pyc", ".so")) and not name.endswith(".abi3.so")] == []


def _pages() -> Iterator[str]:
    yield from (path.name for path in (ROOT / "man").iterdir())


def test_it_says_what_it_carries(content: Path) -> None:
    sbom = json.loads((content / "usr/share/doc/hwinfod/sbom.cdx.json").read_text())
    locked = (ROOT / "requirements.txt").read_text()
    assert len(sbom["components"]) >= 9
    for component in sbom["components"]:
        assert component["hashes"][0]["content"] in locked, component["name"]
        assert list((content / "usr/share/doc/hwinfod/licenses" / component["name"]).iterdir()), component["name"]


class Seen:
    """What guest.sh left."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory

    def __call__(self, name: str) -> str:
        """The output of a step that must have succeeded."""
        text, status = self.both(name)
        assert status == 0, f"{name}: {text}"
        return text

    def both(self, name: str) -> tuple[str, int]:
        *lines, status = (self._directory / name).read_text().splitlines()
        return "\n".join(lines), int(status)


@pytest.fixture(scope="module")
def seen(package: Path, tmp_path_factory: pytest.TempPathFactory) -> Seen:
    """The life of the package, once: installed, upgraded, downgraded, removed, purged."""
    directory = tmp_path_factory.mktemp("guest")
    shared = directory / "shared"
    shared.mkdir()
    with ThreadPoolExecutor(1) as pool:
        bootstrapped = pool.submit(nspawn.bootstrap, directory / "debian.tar")
        (shared / "new.deb").write_bytes(package.read_bytes())
        _make_older(package, shared / "old.deb", directory)
        script = shared / "guest.sh"
        script.write_bytes(SCRIPT.read_bytes())
        script.chmod(0o755)
        bootstrapped.result()
    console = nspawn.boot(directory / "debian.tar", shared, seconds=240)
    (directory / "debian.tar").unlink()
    assert (shared / "seen/done").exists(), console[-5000:]
    return Seen(shared / "seen")


def _make_older(package: Path, older: Path, directory: Path) -> None:
    """The same package with a lower version."""
    tree = directory / "older"
    _run("dpkg-deb", "-R", package, tree)
    control = tree / "DEBIAN/control"
    control.write_text(control.read_text().replace(f"Version: {VERSION}-", "Version: 0.0.1-"))
    _run("dpkg-deb", "--root-owner-group", "-b", tree, older)


@pytest.mark.tier("nspawn")
def test_installed_it_runs_as_its_user_with_two_capabilities(seen: Seen) -> None:
    seen("install")
    assert seen("active").split() == ["active", "active"]
    assert seen.both("enabled")[0].split() == ["enabled", "disabled"]
    assert seen("socket") == "root 666"
    assert seen("user") == "hwinfod"
    bits = int(seen("capabilities").split()[1], 16)
    assert bits == 1 << 2 | 1 << 19  # CAP_DAC_READ_SEARCH, CAP_SYS_PTRACE: linux/capability.h
    assert seen("units") == ""


@pytest.mark.tier("nspawn")
def test_no_collector_fails_under_the_shipped_unit(seen: Seen) -> None:
    states = {state["name"]: state["state"] for state in json.loads(seen("collectors"))["collectors"]}
    assert set(states.values()) <= {"ok", "absent"}
    assert [states[name] for name in ("cpu", "memory", "disks", "network", "filesystems", "owners")] == ["ok"] * 6
    assert json.loads(seen("stranger"))["hostname"]


@pytest.mark.tier("nspawn")
def test_it_reloads_and_comes_back_when_frozen(seen: Seen) -> None:
    seen("reload")
    seen("watchdog")
    assert int(seen("restarts")) >= 1


@pytest.mark.tier("nspawn")
def test_an_upgrade_restarts_it_and_keeps_what_is_the_operators(seen: Seen) -> None:
    seen("upgrade")
    seen("upgraded")
    assert seen("configuration") == "# kept"
    assert seen("state") == "kept"
    seen("downgrade")
    seen("downgraded")


@pytest.mark.tier("nspawn")
def test_its_sockets_are_systemds(seen: Seen) -> None:
    assert "hw_load1 " in seen("metrics")
    seen("stop")
    assert seen("listening") == "666"
    seen("activated")


@pytest.mark.tier("nspawn")
def test_a_wrong_configuration_is_told_and_not_tried_again(seen: Seen) -> None:
    assert seen.both("bad_configuration")[0].split()[-2:] == ["78", "failed"]


@pytest.mark.tier("nspawn")
def test_it_is_small_and_compiled(seen: Seen) -> None:
    assert len(seen("compiled").splitlines()) > 300
    assert int(seen("size").split()[0]) * 1024 <= 20 * _MIB


@pytest.mark.tier("nspawn")
def test_nothing_is_left(seen: Seen) -> None:
    seen("remove")
    assert "hwinfod.sock: No such file" in seen.both("removed")[0].replace("'", "")
    assert "/usr/lib/hwinfod/" not in seen.both("removed")[0]
    seen("purge")
    assert seen("left") == ""


@pytest.mark.tier("nspawn")
def test_the_journal_has_priorities_and_no_traceback(seen: Seen) -> None:
    entries = [json.loads(line) for line in seen("journal").splitlines()]
    assert {entry["PRIORITY"] for entry in entries} > {"6"}
    assert not any(str(entry["MESSAGE"]).startswith(("<", "Traceback")) for entry in entries)
