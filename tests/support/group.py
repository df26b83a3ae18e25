# SPDX-License-Identifier: MIT
"""The group `hwinfod`, in the daemon's own mount namespace only, so that no account of this machine changes."""

from __future__ import annotations

from pathlib import Path

GROUP_ID = 64_123


def knows_group(directory: Path) -> list[str]:
    """What a daemon is to be started by, to know the group. Takes root."""
    groups = directory / "group"
    groups.write_text(f"root:x:0:\nhwinfod:x:{GROUP_ID}:\n")
    return ["unshare", "--mount", "sh", "-c", 'mount --bind "$0" /etc/group && exec "$@"', str(groups)]
