# SPDX-License-Identifier: MIT
"""SIGHUP: what may change does, what takes a restart keeps its value and says so."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hwinfod.settings import reload
from hwinfod.settings.daemon import LOG_LEVEL, SOCKET

if TYPE_CHECKING:
    from tests.unit.settings.conftest import Etc


def test_nothing_changed(etc: Etc) -> None:
    result = reload(etc.load(), etc.load())
    assert (result.applied, result.deferred) == ((), ())


def test_what_is_applied_and_what_waits_for_a_restart(etc: Etc) -> None:
    old = etc.load()
    path = etc.main('# new\nlog_level = "debug"\nsocket = "/run/other.sock"\nzzz = 1\n')
    result = reload(old, etc.load())
    assert result.applied == (LOG_LEVEL,)
    assert result.deferred == (SOCKET,)
    assert result.settings[LOG_LEVEL] == "debug"
    assert str(result.settings.origin(LOG_LEVEL)) == f"{path}:2"
    assert result.settings[SOCKET] == old[SOCKET]
    assert str(result.settings.origin(SOCKET)) == "default"
    assert len(result.settings.warnings) == 1
    assert result.settings.files == (path,)


def test_a_deferred_change_is_told_again_until_the_restart(etc: Etc) -> None:
    first = etc.load()
    etc.main('socket = "/run/other.sock"\n')
    second = reload(first, etc.load()).settings
    assert reload(second, etc.load()).deferred == (SOCKET,)


def test_a_collectors_settings_are_applied(etc: Etc) -> None:
    old = etc.load()
    etc.main("[collector.cpu]\nenabled = false\n")
    result = reload(old, etc.load())
    assert [setting.key for setting in result.applied] == ["collector.cpu.enabled"]


def test_a_new_origin_alone_is_no_change(etc: Etc) -> None:
    old = etc.load()
    path = etc.main('log_level = "info"\n')
    result = reload(old, etc.load())
    assert (result.applied, result.deferred) == ((), ())
    assert str(result.settings.origin(LOG_LEVEL)) == f"{path}:1"
