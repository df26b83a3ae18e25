# SPDX-License-Identifier: MIT
"""Licence, length and tidiness of every file, and each linter shown to fail."""

from __future__ import annotations

from tests.lint import texts
from tests.lint.project import Module, files, modules, read, written_by_hand

LICENCE_LINE = f"# {texts.LICENCE}\n"


def test_sources_carry_the_licence() -> None:
    assert [name for name in written_by_hand() if texts.lacks_licence(name, read(name))] == []


def test_modules_say_what_they_are() -> None:
    assert [module.path for module in modules() if texts.lacks_docstring(module)] == []


def test_files_are_read_in_one_sitting() -> None:
    long = [name for name in files() if _is_capped(name) and texts.is_too_long(read(name))]
    assert long == [], f"more than {texts.FILE_LINES} lines: one file, one idea"


def test_functions_fit_a_screen() -> None:
    packages = [*modules(), *modules("tools"), *modules("bench")]
    assert [wrong for module in packages for wrong in texts.long_functions(module)] == []


def test_texts_are_tidy() -> None:
    names = [name for name in written_by_hand() if not _is_binary(name)]
    assert [wrong for name in names for wrong in texts.untidy_lines(name, read(name))] == []


def test_a_missing_licence_is_seen() -> None:
    assert texts.lacks_licence("hwinfod/x.py", '"""Without."""\n')
    assert texts.lacks_licence("hwinfod/x.py", '"""Not on top."""\n' + LICENCE_LINE)
    assert texts.lacks_licence("tests/fakes/nvml.c", "int main(void);\n")
    assert texts.lacks_licence("tools/x", "#!/bin/sh\nset -eu\n")
    assert not texts.lacks_licence("tools/x", "#!/bin/sh\n" + LICENCE_LINE)
    assert not texts.lacks_licence("hwinfod/x.py", LICENCE_LINE)
    assert not texts.lacks_licence("README.md", "# hwinfod\n")
    assert not texts.lacks_licence("tests/unit/__init__.py", "")


def test_a_missing_docstring_is_seen() -> None:
    assert texts.lacks_docstring(_module("x = 1\n"))
    assert not texts.lacks_docstring(_module('"""What x is."""\nx = 1\n'))
    assert not texts.lacks_docstring(_module(LICENCE_LINE))


def test_a_long_file_is_seen() -> None:
    body = "x = 1\n" * (texts.FILE_LINES + 1)
    assert texts.is_too_long(body)
    assert not texts.is_too_long(f"# {texts.GENERATED} docs\n{body}")
    assert not texts.is_too_long("x = 1\n" * texts.FILE_LINES)


def test_a_long_function_is_seen() -> None:
    docstring = '    """' + "why\n" * 30 + '    """\n'
    fits = "def f():\n" + docstring + "    x = 1\n" * (texts.FUNCTION_LINES - 1)
    assert list(texts.long_functions(_module(fits))) == []
    assert list(texts.long_functions(_module(fits + "    x = 2\n")))
    assert list(texts.long_functions(_module("async " + fits + "    x = 2\n")))


def test_untidy_lines_are_seen() -> None:
    elsewhere = ["/wor" + "k/main", "see ../share" + "d/design.md"]
    for line in ("x ", "x\t", "x\r", "a \N{EM DASH} b", *elsewhere):
        assert list(texts.untidy_lines("x", f"{line}\n")), line
    assert list(texts.untidy_lines("x", "no line end"))
    for line in ("x", "/workspace", "net/workqueue", "homework", "a shared/exclusive lock", "kernel/work"):
        assert list(texts.untidy_lines("x", f"{line}\n")) == [], line


def _module(text: str) -> Module:
    return Module("hwinfod.x", "hwinfod/x.py", text)


def _is_capped(name: str) -> bool:
    return name.endswith((".py", ".sh")) and not name.startswith("tests/")


def _is_binary(name: str) -> bool:
    return "\0" in read(name)
