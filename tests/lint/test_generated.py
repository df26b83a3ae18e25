# SPDX-License-Identifier: MIT
"""One declaration, many faces: what is generated is current, correct, and says what the daemon does."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
from ruamel.yaml import YAML

from hwinfod.engine import Declared, discover
from hwinfod.errors import UserError
from hwinfod.serve import api
from hwinfod.serve.http import Problem, Router
from hwinfod.serve.metrics import MetricsFace
from hwinfod.settings import SETTINGS
from tests.lint.project import ROOT, files
from tests.unit.serve.test_api import Asker
from tools import docs
from tools.openapi import OPERATIONS

PAGES = [name for name in files() if name.startswith("man/")]


def test_nothing_generated_is_stale() -> None:
    assert docs.stale() == [], "make docs"


def test_a_changed_declaration_would_be_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(docs.GENERATED, "etc/hwinfod.toml", lambda: "another text")
    assert docs.stale() == ["etc/hwinfod.toml"]


def _routes() -> Router:
    asker = Asker()
    router = Router()
    api.add_routes(router, asker.context)
    router.add("GET", "/metrics", MetricsFace(asker.host, lambda: asker.settings).metrics)
    return router


def test_the_openapi_document_has_the_daemons_routes() -> None:
    document = YAML(typ="safe").load(Path(ROOT, "docs/openapi.yaml").read_text())
    documented = {(method.upper(), path) for path, item in document["paths"].items() for method in item}
    assert documented == {(route.method, route.template) for route in _routes().routes}


@pytest.mark.parametrize(
    "path",
    [path for path, op in OPERATIONS.items() if op.method == "get" and path not in ("/metrics", "/v1/series")],
)
def test_the_documented_parameters_are_taken_and_no_others(path: str) -> None:
    values = {"since": "0", "start": "0", "limit": "1", "severity": "info", "level": "core", "label": "device=*"}
    values["command_lines"] = "true"
    ask = Asker()
    real = path.replace("{id}", "d1")
    try:
        status = ask.response(real, **{n: values.get(n, "x") for n in OPERATIONS[path].parameters}).status
    except Problem as problem:
        status = problem.kind.status
    assert status in ((200, 404) if "{" in path else (200,)), "this host has not everything"
    with pytest.raises(UserError):
        ask.response(real, undocumented="1")


@pytest.mark.tier("man")
@pytest.mark.parametrize("name", PAGES)
def test_manual_pages_are_clean(name: str) -> None:
    lint = subprocess.run(["mandoc", "-Tlint", name], cwd=ROOT, capture_output=True, text=True, check=False)
    assert lint.stdout == ""
    assert _man("--warnings", "-E", "UTF-8", "-l", "-Tutf8", "-Z", name).stderr == ""


@pytest.mark.tier("man")
def test_settings_are_shown_as_they_are_written() -> None:
    shown = _man("-P", "cat", "-l", "man/hwinfod.toml.5").stdout.splitlines()
    declared = (setting for kind in discover() for setting in Declared.of(kind).settings())
    written = {f"{setting.path[-1]} = {setting.default_text}" for setting in (*SETTINGS, *declared)}
    lines = {line.strip() for line in shown}
    assert [line for line in written if not any(_begins(one, line) for one in lines)] == []


def _begins(shown: str, tag: str) -> bool:
    """Behind a short tag its text stands on the same line."""
    return shown == tag or shown.startswith(f"{tag} ")


@pytest.mark.tier("man")
def test_what_is_typed_is_shown_as_it_is_typed() -> None:
    lines = [line.strip() for line in _man("-P", "cat", "-l", "man/hwinfoctl.1").stdout.splitlines()]
    typed = ("gpu, rdma or pid.", "accept: what is here", "release: for how long", "hwinfoctl collectors lists them.")
    assert [words for words in typed if not any(words in line for line in lines)] == []


def _man(*arguments: str) -> subprocess.CompletedProcess[str]:
    """man(1) with lines that are long enough for everything."""
    environ = {"PATH": "/usr/bin:/bin", "LC_ALL": "C.UTF-8", "MANWIDTH": "4000"}
    return subprocess.run(["man", *arguments], cwd=ROOT, capture_output=True, text=True, check=False, env=environ)
