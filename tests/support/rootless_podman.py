# SPDX-License-Identifier: MIT
"""Podman as a user runs it: without root, with an account that this machine has in his mount namespace only."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path

from tests.support.container_runtimes import Podman

UID = 60_123
_BECOME = 'mount --bind "$0" /etc/passwd && exec setpriv --reuid={uid} --regid={uid} --clear-groups "$@"'


class RootlessPodman(Podman):
    """His service, at the socket that systemd would make for him. Takes root, to become him."""

    path = f"/run/user/{UID}/podman/podman.sock"

    def __init__(self, directory: Path) -> None:
        super().__init__(directory)
        directory.chmod(0o755)
        for path in (directory, *directory.rglob("*")):
            os.chown(path, UID, UID)
        self.socket.parents[1].chmod(0o700)
        self._passwd = directory / "passwd"
        self._passwd.write_text(f"root:x:0:0::/root:/bin/sh\nuser:x:{UID}:{UID}::{directory}:/bin/sh\n")

    def pids(self) -> list[int]:
        """With the process that keeps his user namespace, which has nothing in its command line."""
        found = super().pids()
        for entry in Path("/proc").glob("[0-9]*/environ"):
            with contextlib.suppress(OSError):
                if entry.stat().st_uid == UID and str(self.directory).encode() in entry.read_bytes():
                    found.append(int(entry.parent.name))
        return found

    def _base(self) -> list[str]:
        become = ["unshare", "--mount", "sh", "-c", _BECOME.format(uid=UID), str(self._passwd)]
        return [*become, *super()._base()]

    def _environ(self) -> dict[str, str]:
        path = super()._environ()["PATH"]
        return {"PATH": path, "HOME": str(self.directory), "XDG_RUNTIME_DIR": str(self.socket.parents[1])}
