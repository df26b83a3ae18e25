# SPDX-License-Identifier: MIT
"""Who asks decides what is seen."""

from __future__ import annotations

import errno
import grp

import pytest

from hwinfod.errors import Denied
from hwinfod.serve import viewer
from hwinfod.serve.http.messages import Peer
from hwinfod.serve.http.problems import Problem
from hwinfod.serve.viewer import viewer_of

GROUP_ID = 990
DAEMON = 991


@pytest.fixture(autouse=True)
def _group(monkeypatch):
    monkeypatch.setattr(viewer, "read_group_id", lambda name: GROUP_ID)


def peer(uid, *groups, gid=100):
    return Peer(pid=1, uid=uid, gid=gid, groups=groups)


@pytest.mark.parametrize("privacy", ["open", "own", "group"])
@pytest.mark.parametrize("uid", [0, DAEMON])
def test_root_and_who_runs_the_daemon_see_and_change_everything(privacy, uid):
    seen = viewer_of(peer(uid), privacy, DAEMON)
    assert (seen.uid, seen.sees_all, seen.may_change, seen.sees_command_lines) == (uid, True, True, True)


@pytest.mark.parametrize("privacy", ["open", "own", "group"])
@pytest.mark.parametrize("member", [peer(1000, 4, GROUP_ID), peer(1000, gid=GROUP_ID)])
def test_the_group_sees_everything_and_changes_nothing(privacy, member):
    seen = viewer_of(member, privacy)
    assert (seen.sees_all, seen.may_change, seen.sees_command_lines) == (True, False, True)


def test_a_stranger_sees_what_is_their_own():
    seen = viewer_of(peer(1000), "own")
    assert (seen.sees_all, seen.may_change, seen.sees_command_lines) == (False, False, False)
    assert seen.sees_user(1000)
    assert not seen.sees_user(1001)
    assert not seen.sees_user(0)


def test_a_stranger_sees_all_where_it_is_open_and_nothing_where_it_is_the_groups():
    seen = viewer_of(peer(1000), "open")
    assert (seen.sees_all, seen.sees_command_lines) == (True, False)
    with pytest.raises(Problem):
        viewer_of(peer(1000), "group")


def test_without_the_group_nobody_is_in_it(monkeypatch):
    monkeypatch.setattr(viewer, "read_group_id", lambda name: None)
    assert not viewer_of(peer(1000, 4), "own").sees_all


def test_without_a_list_of_groups_nobody_is_in_it(monkeypatch):
    def unreadable(name):
        raise Denied("/etc/group", errno.EACCES)

    monkeypatch.setattr(viewer, "read_group_id", unreadable)
    assert not viewer_of(peer(1000, 4), "own").sees_all


def test_no_directory_server_is_asked(monkeypatch):
    """It may wait as long as it likes, and every answer of the daemon with it."""
    monkeypatch.undo()
    monkeypatch.setattr(grp, "getgrnam", None)
    assert not viewer_of(peer(1000), "own").sees_all
