# SPDX-License-Identifier: MIT
"""The rpm package's life: put by rpm into a root that nobody booted, then upgraded, downgraded and erased in it."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import pytest

from hwinfod._version import VERSION
from tests.support import nspawn
from tests.support.packages import Seen, build, files, other_release, rpm_needs, run, stub_rpm

SCRIPT = Path(__file__).with_name("rpm_guest.sh")
_MIB = 1 << 20

pytestmark = [pytest.mark.tier("rpm", "deb", "nspawn", "root"), pytest.mark.timeout(600)]


@dataclass(frozen=True)
class Life:
    """What rpm said when it put the package into the root, what the root had then, and what the guest saw."""

    said: str
    placed: set[str]
    accounts: str
    enabled: set[str]
    seen: Seen


@pytest.fixture(scope="module")
def life(rpms: dict[str, Path], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Life]:
    directory = tmp_path_factory.mktemp("rpm")
    shared, root = directory / "shared", directory / "root"
    shared.mkdir()
    with ThreadPoolExecutor(1) as pool:
        bootstrapped = pool.submit(nspawn.bootstrap, directory / "debian.tar", "bookworm", "rpm")
        older = _older(directory)
        bootstrapped.result()
    try:
        nspawn.unpack(directory / "debian.tar", root)
        (directory / "debian.tar").unlink()
        shutil.copy(older, shared / "old.rpm")
        shutil.copy(rpms["amd64"], shared / "new.rpm")
        shutil.copy(stub_rpm(directory, "python3", "3.11.99"), shared / "python.rpm")
        shutil.copy(SCRIPT, shared / "guest.sh")
        system = stub_rpm(directory, "system", "1", provides=rpm_needs(older))
        python = stub_rpm(directory, "python3", "3.11.2")
        before = files(root)
        said = run("rpm", f"--root={root}", "--dbpath=/var/lib/rpm", "--install", system, python, older)
        placed = {name for name in files(root) - before if not name.startswith("var/lib/rpm/")}
        accounts = (root / "etc/passwd").read_text()
        enabled = {path.name for path in (root / "etc/systemd/system").rglob("*hwinfod*")}
        console = nspawn.boot(root, shared, seconds=240)
        assert (shared / "seen/done").exists(), console[-5000:]
        yield Life(said, placed, accounts, enabled, Seen(shared / "seen"))
    finally:
        shutil.rmtree(root, ignore_errors=True)


def _older(directory: Path) -> Path:
    """An older release: with a module that the newer has not, and another configuration."""
    tree = other_release(directory / "older", "0.0.1")
    (tree / "hwinfod/gone.py").write_text("")
    with (tree / "etc/hwinfod.toml").open("a") as configuration:
        configuration.write("# of the older release\n")
    return build("rpm", directory / "built", ["amd64"], tree=tree)["amd64"]


def test_it_installs_into_a_root_that_nobody_booted(life: Life) -> None:
    assert life.said == ""
    assert {"usr/sbin/hwinfod", "etc/hwinfod/hwinfod.toml", "usr/lib/systemd/system/hwinfod.service"} <= life.placed
    assert "hwinfod:x:" in life.accounts
    assert life.enabled == {"hwinfod.service"}
    assert "usr/lib/hwinfod/hwinfod/__pycache__/gone.cpython-311.pyc" in life.placed
    assert [name for name in life.placed if name.startswith("run/")] == []


def test_it_runs_after_the_boot_as_its_user(life: Life) -> None:
    assert life.seen("active").split() == ["active", "active"]
    assert life.seen.both("enabled")[0].split() == ["enabled", "disabled"]
    assert life.seen("user") == "hwinfod"
    assert json.loads(life.seen("older"))["version"] == "0.0.1"
    states = {state["name"]: state["state"] for state in json.loads(life.seen("collectors"))["collectors"]}
    assert set(states.values()) <= {"ok", "absent"}


def test_rpm_verifies_it(life: Life) -> None:
    assert life.seen("verify") == ""
    changed, status = life.seen.both("changed")
    assert (changed.split()[1:], status) == (["c", "/etc/hwinfod/hwinfod.toml"], 1)


def test_an_upgrade_restarts_it_and_keeps_what_is_the_operators(life: Life) -> None:
    assert ".rpmnew" in life.seen("upgrade")
    assert json.loads(life.seen("upgraded"))["version"] == VERSION
    assert life.seen("configuration") == "# kept"
    assert life.seen("state") == "kept"
    assert set(life.seen("beside").split()) == {f"/etc/hwinfod/hwinfod.toml{end}" for end in ("", ".rpmnew")}


def test_what_was_compiled_follows_the_package_and_python(life: Life) -> None:
    assert life.seen("gone") == ""
    (compiled,) = life.seen("compiled").splitlines()
    assert compiled.split()[1] == "cpython-311"
    assert int(compiled.split()[0]) > 300
    life.seen("python")
    assert life.seen("recompiled") == compiled


def test_masked_it_is_not_restarted_by_a_downgrade(life: Life) -> None:
    life.seen("downgrade")
    assert json.loads(life.seen("not_restarted"))["version"] == VERSION
    life.seen("restart")
    assert json.loads(life.seen("downgraded"))["version"] == "0.0.1"


def test_erased_it_leaves_what_the_operator_wrote_and_the_account(life: Life) -> None:
    life.seen("erase")
    assert life.seen.both("inactive")[0].split() == ["inactive", "inactive"]
    assert int(life.seen("account")) > 0
    left = set(life.seen("left").split())
    assert left == {"/var/lib/hwinfod", "/etc/hwinfod", *(f"/etc/hwinfod/hwinfod.toml.rpm{x}" for x in ("save", "new"))}


def test_the_journal_has_priorities_and_no_traceback(life: Life) -> None:
    entries = [json.loads(line) for line in life.seen("journal").splitlines()]
    assert {entry["PRIORITY"] for entry in entries} > {"6"}
    assert not any(str(entry["MESSAGE"]).startswith(("<", "Traceback")) for entry in entries)
