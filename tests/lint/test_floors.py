# SPDX-License-Identifier: MIT
"""The order of the floors holds, and the linter that says so sees what breaks it."""

from __future__ import annotations

import pytest

from tests.lint import floors
from tests.lint.project import Module, modules


def test_imports_point_down() -> None:
    assert modules(), "no modules found: the linter would pass by absence"
    assert floors.violations(modules()) == []


@pytest.mark.parametrize(
    ("name", "text", "expected"),
    [
        ("hwinfod.core.table", "import hwinfod.serve.http", "imports point down"),
        ("hwinfod.core.table", "from hwinfod import daemon", "imports point down"),
        ("hwinfod.core.table", "from ..sources import files", "imports point down"),
        ("hwinfod.core.table", "def f():\n    from hwinfod.sources.files import read_file", "imports point down"),
        ("hwinfod.settings", "from hwinfod.core import metric", "imports point down"),
        (
            "hwinfod.sources.files",
            "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    from hwinfod.collectors import cpu",
            "imports point down",
        ),
        ("hwinfod.sources.files", "import importlib\nimportlib.import_module('hwinfod.serve')", "imports point down"),
        ("hwinfod.sources.files", "from hwinfod.core.metric import Metric", "sources know no metric"),
        ("hwinfod.core.lane", "import asyncio", "the core knows no loop"),
        ("hwinfod.collectors.cpu", "def f():\n    from http import client", "collectors serve nobody"),
        ("hwinfod.collectors.cpu", "from hwinfod.owners import cgroup", "knows nothing of owners"),
        ("hwinfod.serve.http", "from hwinfod.ctl import main", "nothing leans on hwinfoctl"),
        ("hwinfod.ctl.status", "from hwinfod import errors", "hwinfoctl knows"),
        ("hwinfod.ctl.status", "import h11", "hwinfoctl knows"),
        ("hwinfod.ctl.status", "from ..core import metric", "hwinfoctl knows"),
        ("hwinfod.attic", "import os", "stands on no floor"),
    ],
)
def test_a_wrong_import_is_seen(name: str, text: str, expected: str) -> None:
    found = floors.violations([*_house(), _module(name, text)])
    assert any(expected in wrong for wrong in found), found


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("hwinfod.serve.text", "from hwinfod.core import metric\nfrom hwinfod import errors, wire"),
        ("hwinfod.serve.text", "import asyncio, http"),
        ("hwinfod.collectors.cpu", "from hwinfod.sources.files import read_file\nfrom . import gpu_families"),
        ("hwinfod.owners.slurm", "import asyncio"),
        ("hwinfod.ctl.status", "import json, socket\nfrom hwinfod import wire\nfrom . import draw"),
        ("hwinfod.daemon", "import hwinfod.serve\nfrom hwinfod.collectors import cpu"),
    ],
)
def test_a_right_import_is_let_through(name: str, text: str) -> None:
    assert floors.violations([*_house(), _module(name, text)]) == []


def test_a_circle_on_one_floor_is_seen() -> None:
    found = floors.violations(
        [
            _module("hwinfod.core.a", "from hwinfod.core import b"),
            _module("hwinfod.core.b", "def f():\n    from .c import x"),
            _module("hwinfod.core.c", "import hwinfod.core.a"),
        ]
    )
    assert len(found) == 1
    assert "imports go round" in found[0]


def test_names_imported_from_the_own_package_are_no_circle() -> None:
    package = Module("hwinfod.core", "hwinfod/core/__init__.py", "")
    assert (
        floors.violations([package, _module("hwinfod.core.a", "from . import b"), _module("hwinfod.core.b", "")]) == []
    )


def _house() -> list[Module]:
    """One module on each floor that samples import."""
    return [
        _module(name, "")
        for name in (
            "hwinfod.errors",
            "hwinfod.wire",
            "hwinfod.core.metric",
            "hwinfod.sources.files",
            "hwinfod.collectors.gpu_families",
            "hwinfod.owners.cgroup",
            "hwinfod.ctl.draw",
        )
    ]


def _module(name: str, text: str) -> Module:
    return Module(name, name.replace(".", "/") + ".py", text)
