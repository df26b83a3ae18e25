# SPDX-License-Identifier: MIT
"""Who asks, and what they may see: by the peer of the Unix socket and the setting `api.privacy`.

Root and the group `hwinfod` see everything; root alone changes anything, and the user whom the daemon runs as, whom
it could keep nothing from. Anyone else sees devices, totals and what is their own; with `open` everything but command
lines, which may hold passwords; with `group` nothing at all.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from hwinfod.errors import ReadError
from hwinfod.serve.http import problems
from hwinfod.serve.http.problems import Problem
from hwinfod.sources.group import read_group_id

if TYPE_CHECKING:
    from hwinfod.serve.http.messages import Peer

GROUP = "hwinfod"
ANOTHER_USER = "another user"


@dataclass(frozen=True, slots=True)
class Viewer:
    """`sees_all`: other people's work too. `may_change`: verbs that change state. `uid` is whose work is one's own."""

    uid: int
    sees_all: bool
    may_change: bool
    sees_command_lines: bool

    def sees_user(self, uid: int) -> bool:
        """Whether a process or owner of this user is shown by name."""
        return self.sees_all or uid == self.uid

    @property
    def kind(self) -> str:
        return "administrator" if self.may_change else "member" if self.sees_all else "user"


def viewer_of(peer: Peer | None, privacy: str, own_uid: int = 0) -> Viewer:
    """The viewer behind a connection to a daemon that runs as `own_uid`. Raises Problem (forbidden) where strangers see
    nothing."""
    if peer is None:
        return Viewer(uid=-1, sees_all=False, may_change=False, sees_command_lines=False)
    if peer.uid in (0, own_uid):
        return Viewer(peer.uid, sees_all=True, may_change=True, sees_command_lines=True)
    member = _group_id() in (peer.gid, *peer.groups)
    if privacy == "group" and not member:
        raise Problem(problems.FORBIDDEN, "only root and the group hwinfod may read this host")
    sees_all = member or privacy == "open"
    return Viewer(peer.uid, sees_all=sees_all, may_change=False, sees_command_lines=member)


def _group_id() -> int:
    """The group's id, looked up each time: packages may make the group after the daemon started. -1 without it."""
    try:
        found = read_group_id(GROUP)
    except ReadError:
        return -1
    return -1 if found is None else found
