# SPDX-License-Identifier: MIT
"""The units: systemd understands every line, and each drop-in keeps them as closed as promised."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

UNITS = Path(__file__).parents[2] / "systemd"
EXAMPLES = UNITS / "examples"
PAGES = Path(__file__).parents[2] / "docs" / "drop-ins"
# textfile-tmpfiles.conf is tmpfiles.d(5)'s.
DROP_INS = sorted(path.stem for path in EXAMPLES.glob("*.conf") if "tmpfiles" not in path.name)
AS_SHIPPED, WITH_ONE_DROP_IN = 25, 30  # tenths of systemd's exposure level

pytestmark = pytest.mark.tier("systemd")


def _unit_directory(directory: Path, *, drop_in: str = "", more: str = "") -> Path:
    """The units as they would lie in /etc/systemd/system, starting a program that every host has."""
    for unit in (*UNITS.glob("*.service"), *UNITS.glob("*.socket")):
        (directory / unit.name).write_text(
            unit.read_text().replace("ExecStart=/usr/sbin/hwinfod", "ExecStart=/bin/true")
        )
    service = directory / "hwinfod.service.d"
    service.mkdir()
    if drop_in:
        shutil.copy(EXAMPLES / f"{drop_in}.conf", service)
    if more:
        (service / "more.conf").write_text(more)
    return directory


def _analyze(verb: str, *arguments: str, directory: Path) -> subprocess.CompletedProcess[str]:
    command = ["systemd-analyze", "--no-pager", verb, *arguments]
    environ = {**os.environ, "SYSTEMD_UNIT_PATH": f"{directory}:", "SYSTEMD_COLORS": "0"}
    return subprocess.run(command, cwd=directory, capture_output=True, text=True, check=False, env=environ)


def _verify(directory: Path) -> subprocess.CompletedProcess[str]:
    units = [str(path) for path in sorted(directory.iterdir()) if path.is_file()]
    return _analyze("verify", "--man=no", *units, directory=directory)


def _exposure(directory: Path, threshold: int) -> subprocess.CompletedProcess[str]:
    return _analyze("security", "--offline=yes", f"--threshold={threshold}", "hwinfod.service", directory=directory)


@pytest.mark.parametrize("drop_in", ["", *DROP_INS])
def test_systemd_understands_every_line(drop_in: str, tmp_path: Path) -> None:
    done = _verify(_unit_directory(tmp_path, drop_in=drop_in))
    assert (done.returncode, done.stderr) == (0, "")


def test_a_line_that_it_does_not_understand_is_seen(tmp_path: Path) -> None:
    assert "Nonesuch" in _verify(_unit_directory(tmp_path, more="[Service]\nNonesuch=yes\n")).stderr


def test_the_service_is_closed_as_shipped(tmp_path: Path) -> None:
    done = _exposure(_unit_directory(tmp_path), AS_SHIPPED)
    assert done.returncode == 0, done.stdout.splitlines()[-1]


@pytest.mark.parametrize("drop_in", DROP_INS)
def test_the_service_is_closed_with_one_drop_in(drop_in: str, tmp_path: Path) -> None:
    done = _exposure(_unit_directory(tmp_path, drop_in=drop_in), WITH_ONE_DROP_IN)
    assert done.returncode == 0, done.stdout.splitlines()[-1]


@pytest.mark.parametrize(("major", "names"), [("195", {"nvidia", "nvidia-frontend"}), ("226", {"drm"})])
def test_a_major_is_allowed_by_its_names_too(major: str, names: set[str]) -> None:
    """systemd 239 looks for what is allowed among the names in /proc/devices."""
    allowed = re.findall(r"^DeviceAllow=char-(\S+) rw$", (UNITS / "hwinfod.service").read_text(), re.MULTILINE)
    assert {major, *names} <= set(allowed)


def test_a_line_that_opens_it_is_seen(tmp_path: Path) -> None:
    opened = _unit_directory(tmp_path, more="[Service]\nSystemCallFilter=\nCapabilityBoundingSet=~\n")
    assert _exposure(opened, WITH_ONE_DROP_IN).returncode != 0


def test_each_drop_in_has_its_page() -> None:
    assert sorted(path.stem for path in PAGES.glob("*.md")) == DROP_INS
