# SPDX-License-Identifier: MIT
"""One declaration, many faces: what is generated is current, correct, and says what the daemon does."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
from ruamel.yaml import YAML

from hwinfod.errors import UserError
from hwinfod.serve import api
from hwinfod.serve.http import Problem, Router
from hwinfod.serve.metrics import MetricsFace
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
    man = subprocess.run(
        ["man", "--warnings", "-E", "UTF-8", "-l", "-Tutf8", "-Z", name],
        cwd=ROOT, capture_output=True, text=True, check=False, env={"PATH": "/usr/bin:/bin", "LC_ALL": "C.UTF-8"},
    )  # fmt: skip
    assert man.stderr == ""
