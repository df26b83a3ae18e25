# SPDX-License-Identifier: MIT
"""What holds for the text of every file: a licence, a length that one sitting reads, no traces of elsewhere."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator

from tests.lint.project import Module

LICENCE = "SPDX-License-Identifier: MIT"
SOURCES = (".py", ".pyi", ".sh", ".c", ".h", ".toml", ".yaml", ".yml", ".service", ".socket", ".conf", ".spec")
GENERATED = "generated: make"

FILE_LINES = 400
FUNCTION_LINES = 60

_EM_DASH = "\N{EM DASH}"
# The directories that this was written beside: no reader has them.
_ELSEWHERE = re.compile(r"(?<![\w.-])/wor[k](?![\w-])|\bshare[d]/(?:design|reference|data|vm|seeds|hooks)\b")


def lacks_licence(name: str, text: str) -> bool:
    """The identifier is the first line, or the second below a `#!`. An empty file has nothing to license."""
    if not text or not (name.endswith(SOURCES) or name == "Makefile" or text.startswith("#!")):
        return False
    lines = text.splitlines()[:2]
    first = lines[1:] if lines and lines[0].startswith("#!") else lines[:1]
    return not any(LICENCE in line for line in first)


def lacks_docstring(module: Module) -> bool:
    """An empty __init__.py says nothing, and need not."""
    return bool(module.tree.body) and ast.get_docstring(module.tree) is None


def is_too_long(text: str) -> bool:
    return text.count("\n") > FILE_LINES and not is_generated(text)


def is_generated(text: str) -> bool:
    return any(GENERATED in line for line in text.splitlines()[:5])


def long_functions(module: Module) -> Iterator[str]:
    """Functions of more than FUNCTION_LINES lines, their docstrings apart."""
    for node in ast.walk(module.tree):
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
            length = (node.end_lineno or node.lineno) - node.lineno + 1 - _docstring_lines(node)
            if length > FUNCTION_LINES:
                yield f"{module.path}:{node.lineno}: {node.name} has {length} lines, at most {FUNCTION_LINES}"


def _docstring_lines(node: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    if ast.get_docstring(node, clean=False) is None:
        return 0
    docstring = node.body[0]
    return (docstring.end_lineno or docstring.lineno) - docstring.lineno + 1


def untidy_lines(name: str, text: str) -> Iterator[str]:
    """Space at the end of a line, a carriage return, an em dash, no line end at the end, a path of elsewhere."""
    for number, line in enumerate(text.split("\n"), 1):
        if line != line.rstrip():
            yield f"{name}:{number}: space at the end of the line"
        if _EM_DASH in line:
            yield f"{name}:{number}: an em dash; a colon, a comma or a full stop says which pause is meant"
        if _ELSEWHERE.search(line):
            yield f"{name}:{number}: names a path that no reader has"
    if text and not text.endswith("\n"):
        yield f"{name}: no line end at the end"
