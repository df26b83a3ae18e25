# SPDX-License-Identifier: MIT
"""What a package installs, laid out as it will lie there: stage.py FORMAT ARCHITECTURE DIRECTORY

FORMAT is deb or rpm, ARCHITECTURE amd64 or arm64. DIRECTORY/root gets every file but those that a format has for
itself (scriptlets, changelogs); DIRECTORY/files their list, as `%files -f` of a spec reads it.
"""

from __future__ import annotations

import gzip
import shutil
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import bundle

ROOT = Path(__file__).resolve().parent.parent
MACHINES = {"amd64": "x86_64", "arm64": "aarch64"}  # Debian's name, and the kernel's and rpm's

# All that lead to each other.
DOCUMENTS = ("README.md", "CHANGELOG.md", "CONTRIBUTING.md", "SECURITY.md", "LICENSE", "docs")
# SOURCE and DESTINATION, below which it goes where that ends in "/". `bundle/` is what bundle.py fetched; what stands
# in braces is said below for each format.
FILES = (
    ("hwinfod", "usr/lib/hwinfod/"),
    ("bundle/lib/*", "usr/lib/hwinfod/"),
    ("packaging/launchers/hwinfod", "usr/sbin/"),
    ("packaging/launchers/hwinfoctl", "usr/bin/"),
    ("etc/hwinfod.toml", "etc/hwinfod/"),
    ("systemd/*.service", "{units}/"),
    ("systemd/*.socket", "{units}/"),
    ("systemd/hwinfod.sysusers", "usr/lib/sysusers.d/hwinfod.conf"),
    ("systemd/hwinfod.tmpfiles", "usr/lib/tmpfiles.d/hwinfod.conf"),
    ("systemd/hwinfod.rules", "usr/lib/udev/rules.d/70-hwinfod.rules"),
    ("completions/hwinfoctl.bash", "usr/share/bash-completion/completions/hwinfoctl"),
    ("completions/hwinfoctl.zsh", "usr/share/zsh/{zsh}/_hwinfoctl"),
    ("completions/hwinfoctl.fish", "usr/share/fish/vendor_completions.d/"),
    *((f"man/*.{section}", f"usr/share/man/man{section}/") for section in (1, 5, 7, 8)),
    ("systemd/examples/*", "usr/share/doc/hwinfod/examples/"),
    *((name, "usr/share/doc/hwinfod/") for name in DOCUMENTS),
    ("bundle/sbom.cdx.json", "usr/share/doc/hwinfod/"),
    ("bundle/licenses/*", "usr/share/{licenses}/"),
)
FORMAT_FILES = {
    "deb": (("packaging/debian/hwinfod.rtupdate", "usr/share/python3/runtime.d/"),),
    "rpm": (
        ("packaging/launchers/python", "usr/libexec/hwinfod/"),
        ("packaging/rpm/compile", "usr/libexec/hwinfod/"),
        ("LICENSE", "usr/share/{licenses}/hwinfod/"),
    ),
}
PLACES = {
    "deb": {"units": "lib/systemd/system", "zsh": "vendor-completions", "licenses": "doc/hwinfod/licenses"},
    "rpm": {"units": "usr/lib/systemd/system", "zsh": "site-functions", "licenses": "licenses/hwinfod"},
}
EMPTY = "etc/hwinfod/conf.d"  # for the operator's files
MARKS = {  # in rpm's list
    "/etc/": "%config(noreplace)",
    "/usr/share/doc/": "%doc",
    "/usr/share/licenses/": "%license",
    "/usr/share/man/": "%doc",
}
PYTHON = {"deb": "/usr/bin/python3", "rpm": "/usr/libexec/hwinfod/python"}


def stage(kind: str, architecture: str, directory: Path) -> None:
    root = directory / "root"
    with tempfile.TemporaryDirectory() as fetched:
        bundle.build(Path(fetched), MACHINES[architecture])
        for source, destination in (*FILES, *FORMAT_FILES[kind]):
            for path in _sources(source, Path(fetched)):
                to = destination.format(**PLACES[kind])
                _copy(path, root / to / path.name if to.endswith("/") else root / to)
    (root / EMPTY).mkdir()
    for page in (root / "usr/share/man").rglob("*.[0-9]"):
        page.with_name(f"{page.name}.gz").write_bytes(gzip.compress(page.read_bytes(), mtime=0))
        page.unlink()
    for launcher in (root / "usr/sbin/hwinfod", root / "usr/bin/hwinfoctl"):
        launcher.write_text(launcher.read_text().replace(f"#!{PYTHON['deb']} ", f"#!{PYTHON[kind]} ", 1))
    (directory / "files").write_text("".join(f"{line}\n" for line in _listed(root)))


def _sources(pattern: str, fetched: Path) -> list[Path]:
    base, pattern = (fetched, pattern.removeprefix("bundle/")) if pattern.startswith("bundle/") else (ROOT, pattern)
    found = sorted(base.glob(pattern))
    if not found:
        raise SystemExit(f"{pattern}: there is no such file")
    return found


def _copy(source: Path, to: Path) -> None:
    """With its permission to be run, and no other."""
    if source.is_dir():
        for path in source.iterdir():
            if path.name != "__pycache__":
                _copy(path, to / path.name)
        return
    to.parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(source, to)
    to.chmod(0o755 if source.stat().st_mode & 0o100 else 0o644)


def _listed(root: Path) -> Iterator[str]:
    """Each file, and each directory that is ours alone."""
    for path in sorted(root.rglob("*")):
        name = f"/{path.relative_to(root)}"
        if path.is_dir():
            if "/hwinfod/" in f"{name}/":
                yield f"%dir {name}"
        else:
            yield next((f"{mark} {name}" for start, mark in MARKS.items() if name.startswith(start)), name)


if __name__ == "__main__":
    stage(sys.argv[1], sys.argv[2], Path(sys.argv[3]))
