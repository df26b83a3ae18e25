# SPDX-License-Identifier: MIT
"""A Debian of our own with systemd as its first process, in a container of systemd-nspawn(1)."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

_UNIT = """\
[Unit]
After=multi-user.target
[Service]
Type=idle
ExecStart=/bin/sh -c '/guest/guest.sh >/guest/log 2>&1; systemctl exit 0'
"""
_PACKAGES = "systemd,python3-minimal,python3"
# nspawn makes its cgroups beside the one it runs in: an own one, which is removed with them. In a PID namespace of
# its own it asks that one's first process, and not the host's, where it is.
_CONTAINED = """
for hierarchy in /sys/fs/cgroup /sys/fs/cgroup/unified /sys/fs/cgroup/systemd; do
    [ -e "$hierarchy/cgroup.procs" ] || continue
    mkdir -p "$hierarchy/$0" && echo $$ >"$hierarchy/$0/cgroup.procs" || exit 1
done
export SYSTEMD_NSPAWN_UNIFIED_HIERARCHY=1
exec setpriv --pdeathsig KILL unshare --pid --fork --kill-child --mount-proc -- \\
    systemd-nspawn --quiet --register=no --keep-unit --private-network --console=pipe "$@"
"""


def bootstrap(archive: Path, suite: str = "bookworm", *more: str) -> None:
    """The smallest Debian with systemd and python3, and `more` packages, as a tar file of 200 MB."""
    command = ["mmdebstrap", "--quiet", "--variant=minbase", f"--include={','.join([_PACKAGES, *more])}"]
    command += [f"--dpkgopt=path-exclude=/usr/share/{part}/*" for part in ("man", "doc", "locale")]
    done = _run([*command, suite, str(archive)])
    assert done.returncode == 0, done.stdout


def unpack(archive: Path, root: Path) -> None:
    root.mkdir()
    assert _run(["tar", "-C", str(root), "-xf", str(archive)]).returncode == 0


def boot(root: Path, directory: Path, seconds: float) -> str:
    """Boots what was unpacked, with `directory` at /guest, lets /guest/guest.sh run, and ends it. Returns what the
    console said."""
    unit = root / "etc/systemd/system/guest.service"
    unit.write_text(_UNIT)
    wants = unit.parent / "multi-user.target.wants"
    wants.mkdir(exist_ok=True)
    (wants / unit.name).symlink_to(f"/etc/systemd/system/{unit.name}")
    return contained("--boot", f"--directory={root}", f"--bind={directory}:/guest", seconds=seconds).stdout


def contained(*arguments: str, seconds: float) -> subprocess.CompletedProcess[str]:
    """systemd-nspawn with these arguments; after so many seconds it and all that it started are killed, and
    also when the tests are: unshare dies with its parent, and takes its namespace along."""
    name = f"hwinfod-guest-{os.getpid()}"
    try:
        return _run(["timeout", "--signal=KILL", str(seconds), "sh", "-c", _CONTAINED, name, *arguments])
    finally:
        for hierarchy in ("", "unified", "systemd"):
            _remove_cgroups(Path("/sys/fs/cgroup", hierarchy, name))


def _remove_cgroups(top: Path) -> None:
    for directory, _, _ in os.walk(top, topdown=False):
        try:
            os.rmdir(directory)
        except OSError:
            return  # something still ends in it; an empty cgroup harms nobody


def _run(command: list[str]) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False
    )
