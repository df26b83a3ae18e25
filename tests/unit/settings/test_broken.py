# SPDX-License-Identifier: MIT
"""Broken configurations: each error names file, line, key, what is wrong and what to do; none is lost."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from hwinfod.errors import UserError
from hwinfod.settings import Command, Places, Problem, SettingsError, Table, load
from hwinfod.settings.files import SIZE_LIMIT, parse_config_file
from hwinfod.settings.load import _Draft

if TYPE_CHECKING:
    from tests.unit.settings.conftest import Etc

SYNTAX = 'a line is [section] or key = value, and texts stand in "quotes"'


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (b"", ": is empty; write it again, or remove it to have the defaults"),
        (b"\n \n", ": is empty; write it again, or remove it to have the defaults"),
        (b"[web]\nlisten_addr", f":2: is not valid TOML: expected '=' after a key in a key/value pair; {SYNTAX}"),
        (b'log_level = "debug"\nlog_level = "info"\n', f":2: is not valid TOML: cannot overwrite a value; {SYNTAX}"),
        (b"[ring]\n[ring]\n", f":2: is not valid TOML: cannot declare [ring] twice; {SYNTAX}"),
        (
            b"[collector.cpu]\n[collector]\ncpu.enabled = true\n",
            f":3: is not valid TOML: cannot redefine namespace [collector.cpu]; {SYNTAX}",
        ),
        (b'[web]\nlisten_address = [":1",\n', f":3: is not valid TOML: invalid value; {SYNTAX}"),
        (b"log_level = debug\n", f":1: is not valid TOML: invalid value; {SYNTAX}"),
        (b'# caf\xe9\n', ":1: is not UTF-8; TOML files are UTF-8"),
        (b'a = 1\n\nb = "\xff"\n', ":3: is not UTF-8; TOML files are UTF-8"),
        (b"\0" * 4096, f":1: is not valid TOML: invalid statement; {SYNTAX}"),
        (b"#" * (SIZE_LIMIT + 1), ": is larger than 1 MiB; is this a configuration file?"),
        (b"x = " + b"[" * 100_000, ": is nested too deeply"),
        (b"[ring]\nbytes = true\n", ':2: ring.bytes: expected a size such as "16MiB", from 1MiB to 16GiB, found true; '
         'the default is "16MiB"'),
        (b'[ring]\nbytes = "many"\n', ':2: ring.bytes: expected a size such as "16MiB", from 1MiB to 16GiB, '
         'found "many"; the default is "16MiB"'),
        (b'[api]\nprivacy = "all"\n', ':2: api.privacy: expected one of open, own, group, found "all"; '
         'the default is "own"'),
        (b'[collector.cpu]\nenabled = "yes"\n', ':2: collector.cpu.enabled: expected true or false, found "yes"; '
         "the default is true"),
        (b"collector.cpu = false\n", ":1: collector.cpu: expected a section, found false; write [collector.cpu]"),
        (b"web = 2026-01-01\n", ":1: web: expected a section, found a date or time; write [web]"),
        (b"[[web]]\nlisten_address = []\n", ":1: web: expected a section, found an array; write [web]"),
        (b'[log_level]\nx = "debug"\n', ":1: log_level: expected one of debug, info, warning, error, found a section; "
         'the default is "info"'),
        (b'socket = "hwinfod.sock"\n', ':1: socket: expected an absolute path of at most 107 bytes, '
         'found "hwinfod.sock"; the default is "/run/hwinfod/hwinfod.sock"'),
    ],
)  # fmt: skip
def test_what_is_wrong_with_a_file(etc: Etc, content: bytes, problem: str) -> None:
    path = etc.main(content)
    error = etc.refusal()
    assert isinstance(error, UserError)
    assert error.hint
    assert normal(str(error)) == path + problem


def normal(text: str) -> str:
    """tomli's words differ a little between versions: 'Expected "=" after' and "Expected '=' after"."""
    return text.replace('expected "="', "expected '='")


def test_a_directory_in_the_place_of_a_file(etc: Etc, tmp_path: Path) -> None:
    (tmp_path / "etc/conf.d/x.toml").mkdir(parents=True)
    assert str(etc.refusal()) == f"{tmp_path}/etc/conf.d/x.toml: is not a regular file"


def test_a_fifo_does_not_hold_the_start(etc: Etc, tmp_path: Path) -> None:
    (tmp_path / "etc").mkdir()
    os.mkfifo(tmp_path / "etc/hwinfod.toml")
    assert str(etc.refusal()) == f"{tmp_path}/etc/hwinfod.toml: is not a regular file"


def test_a_named_file_must_exist(etc: Etc, tmp_path: Path) -> None:
    path = str(tmp_path / "none.toml")
    message = f"{path}: cannot be read: No such file or directory; name a file that exists"
    assert str(etc.refusal("--config", path)) == message


def test_a_name_with_a_null_byte(etc: Etc) -> None:
    assert str(etc.refusal("--config=/a\0b")) == "/a\\x00b: is no path: it has a null byte"


def test_a_dangling_link_is_told(etc: Etc, tmp_path: Path) -> None:
    (tmp_path / "etc/conf.d").mkdir(parents=True)
    (tmp_path / "etc/conf.d/x.toml").symlink_to("nowhere")
    assert "x.toml: cannot be read: No such file or directory" in str(etc.refusal())


