# SPDX-License-Identifier: MIT
from __future__ import annotations

import pytest

from hwinfod.core.metric import Level
from hwinfod.engine import discover
from hwinfod.settings import SETTINGS, TITLES, Setting, Table
from hwinfod.settings.daemon import LEVELS, SOCKET, STATE_DIR

CASES = [
    # uid, environment, socket, state directory
    (0, {}, "/run/hwinfod/hwinfod.sock", "/var/lib/hwinfod"),
    (0, {"XDG_RUNTIME_DIR": "/run/user/0", "HOME": "/root"}, "/run/hwinfod/hwinfod.sock", "/var/lib/hwinfod"),
    (0, {"RUNTIME_DIRECTORY": "/run/a:/run/b", "STATE_DIRECTORY": "/var/lib/a:/var/lib/b"},
     "/run/a/hwinfod.sock", "/var/lib/a"),
    (990, {"RUNTIME_DIRECTORY": "/run/hwinfod", "STATE_DIRECTORY": "/var/lib/hwinfod", "HOME": "/x"},
     "/run/hwinfod/hwinfod.sock", "/var/lib/hwinfod"),
    (7, {"XDG_RUNTIME_DIR": "/run/user/7/", "XDG_STATE_HOME": "/s", "HOME": "/h"},
     "/run/user/7/hwinfod/hwinfod.sock", "/s/hwinfod"),
    (7, {"HOME": "/h"}, "/tmp/hwinfod-7/hwinfod.sock", "/h/.local/state/hwinfod"),
    (7, {}, "/tmp/hwinfod-7/hwinfod.sock", "/tmp/hwinfod-7/state"),
    (7, {"XDG_RUNTIME_DIR": "run", "XDG_STATE_HOME": "s", "HOME": "h", "RUNTIME_DIRECTORY": ""},
     "/tmp/hwinfod-7/hwinfod.sock", "/tmp/hwinfod-7/state"),
]  # fmt: skip


@pytest.mark.parametrize(("uid", "environ", "socket", "state"), CASES)
def test_where_socket_and_state_are(uid: int, environ: dict[str, str], socket: str, state: str) -> None:
    assert SOCKET.default_for is not None
    assert STATE_DIR.default_for is not None
    assert SOCKET.default_for(environ, uid) == socket
    assert STATE_DIR.default_for(environ, uid) == state


def test_the_declared_default_is_that_of_the_packaged_service() -> None:
    for setting in SETTINGS:
        if setting.default_for is not None:
            assert setting.default_for({}, 0) == setting.default


@pytest.mark.parametrize("setting", SETTINGS, ids=lambda setting: setting.key)
def test_a_default_can_be_written_and_read(setting: Setting[object]) -> None:
    form = setting.form
    assert form.from_toml(form.to_toml(setting.default)) == setting.default


def test_levels_are_those_of_the_metrics() -> None:
    assert Level.names() == LEVELS


def test_flags_that_operators_know() -> None:
    flags = Table(SETTINGS, TITLES).by_flag
    for flag in (
        "--socket", "--state-dir", "--web.listen-address", "--web.config.file", "--textfile.directory", "--log-level",
        "--path.procfs", "--path.sysfs", "--path.rootfs",
    ):  # fmt: skip
        assert flag in flags


def test_every_title_has_its_section() -> None:
    collectors = {setting.section for kind in discover() for setting in kind.settings}
    assert {setting.section for setting in SETTINGS} <= TITLES.keys()
    assert TITLES.keys() <= {setting.section for setting in SETTINGS} | collectors
