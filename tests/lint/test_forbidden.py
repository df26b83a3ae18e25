# SPDX-License-Identifier: MIT
"""The daemon starts no program and evaluates no text, and the linter that says so sees one that does."""

from __future__ import annotations

import pytest

from tests.lint import forbidden
from tests.lint.project import Module, modules


def test_the_daemon_does_nothing_forbidden() -> None:
    assert [wrong for module in modules() for wrong in forbidden.violations(module)] == []


@pytest.mark.parametrize(
    "text",
    [
        "import subprocess",
        "import subprocess as s",
        "from subprocess import run",
        "def f():\n    import subprocess",
        "import pickle",
        "from multiprocessing import shared_memory",
        "import numpy.linalg",
        "import concurrent.futures",
        "from concurrent import futures",
        "from concurrent.futures import ThreadPoolExecutor",
        "import os\nos.system('true')",
        "import os\nos.popen('true')",
        "import os\nos.execv('/bin/true', [])",
        "import os\nos.posix_spawn('/bin/true', [], {})",
        "from os import fork",
        "from os import execvp as go",
        "eval('1')",
        "exec('1')",
        "compile('1', '', 'eval')",
        "f(shell=True)",
        "f(shell=how)",
        "import asyncio\nasyncio.create_subprocess_exec('true')",
        "import asyncio\nasyncio.create_subprocess_shell('true')",
        "import asyncio\nasyncio.to_thread(f)",
        "from asyncio import to_thread",
        "loop.run_in_executor(None, f)",
    ],
)
def test_what_is_forbidden_is_seen(text: str) -> None:
    assert forbidden.violations(_module("hwinfod.collectors.cpu", text))


@pytest.mark.parametrize(
    "text",
    [
        "import re\nre.compile('x')",
        "connection.execute('select 1')",
        "import os\nos.open('/proc/stat', os.O_RDONLY)",
        "f(shell=False)",
        "import concurrently",
    ],
)
def test_what_only_looks_alike_is_let_through(text: str) -> None:
    assert forbidden.violations(_module("hwinfod.collectors.cpu", text)) == []


def test_hwinfoctl_may_start_a_pager_but_no_shell() -> None:
    assert forbidden.violations(_module("hwinfod.ctl.pager", "import subprocess\nsubprocess.run(['less'])")) == []
    assert forbidden.violations(_module("hwinfod.ctl.pager", "subprocess.run('less', shell=True)"))


def _module(name: str, text: str) -> Module:
    return Module(name, name.replace(".", "/") + ".py", text)
