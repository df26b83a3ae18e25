# SPDX-License-Identifier: MIT
"""The Debian package as a file: the same bytes twice, nothing that Debian's own checker objects to, what it brings."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from hwinfod._version import VERSION
from tests.support.packages import ARCHITECTURES, ROOT, build, files, unpack

pytestmark = [pytest.mark.tier("deb"), pytest.mark.timeout(600)]


@pytest.fixture(scope="module")
def package(debs: dict[str, Path]) -> Path:
    return debs["amd64"]


@pytest.fixture(scope="module")
def content(package: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return unpack(package, tmp_path_factory.mktemp("content") / "deb")


def test_the_changelog_has_the_programs_version() -> None:
    first = (ROOT / "packaging/debian/changelog").read_text().partition("\n")[0]
    assert re.fullmatch(rf"hwinfod \({re.escape(VERSION)}-\d+\) \S+; urgency=\w+", first)


def test_built_twice_it_is_the_same(package: Path, tmp_path: Path) -> None:
    assert build("deb", tmp_path, ["amd64"])["amd64"].read_bytes() == package.read_bytes()


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_lintian_is_content(debs: dict[str, Path], architecture: str) -> None:
    done = subprocess.run(
        ["lintian", "--pedantic", "--allow-root", "--fail-on=error,warning,pedantic", debs[architecture]],
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
        "usr/lib/udev/rules.d/70-hwinfod.rules",
        "usr/share/bash-completion/completions/hwinfoctl",
        "usr/share/zsh/vendor-completions/_hwinfoctl",
        "usr/share/fish/vendor_completions.d/hwinfoctl.fish",
        "usr/share/python3/runtime.d/hwinfod.rtupdate",
        "usr/share/lintian/overrides/hwinfod",
        *(f"usr/share/man/man{page[-1]}/{page}.gz" for page in _pages()),
        *(f"usr/share/doc/hwinfod/examples/{name}" for name in examples),
        *(f"usr/share/doc/hwinfod/docs/{name}" for name in files(ROOT / "docs")),
        *(f"usr/share/doc/hwinfod/{path.name}" for path in (*ROOT.glob("*.md"), ROOT / "LICENSE")),
        *(f"usr/share/doc/hwinfod/{name}" for name in ("changelog.Debian.gz", "copyright")),
        "usr/share/doc/hwinfod/sbom.cdx.json",
    }
    modules = {path.relative_to(ROOT) for path in (ROOT / "hwinfod").rglob("*.py")}
    assert {f"usr/lib/hwinfod/{module}" for module in modules} <= names
    assert [name for name in names if name.endswith((".pyc", ".so")) and not name.endswith(".abi3.so")] == []


def _pages() -> Iterator[str]:
    yield from (path.name for path in (ROOT / "man").iterdir())