@pytest.mark.parametrize("name", ["main", "directory"])
def test_what_may_not_be_read_is_told(etc: Etc, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    # Root may read everything: the refusal is planted at the border to the kernel.
    def refuse(path: str, *_: object) -> int:
        raise PermissionError(13, "Permission denied", path)

    remedy = "make it readable by the user that hwinfod runs as"
    path = etc.main("# fine\n")
    if name == "main":
        monkeypatch.setattr(os, "open", refuse)
        assert str(etc.refusal()) == f"{path}: cannot be read: Permission denied; {remedy}"
        return
    monkeypatch.setattr(os, "listdir", refuse)
    assert str(etc.refusal()).split("\n") == [
        f"{tmp_path}/usr: cannot be listed: Permission denied; {remedy}",
        f"{tmp_path}/etc/conf.d: cannot be listed: Permission denied; {remedy}",
    ]


def test_a_main_file_behind_a_closed_door_is_told(etc: Etc, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(path: str, *_: object, **__: object) -> int:
        raise PermissionError(13, "Permission denied", path)

    monkeypatch.setattr(os, "stat", refuse)
    monkeypatch.setattr(os, "open", refuse)
    assert "hwinfod.toml: cannot be read: Permission denied" in str(etc.refusal())


def test_a_huge_file_is_not_read_to_its_end(etc: Etc, monkeypatch: pytest.MonkeyPatch) -> None:
    path = etc.main("#")
    os.truncate(path, 64 * SIZE_LIMIT)
    read = os.read
    sizes = []

    def counted(fd: int, size: int) -> bytes:
        data = read(fd, size)
        sizes.append(len(data))
        return data

    monkeypatch.setattr(os, "read", counted)
    assert "is larger than 1 MiB" in str(etc.refusal())
    assert sum(sizes) < 2 * SIZE_LIMIT


def test_all_problems_of_all_layers_are_told(etc: Etc) -> None:
    vendor = etc.write("usr/a.toml", "half")
    main = etc.main('log_level = 1\n[ring]\nunknown = 1\nbytes = "x"\n')
    error = etc.refusal(
        "--api.privacy=all", "--web.listen-address=1", environ={"HWINFOD_RING_DURATION": "long"}, strict=True
    )
    assert [(str(problem.origin), problem.key) for problem in error.problems] == [
        (f"{vendor}:1", ""),
        (f"{main}:1", "log_level"),
        (f"{main}:3", "ring.unknown"),
        (f"{main}:4", "ring.bytes"),
        ("environment HWINFOD_RING_DURATION", "ring.duration"),
        ("flag --api.privacy", "api.privacy"),
        ("flag --web.listen-address", "web.listen_address"),
    ]


def test_a_bad_value_is_told_even_if_a_later_layer_wins(etc: Etc) -> None:
    etc.main('log_level = "loud"\n')
    assert "log_level" in str(etc.refusal("--log-level=info"))


def test_hostile_content_stays_on_its_line(etc: Etc) -> None:
    etc.main('log_level = "\\u001b[2J\\nfake: line"\n"\\u001b[31m\\n" = 1\n"\\u202egnp" = 1\n')
    lines = str(etc.refusal(strict=True)).split("\n")
    assert len(lines) == 3
    assert all(line.isprintable() for line in lines)


@given(st.binary(max_size=300) | st.text(max_size=300).map(lambda text: text.encode(errors="replace")))
@example(b"x = " + b"9" * 5000)
@example(b"x = 0x" + b"f" * 5000 + b"\n[ring]\nbytes = 0x" + b"f" * 5000)
@example(b"a" + b".a" * 5000 + b" = 1")
@example(b"x = " + b"{a = " * 5000)
@example(b"x = 9999-99-99")
def test_arbitrary_bytes_raise_user_errors_only(data: bytes) -> None:
    problem = ""
    try:
        parse_config_file("x.toml", data)
    except UserError as error:
        problem = str(error)
    assert problem.isprintable()


VALUES = st.sampled_from(
    ["1", "-1", "1.5", "inf", "nan", "true", '"x"', '"1s"', '"16MiB"', "[]", '[":1"]', "[[]]", "{}", "{a = 1}",
     "2026-01-01", "07:32:00", "''", "0x" + "f" * 5000, "'''\nx = 1\n'''"]
)  # fmt: skip
KEYS = st.sampled_from(
    ["socket", "ring.bytes", "ring", "[ring]", "[[ring]]", "web.listen_address", "collector", "collector.cpu.enabled",
     "collector.cpu.interval_seconds", "[collector.cpu]", "bytes", "enabled", '""', '"a.b"', "zzz.y.x"]
)  # fmt: skip
LINES = st.tuples(KEYS, VALUES).map(lambda pair: pair[0] if pair[0][0] == "[" else " = ".join(pair))


@given(lines=st.lists(LINES, max_size=8))
def test_arbitrary_settings_raise_user_errors_only(table: Table, lines: list[str]) -> None:
    draft = _Draft(table, {}, 0)
    try:
        file = parse_config_file("x.toml", "\n".join(["#", *lines]).encode())
    except UserError:
        return
    draft.take_file(file)
    for problem in draft.problems + draft.warnings:
        assert str(problem).isprintable()
        assert 0 <= problem.origin.line <= file.text.count("\n") + 1
    for setting in table:
        form = setting.form
        assert form.from_toml(form.to_toml(draft.values[setting])) == draft.values[setting]


@given(st.dictionaries(st.sampled_from(["HWINFOD_RING_BYTES", "HWINFOD_SOCKET", "HWINFOD_X"]), st.text()))
def test_arbitrary_environments_raise_user_errors_only(table: Table, environ: dict[str, str]) -> None:
    nowhere = Places("/nonexistent/a", "/nonexistent/b", "/nonexistent/c")
    problems: tuple[Problem, ...] = ()
    try:
        settings = load(table, Command(), environ, uid=0, places=nowhere)
    except SettingsError as error:
        problems = error.problems
    else:
        assert len(settings.redacted()) == len(table)
    assert all(str(problem).isprintable() for problem in problems)
