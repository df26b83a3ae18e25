# SPDX-License-Identifier: MIT
"""What the daemon never does: start programs, evaluate text, unpickle, wait for a pool of threads.

hwinfoctl is a person's tool and stands outside, but for evaluation and shells.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator

from tests.lint.floors import APART
from tests.lint.project import Module

_STARTS = "the daemon starts no program: it can hang, and costs a thousand reads"
_POOL = "the pool's exit hook waits for a hung worker: use a lane, or a daemon thread"

MODULES: dict[str, str] = {
    "subprocess": _STARTS,
    "multiprocessing": _STARTS,
    "pty": _STARTS,
    "pickle": "unpickling runs what it reads",
    "shelve": "unpickling runs what it reads",
    "marshal": "not a format for data",
    "numpy": "16 MiB and 100 ms for what struct and zlib do",
    "requests": "the daemon is no HTTP client of the network",
    "concurrent.futures": _POOL,
}

_OS_CALLS = ("system", "popen", "fork", "forkpty", "startfile")
_OS_PREFIXES = ("exec", "spawn", "posix_spawn")
EVALUATING = ("eval", "exec", "compile")
_CALLS: dict[str, str] = {
    "run_in_executor": _POOL,
    "to_thread": _POOL,
    "create_subprocess_exec": _STARTS,
    "create_subprocess_shell": _STARTS,
    "subprocess_exec": _STARTS,
    "subprocess_shell": _STARTS,
}


def violations(module: Module) -> list[str]:
    """Each forbidden import and call in one module, as path:line: reason."""
    in_daemon = not (module.name == APART or module.name.startswith(f"{APART}."))
    return [
        f"{module.path}:{getattr(node, 'lineno', 0)}: {wrong}"
        for node in ast.walk(module.tree)
        for wrong in _judge(node, in_daemon)
    ]


def _judge(node: ast.AST, in_daemon: bool) -> Iterator[str]:
    if isinstance(node, ast.Call):
        if isinstance(node.func, ast.Name) and node.func.id in EVALUATING:
            yield f"{node.func.id}() evaluates text"
        for keyword in node.keywords:
            if keyword.arg == "shell" and not _is_false(keyword.value):
                yield "shell=: no shell sees what we were given"
    if in_daemon:
        yield from _judge_daemon(node)


def _judge_daemon(node: ast.AST) -> Iterator[str]:
    if isinstance(node, ast.Import):
        for alias in node.names:
            yield from _judge_import(alias.name)
    elif isinstance(node, ast.ImportFrom) and not node.level:
        for alias in node.names:
            yield from _judge_import(f"{node.module}.{alias.name}")
    elif isinstance(node, ast.Attribute):
        if isinstance(node.value, ast.Name) and node.value.id in ("os", "posix") and _starts(node.attr):
            yield f"os.{node.attr}: {_STARTS}"
        elif node.attr in _CALLS:
            yield f"{node.attr}: {_CALLS[node.attr]}"


def _judge_import(name: str) -> Iterator[str]:
    """`name` is a module, or a module and something in it."""
    for module, why in MODULES.items():
        if name == module or name.startswith(f"{module}."):
            yield f"import of {module}: {why}"
    module, _, attribute = name.rpartition(".")
    if module in ("os", "posix") and _starts(attribute):
        yield f"os.{attribute}: {_STARTS}"
    elif module and attribute in _CALLS:
        yield f"{attribute}: {_CALLS[attribute]}"


def _starts(name: str) -> bool:
    return name in _OS_CALLS or name.startswith(_OS_PREFIXES)


def _is_false(node: ast.expr) -> bool:
    return isinstance(node, ast.Constant) and node.value is False
