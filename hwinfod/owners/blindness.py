# SPDX-License-Identifier: MIT
"""Why processes may be there that we do not see. Said wherever owners are shown: what cannot be looked at is
not the same as nobody."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from hwinfod.errors import ParseError, ReadError
from hwinfod.sources.files import link_name, read_file
from hwinfod.sources.process import parse_hidepid, read_status

if TYPE_CHECKING:
    from hwinfod.core.host import RootPaths

_CAP_SYS_PTRACE = 19  # include/uapi/linux/capability.h
# The host's own: PID_NS_INIT_INO, include/uapi/linux/nsfs.h
_HOST_PID_NAMESPACE = "pid:[4026531836]"


def reasons(roots: RootPaths) -> tuple[str, ...]:
    """What keeps us from seeing processes of this host, each with its remedy; none where we see them all."""
    found = []
    may_trace = _may_trace(roots)
    hidden = _hidden(roots, may_trace)
    if hidden:
        found.append(
            f"attribution blind: {roots.procfs} hides other users' processes (hidepid={hidden}): "
            "give the daemon CAP_SYS_PTRACE, or mount it with gid= of a group that the daemon is in"
        )
    if link_name(roots.proc("self", "ns", "pid")) not in ("", _HOST_PID_NAMESPACE):
        found.append(
            "attribution blind: the daemon is in a PID namespace of its own and sees only what runs in it: "
            "use the host's (hostPID: true, --pid=host)"
        )
    if not may_trace:
        found.append(
            "attribution blind: without CAP_SYS_PTRACE the device files that other users' processes hold open "
            "cannot be seen"
        )
    return tuple(found)


def _may_trace(roots: RootPaths) -> bool:
    try:
        return bool(read_status(roots).capabilities >> _CAP_SYS_PTRACE & 1)
    except (ReadError, ParseError):
        return False


def _hidden(roots: RootPaths, may_trace: bool) -> str:
    """The mode in which processes are hidden from us. Source: fs/proc/base.c has_pid_permissions()."""
    if may_trace:
        return ""
    try:
        options = parse_hidepid(read_file(roots.proc("self", "mounts")), roots.procfs)
    except ReadError:
        return ""
    is_exempt = options.hidepid != "ptraceable" and options.gid in (os.getegid(), *os.getgroups())
    return "" if is_exempt else options.hidepid
