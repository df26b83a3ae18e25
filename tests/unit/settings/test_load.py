# SPDX-License-Identifier: MIT
"""Precedence and origins, unknown keys, secrets."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING

import pytest

from hwinfod.settings import Address, Setting, Settings, Table
from hwinfod.settings.daemon import LOG_LEVEL, RING_BYTES, SOCKET, TEXTFILE_DIRECTORY, WEB_LISTEN_ADDRESS

if TYPE_CHECKING:
    from tests.unit.settings.conftest import Etc


def setting(table: Table, key: str) -> Setting[object]:
    return table.by_path[tuple(key.split("."))]


def test_nothing_configured_is_the_defaults(etc: Etc) -> None:
    settings = etc.load()
    for item in etc.table:
        assert settings[item] == item.default, item.key
        assert str(settings.origin(item)) == "default"
    assert settings.warnings == ()
    assert settings.files == ()


def test_each_layer_wins_over_those_before_it(etc: Etc) -> None:
    named = etc.write("named.toml", 'log_level = "error"\n')
    layers = [
        ("usr/10-a.toml", "debug"),
        ("usr/20-b.toml", "warning"),
        ("etc/hwinfod.toml", "error"),
        ("etc/conf.d/10-a.toml", "debug"),
        ("etc/conf.d/20-b.toml", "warning"),
    ]
    for name, level in layers:
        path = etc.write(name, f'log_level = "{level}"\n')
        settings = etc.load()
        assert settings[LOG_LEVEL] == level
        assert str(settings.origin(LOG_LEVEL)) == f"{path}:1"
    assert str(etc.load("--config", named).origin(LOG_LEVEL)) == f"{named}:1"
    environ = {"HWINFOD_LOG_LEVEL": "debug"}
    settings = etc.load("--config", named, environ=environ)
    assert settings[LOG_LEVEL] == "debug"
    assert str(settings.origin(LOG_LEVEL)) == "environment HWINFOD_LOG_LEVEL"
    settings = etc.load("--config", named, "--log-level=info", environ=environ)
    assert settings[LOG_LEVEL] == "info"
    assert str(settings.origin(LOG_LEVEL)) == "flag --log-level"


def test_a_named_file_stands_in_for_the_main_file(etc: Etc) -> None:
    etc.main('[ring]\nbytes = "8MiB"\n')
    named = etc.write("named.toml", 'log_level = "debug"\n')
    settings = etc.load("--config", named)
    assert settings[RING_BYTES] == RING_BYTES.default
    assert settings.files == (named,)


def test_drop_ins_are_read_in_byte_order(etc: Etc) -> None:
    names = ["B.toml", "a.toml", "10.toml", "9.toml", "é.toml", "Z.toml"]
    for name in names:
        etc.write(f"etc/conf.d/{name}", 'log_level = "debug"\n')
    settings = etc.load()
    assert [os.path.basename(path) for path in settings.files] == sorted(names, key=str.encode)
    assert os.path.basename(settings.origin(LOG_LEVEL).name) == "é.toml"


def test_only_visible_toml_files_are_drop_ins(etc: Etc) -> None:
    for name in ("a.toml.dpkg-new", ".a.toml", "a.toml~", "README", "a.TOML"):
        etc.write(f"etc/conf.d/{name}", "broken")
    assert etc.load().files == ()


def test_a_list_replaces_the_list_of_an_earlier_file(etc: Etc) -> None:
    etc.main('[web]\nlisten_address = [":1", ":2"]\n')
    etc.write("etc/conf.d/x.toml", 'web.listen_address = [":3"]\n')
    assert etc.load()[WEB_LISTEN_ADDRESS] == (Address("", 3),)
    assert etc.load("--web.listen-address=:4", "--web.listen-address=[::1]:5")[WEB_LISTEN_ADDRESS] == (
        Address("", 4),
        Address("::1", 5),
    )
    assert etc.load("--web.listen-address=")[WEB_LISTEN_ADDRESS] == ()
    assert etc.load(environ={"HWINFOD_WEB_LISTEN_ADDRESS": ""})[WEB_LISTEN_ADDRESS] == ()


def test_a_later_layer_can_switch_off(etc: Etc) -> None:
    etc.main('[textfile]\ndirectory = "/var/lib/prometheus"\n')
    assert etc.load()[TEXTFILE_DIRECTORY] == "/var/lib/prometheus"
    assert etc.load("--textfile.directory=")[TEXTFILE_DIRECTORY] is None


def test_collectors_in_every_layer(etc: Etc) -> None:
    switch = setting(etc.table, "collector.cpu.enabled")
    interval = setting(etc.table, "collector.cpu.interval_seconds")
    etc.main("[collector.cpu]\nenabled = false\ninterval_seconds = 0.5\n")
    assert (etc.load()[switch], etc.load()[interval]) == (False, 0.5)
    environ = {"HWINFOD_COLLECTOR_CPU_ENABLED": "yes", "HWINFOD_COLLECTOR_CPU_INTERVAL_SECONDS": "2s"}
    settings = etc.load(environ=environ)
    assert (settings[switch], settings[interval]) == (True, 2.0)
    settings = etc.load("--no-collector.cpu", "--collector.cpu.interval", "5", environ=environ)
    assert (settings[switch], settings[interval]) == (False, 5.0)
    assert str(settings.origin(switch)) == "flag --no-collector.cpu"


@pytest.mark.parametrize(
    "text",
    [
        'web.listen_address = [":7"]\n',
        'web = { listen_address = [":7"] }\n',
        '[web]\r\nlisten_address = [\r\n ":7",\r\n]\r\n',
        '\ufeff[web]\nlisten_address = [":7"]\n',
        "[ web ]\n 'listen_address' = [':7'] # why\n",
    ],
)
def test_ways_to_write_it(etc: Etc, text: str) -> None:
    etc.main(text)
    assert etc.load(strict=True)[WEB_LISTEN_ADDRESS] == (Address("", 7),)


def test_comments_alone_are_a_configuration(etc: Etc) -> None:
    path = etc.main("# nothing yet\n")
    assert etc.load(strict=True).files == (path,)


def test_defaults_follow_who_starts(etc: Etc) -> None:
    assert etc.load(uid=0)[SOCKET] == "/run/hwinfod/hwinfod.sock"
    settings = etc.load(uid=1000, environ={"XDG_RUNTIME_DIR": "/run/user/1000"})
    assert settings[SOCKET] == "/run/user/1000/hwinfod/hwinfod.sock"
    assert str(settings.origin(SOCKET)) == "default"


def test_the_callers_own_user_id_is_the_default(etc: Etc, monkeypatch: pytest.MonkeyPatch) -> None:
    from hwinfod.settings import load, parse_command_line

    monkeypatch.setattr(os, "geteuid", lambda: 4711)
    settings = load(etc.table, parse_command_line(etc.table, []), {}, places=etc.places)
    assert settings[SOCKET] == "/tmp/hwinfod-4711/hwinfod.sock"


# Unknown keys.


@pytest.mark.parametrize(
    ("text", "warning"),
    [
        ("[web]\nlisten_adress = []\n", "2: web.listen_adress: unknown setting; did you mean web.listen_address?"),
        ("\nloglevel = 1\n", "2: loglevel: unknown setting; did you mean log_level?"),
        ("listen_address = []\n", "1: listen_address: unknown setting; did you mean web.listen_address?"),
        ('"ring.bytes" = 1\n', '1: "ring.bytes": unknown setting; did you mean ring.bytes?'),
        ("[colector.cpu]\nenabled = true\n", "1: colector: unknown setting; did you mean collector?"),
        ("# c\n[collector.cpux]\nenabled = true\n", "2: collector.cpux: unknown setting; did you mean collector.cpu?"),
        ("[collector.cpu]\ninterval = 1\n", "2: collector.cpu.interval: unknown setting; "
         "did you mean collector.cpu.interval_seconds?"),
        ("zzz = 1\n", "1: zzz: unknown setting"),
    ],
)  # fmt: skip
def test_an_unknown_key_is_a_warning_and_strictly_an_error(etc: Etc, text: str, warning: str) -> None:
    path = etc.main(text)
    settings = etc.load()
    assert [str(problem) for problem in settings.warnings] == [f"{path}:{warning}"]
    assert settings[LOG_LEVEL] == "info"
    assert str(etc.refusal(strict=True)) == f"{path}:{warning}"


def test_many_unknown_keys_are_counted(etc: Etc) -> None:
    path = etc.main("".join(f"zzz{number} = 1\n" for number in range(30)))
    warnings = etc.load().warnings
    assert len(warnings) == 21
    assert str(warnings[-1]) == f"{path}: 10 more unknown settings; is this file for hwinfod?"


def test_an_unknown_variable_that_is_nearly_ours_is_a_warning(etc: Etc) -> None:
    environ = {"HWINFOD_LOGLEVEL": "debug", "HWINFOD_SERVICE_HOST": "10.0.0.1", "HWINFOD_PORT": "tcp://x", "HOME": "/"}
    assert [str(problem) for problem in etc.load(environ=environ).warnings] == [
        "environment HWINFOD_LOGLEVEL: unknown setting; did you mean HWINFOD_LOG_LEVEL?"
    ]


def test_a_mistake_is_what_pays_for_difflib(etc: Etc, monkeypatch: pytest.MonkeyPatch) -> None:
    etc.main('log_level = "debug"\n')
    monkeypatch.setitem(sys.modules, "difflib", None)
    assert etc.load("--ring.bytes=8MiB", environ={"HWINFOD_RING_DURATION": "2h"})[LOG_LEVEL] == "debug"


# Secrets.


def test_a_secret_is_read_and_never_shown(etc: Etc, token: Setting[str]) -> None:
    etc.main('[api]\ntoken = "hunter2"\n')
    settings = etc.load()
    assert settings[token] == "hunter2"
    shown = {item["key"]: item["value"] for item in settings.redacted()}
    assert shown["api.token"] == "(hidden)"
    assert "hunter2" not in repr(settings.redacted())


def test_a_refused_secret_is_not_shown(etc: Etc) -> None:
    path = etc.main('[api]\ntoken = ["hunter2"]\n')
    refusal = etc.refusal("--api.token=hunter\a2")
    assert "hunter" not in str(refusal)
    assert str(refusal).startswith(f"{path}:2: api.token: expected a text of printable characters; what was given is")


def test_redacted_is_json_with_origins(etc: Etc) -> None:
    import json

    path = etc.main('[web]\nlisten_address = ["[::1]:7"]\n')
    settings = etc.load("--ring.bytes=1.5G")
    rows = {row["key"]: row for row in json.loads(json.dumps(settings.redacted()))}
    assert len(rows) == len(etc.table)
    assert rows["web.listen_address"] == {"key": "web.listen_address", "value": ["[::1]:7"], "origin": f"{path}:2"}
    assert rows["ring.bytes"] == {"key": "ring.bytes", "value": "1536MiB", "origin": "flag --ring.bytes"}
    assert rows["textfile.directory"]["value"] == ""


# Settings that are no part of any file.


def test_settings_made_by_a_program(etc: Etc) -> None:
    settings = Settings.of(etc.table, {LOG_LEVEL: "debug"})
    assert settings[LOG_LEVEL] == "debug"
    assert str(settings.origin(LOG_LEVEL)) == "program"
    assert settings[RING_BYTES] == RING_BYTES.default
    assert str(settings.origin(RING_BYTES)) == "default"
