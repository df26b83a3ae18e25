# SPDX-License-Identifier: MIT
"""The order of the floors: an import may only point down, and never round in a circle.

Every import counts, inside a function and under TYPE_CHECKING too: what a module must know to be understood is
what it depends on. docs/adr/0004-order-of-the-floors.md says why.
"""

from __future__ import annotations

import ast
import graphlib
import sys
from collections.abc import Iterable, Iterator

from tests.lint.project import Module

FLOORS: dict[str, int] = {
    "hwinfod": 0,
    "hwinfod._streams": 0,
    "hwinfod._version": 0,
    "hwinfod.errors": 0,
    "hwinfod.settings": 0,
    "hwinfod.wire": 0,
    "hwinfod.core": 1,
    "hwinfod.sources": 2,
    "hwinfod.collectors": 3,
    "hwinfod.owners": 3,
    "hwinfod.history": 3,
    "hwinfod.serve": 4,
    "hwinfod.prometheus": 4,
    "hwinfod.systemd": 4,
    "hwinfod.alarm": 5,
    "hwinfod.allocator": 5,
    "hwinfod.engine": 5,
    "hwinfod.hotplug": 5,
    "hwinfod.daemon": 5,
    "hwinfod.__main__": 5,
}

# hwinfoctl stands beside the house: a client of the socket, that runs where the daemon's libraries are not.
APART = "hwinfod.ctl"
APART_MAY_IMPORT = (
    "hwinfod.wire",
    "hwinfod._streams",
    "hwinfod._version",
    APART,
)

# Within what the floors allow: who must not know whom, and why.
STRANGERS: tuple[tuple[str, str, str], ...] = (
    ("hwinfod.core", "asyncio", "the core knows no loop"),
    ("hwinfod.core", "http", "the core knows no HTTP"),
    ("hwinfod.core", "h11", "the core knows no HTTP"),
    ("hwinfod.sources", "asyncio", "sources read, on whichever thread asks"),
    ("hwinfod.sources", "http", "sources serve nobody"),
    ("hwinfod.sources", "h11", "sources serve nobody"),
    ("hwinfod.sources", "hwinfod.core.metric", "sources know no metric"),
    ("hwinfod.sources", "hwinfod.core.table", "sources know no metric"),
    ("hwinfod.collectors", "asyncio", "a collector runs on its lane's thread"),
    ("hwinfod.collectors", "http", "collectors serve nobody"),
    ("hwinfod.collectors", "h11", "collectors serve nobody"),
    ("hwinfod.collectors", "hwinfod.owners", "a collector publishes holdings and knows nothing of owners"),
)


def violations(modules: Iterable[Module]) -> list[str]:
    """Each import that points up, aside or in a circle."""
    modules = list(modules)
    names = {module.name for module in modules} | FLOORS.keys()
    graph: dict[str, set[str]] = {}
    found: list[str] = []
    for module in modules:
        edges = graph.setdefault(module.name, set())
        if _floor(module.name) is None and not _within(module.name, APART):
            found.append(f"{module.path}:1: {module.name} stands on no floor: give it one in tests/lint/floors.py")
            continue
        for line, target in imports(module, names):
            if target != module.name and _within(target, "hwinfod"):
                edges.add(target)
            found += [f"{module.path}:{line}: {wrong}" for wrong in _judge(module.name, target)]
    return found + _circles(graph)


def imports(module: Module, names: set[str]) -> Iterator[tuple[int, str]]:
    """(line, module) of every import; `from package import module` is an import of the module."""
    for node in ast.walk(module.tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield node.lineno, alias.name
        elif isinstance(node, ast.ImportFrom):
            base = _base(module, node)
            for alias in node.names:
                full = f"{base}.{alias.name}"
                yield node.lineno, full if full in names else base
        elif isinstance(node, ast.Call):
            dynamic = _dynamic(node)
            if dynamic:
                yield node.lineno, dynamic


def _base(module: Module, node: ast.ImportFrom) -> str:
    if not node.level:
        return node.module or ""
    package = module.name.split(".")
    if not module.path.endswith("__init__.py"):
        package.pop()
    package = package[: len(package) - (node.level - 1)]
    return ".".join([*package, node.module] if node.module else package)


def _dynamic(node: ast.Call) -> str | None:
    """importlib.import_module("x") and __import__("x") are imports of x."""
    function = node.func
    name = function.attr if isinstance(function, ast.Attribute) else getattr(function, "id", None)
    if name not in ("import_module", "__import__") or not node.args or not isinstance(node.args[0], ast.Constant):
        return None
    return str(node.args[0].value)


def _judge(name: str, target: str) -> Iterator[str]:
    if _within(name, APART):
        if not _within(target, *APART_MAY_IMPORT) and target.partition(".")[0] not in sys.stdlib_module_names:
            yield f"{name} imports {target}: hwinfoctl knows wire.py, the version and the standard library"
        return
    for who, whom, why in STRANGERS:
        if _within(name, who) and _within(target, whom):
            yield f"{name} imports {target}: {why}"
    if _within(target, APART):
        yield f"{name} imports {target}: nothing leans on hwinfoctl"
        return
    own, other = _floor(name), _floor(target)
    if own is not None and other is not None and other > own:
        yield f"{name} (floor {own}) imports {target} (floor {other}): imports point down"


def _floor(name: str) -> int | None:
    """The floor of a module of ours; None where it has none, or is not ours."""
    return FLOORS.get(".".join(name.split(".")[:2]))


def _within(name: str, *packages: str) -> bool:
    return any(name == package or name.startswith(f"{package}.") for package in packages)


def _circles(graph: dict[str, set[str]]) -> list[str]:
    try:
        graphlib.TopologicalSorter(graph).prepare()
    except graphlib.CycleError as error:
        return [f"imports go round: {' -> '.join(reversed(error.args[1]))}"]
    return []
