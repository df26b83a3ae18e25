# SPDX-License-Identifier: MIT
"""Configuration files: which there are, their bytes, and what TOML makes of them."""

from __future__ import annotations

import os
import stat
import sys
from typing import Any, NamedTuple

from hwinfod.settings.problem import Origin, Problem, SettingsError, printable

SIZE_LIMIT = 1 << 20


class Places(NamedTuple):
    """Where configuration is looked for. Later ones win; none of them has to exist."""

    vendor_directory: str = "/usr/lib/hwinfod/conf.d"
    main_file: str = "/etc/hwinfod/hwinfod.toml"
    directory: str = "/etc/hwinfod/conf.d"


PLACES = Places()


class ConfigFile(NamedTuple):
    """One file as parsed, with its text, in which `key_lines` finds the keys again."""

    path: str
    text: str
    content: dict[str, Any]


def find_files(places: Places, named: str = "") -> tuple[list[str], list[Problem]]:
    """The files to read, in order, and the directories that cannot be listed.

    `named`, the file of --config, stands in for the main file and is read last: who names a file means it.
    """
    vendor, vendor_problems = _drop_ins(places.vendor_directory)
    drop_ins, problems = _drop_ins(places.directory)
    files = [*vendor, *drop_ins, named] if named else [*vendor, *_if_there(places.main_file), *drop_ins]
    return files, vendor_problems + problems


def _if_there(path: str) -> list[str]:
    try:
        os.stat(path)
    except (FileNotFoundError, NotADirectoryError):
        return []
    except OSError:
        return [path]  # reading it says what is the matter
    return [path]


def _drop_ins(directory: str) -> tuple[list[str], list[Problem]]:
    try:
        names = os.listdir(directory)
    except (FileNotFoundError, NotADirectoryError):
        return [], []
    except OSError as error:
        text = f"cannot be listed: {error.strerror}"
        return [], [Problem(Origin("file", directory), "", text, _REMEDY.get(type(error), ""))]
    # Byte order, as systemd sorts drop-ins. Hidden files are editors' leftovers.
    names = sorted((name for name in names if name.endswith(".toml") and name[0] != "."), key=os.fsencode)
    return [os.path.join(directory, name) for name in names], []


def read_config_file(path: str) -> ConfigFile:
    """A configuration file, read and parsed. Raises SettingsError."""
    return parse_config_file(path, _read(path))


def _read(path: str) -> bytes:
    try:
        # O_NONBLOCK: a FIFO in the place of a file must not hold the start.
        fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK | os.O_NOCTTY)
        try:
            if not stat.S_ISREG(os.fstat(fd).st_mode):
                raise _broken(path, "is not a regular file")
            parts = []
            size = 0
            while size <= SIZE_LIMIT and (part := os.read(fd, 65536)):
                parts.append(part)
                size += len(part)
        finally:
            os.close(fd)
    except OSError as error:
        raise _broken(path, f"cannot be read: {error.strerror}", _REMEDY.get(type(error), "")) from None
    except ValueError:
        raise _broken(path, "is no path: it has a null byte") from None
    if size > SIZE_LIMIT:
        raise _broken(path, f"is larger than {SIZE_LIMIT >> 20} MiB", "is this a configuration file?")
    return b"".join(parts)


_REMEDY: dict[type[OSError], str] = {
    FileNotFoundError: "name a file that exists",
    PermissionError: "make it readable by the user that hwinfod runs as",
}


def parse_config_file(path: str, data: bytes) -> ConfigFile:
    """Pure. Raises SettingsError with the line, where the parser knows it."""
    if not data.strip():
        # A configuration without a setting is comments; a file without a byte is a write that was cut short.
        raise _broken(path, "is empty", "write it again, or remove it to have the defaults")
    try:
        text = data.decode("utf-8-sig").replace("\r\n", "\n")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise _broken(path, "is not UTF-8", "TOML files are UTF-8", line=line) from None
    if sys.version_info >= (3, 11):
        import tomllib
    else:
        import tomli as tomllib
    try:
        return ConfigFile(path, text, tomllib.loads(text))
    except RecursionError:
        raise _broken(path, "is nested too deeply") from None
    except ValueError as error:
        problem, line = _toml_problem(str(error), text)
        raise _broken(path, f"is not valid TOML: {problem}", _SYNTAX_HINT, line=line) from None


_SYNTAX_HINT = 'a line is [section] or key = value, and texts stand in "quotes"'


def _toml_problem(message: str, text: str) -> tuple[str, int]:
    """What the parser says, in our style, and its line: "... (at line 3, column 5)", "... (at end of document)"."""
    problem, _, place = message.rpartition(" (at ")
    if not problem:
        problem, place = message, ""
    number = place.removeprefix("line ").partition(",")[0]
    line = int(number) if number.isdigit() else text.count("\n") + 1 if place.startswith("end") else 0
    return printable(_with_section(problem[:1].lower() + problem[1:])), line


def _with_section(problem: str) -> str:
    """The parser names a section as a tuple of Python: `('collector', 'cpu')` for [collector.cpu]."""
    before, bracket, rest = problem.partition(" ('")
    names, end, after = rest.partition(")")
    section = names.rstrip(",").removesuffix("'").replace("', '", ".")
    return f"{before} [{section}]{after}" if bracket and end else problem


def _broken(path: str, text: str, hint: str = "", *, line: int = 0) -> SettingsError:
    return SettingsError([Problem(Origin("file", path, line), "", text, hint)])
