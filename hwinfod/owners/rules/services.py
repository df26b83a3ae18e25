# SPDX-License-Identifier: MIT
"""Services of hosts that systemd does not manage: OpenRC and Talos. Their cgroups stand at the root of the tree.

Sources: openrc sh/rc-cgroup.sh; talos pkg/machinery/constants/constants.go (CgroupSystem, CgroupPodRuntimeRoot).
"""

from __future__ import annotations

from hwinfod.owners.identity import UNIT, Owner
from hwinfod.owners.rules.segments import before

_OPENRC = ("openrc.", "openrc_")  # v2, and v1's controllers
_PARENTS = ("openrc", "rc", "podruntime", "system")
_EXTENSIONS = "extensions"  # Talos: /system/extensions/<name>


def service(segments: list[str], position: int) -> Owner | None:
    """A service as the host's own command (rc-service, talosctl) takes it."""
    segment = segments[position]
    if position == 0:
        name = segment[len(_OPENRC[0]) :] if segment.startswith(_OPENRC) else ""
        return Owner(UNIT, unit=name) if name else None
    if position > 2 or segments[0] not in _PARENTS or segment == _EXTENSIONS:
        return None
    return Owner(UNIT, unit=segment) if position == 1 or before(segments, position) == _EXTENSIONS else None
