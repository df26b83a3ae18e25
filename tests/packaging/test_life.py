# SPDX-License-Identifier: MIT
"""The Debian package's life in guests of Debian 12 and Debian 13: apt, the service, the drop-ins, Prometheus and
node_exporter beside it, what it comes back from, a reboot among it. The checks are in guest/, one file a subject."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from hwinfod._version import VERSION
from tests.support import nvml_profiles
from tests.support.nvml import FakeNvml
from tests.support.packages import ROOT, run
from tests.vm import vm
from tests.vm.build import SUITES
from tests.vm.devices import DISK, hardware
from tests.vm.reports import checks_of

GUEST = Path(__file__).with_name("guest")
# In this order: the first installs what the last removes.
BEFORE = (
    *("installation", "service", "viewers", "late", "drop_ins", "faces", "confinement", "recovery", "journal"),
    "before_reboot",
)
AFTER = ("after_reboot", "removal")
CHECKS = [f"{subject}.{check}" for subject in BEFORE + AFTER for check in checks_of(GUEST / f"{subject}.py")]
SHARED = [ROOT / "tests" / name for name in ("vm/in_guest.py", "support/unix_http.py", "support/hung_mount.py")]
_LIMIT_SECONDS = 2400
# What is found before the reboot is kept on the disk; the journal is not, and begins anew.
_SCRIPT = f"""
kept=/var/tmp/kept
export PYTHONPATH=$IN
if [ ! -e $kept ]; then
    mkdir $kept
    OUT=$kept python3 program.py "{" ".join(BEFORE)}" || exit
    mv $kept/report.json $kept/before.json
    systemctl reboot
    exec sleep infinity
fi
OUT=$kept python3 program.py "{" ".join(AFTER)}" || exit
cp -a $kept/. "$OUT"
"""

pytestmark = [pytest.mark.tier("vm", "deb", "compiler"), pytest.mark.timeout(2700)]


@pytest.fixture(scope="module")
def repository(debs: dict[str, Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The package in two versions, as apt reads a directory. The older has another configuration file."""
    directory = tmp_path_factory.mktemp("repository")
    tree = directory / "older"
    run("dpkg-deb", "-R", debs["amd64"], tree)
    control = tree / "DEBIAN/control"
    control.write_text(control.read_text().replace(f"Version: {VERSION}-", "Version: 0.0.1-"))
    with (tree / "etc/hwinfod/hwinfod.toml").open("a") as file:
        file.write("# of an older version\n")
    run("dpkg-deb", "--root-owner-group", "-b", tree, directory / "older.deb")
    shutil.rmtree(tree)
    shutil.copy(debs["amd64"], directory / "newer.deb")
    index = subprocess.run(
        ["dpkg-scanpackages", "--multiversion", "."], cwd=directory, capture_output=True, text=True, check=True
    )
    (directory / "Packages").write_text(index.stdout)
    return directory


@pytest.fixture(scope="module", params=SUITES)
def report(
    request: pytest.FixtureRequest, repository: Path, tmp_path_factory: pytest.TempPathFactory
) -> dict[str, str]:
    """What each check found, out of two boots of one guest: "" or a traceback."""
    devices = tmp_path_factory.mktemp("hardware")
    qemu = [*hardware(devices), "-device", "edu,bus=pcie.0"]  # which late_gpus.c drives
    qemu += ["-smbios", "type=1,serial=GUEST-HOST-0"]
    FakeNvml(devices / "nvml", nvml_profiles.a100(1), place=devices / "nvml/lib")
    run("/sbin/mke2fs", "-q", "-t", "ext4", devices / DISK)  # for recovery.py
    files = {
        **{path.name: path for path in GUEST.glob("*.py")},
        **{path.name: path for path in SHARED},
        "repository": repository,
        "nvml": devices / "nvml",
    }
    result = vm.run(
        _SCRIPT,
        files,
        suite=request.param,
        image="plain",
        limit_seconds=_LIMIT_SECONDS,
        reboots=True,
        qemu=qemu,
    ).check()
    print(result.log)
    found: dict[str, str] = result.json("before.json") | result.json("report.json")
    return found


@pytest.mark.parametrize("check", CHECKS)
def test_in_a_guest(report: dict[str, str], check: str) -> None:
    assert report[check] == ""
