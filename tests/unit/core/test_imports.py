# SPDX-License-Identifier: MIT
"""Each case is a process of its own: what is imported stays imported."""

from __future__ import annotations

import subprocess
import sys

import pytest

WITHOUT = "from hwinfod.core.imports import without_ssl, with_ssl\nimport sys\n"


@pytest.mark.parametrize(
    ("program", "said"),
    [
        ("with without_ssl():\n    import asyncio\nprint('ssl' in sys.modules)", "False"),
        ("with without_ssl():\n    import asyncio\nimport ssl\nprint(ssl.HAS_SNI)", "True"),
        ("import ssl\nwith without_ssl():\n    import asyncio\nprint(asyncio.sslproto.ssl is ssl)", "True"),
        ("with with_ssl():\n    import ssl\nprint('ssl' in sys.modules)", "True"),
        ("try:\n    with without_ssl():\n        import ssl\nexcept ImportError:\n    print('refused')", "refused"),
    ],
)  # fmt: skip
def test_ssl(program: str, said: str) -> None:
    done = subprocess.run([sys.executable, "-c", WITHOUT + program], capture_output=True, text=True, check=True)
    assert done.stdout.split() == said.split()


def test_a_runtime_without_tls_brings_no_ssl() -> None:
    program = WITHOUT + (
        "from hwinfod.__main__ import _import_asyncio\n_import_asyncio(tls=False)\nimport asyncio\n"
        "from hwinfod.engine import discover\ndiscover()\nfrom hwinfod.owners.runtimes.link import open_channel\n"
        "async def connect():\n    open_channel('/none').close()\nasyncio.run(connect())\n"
        "print('ssl' in sys.modules, 'grpclib' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["False", "True"]
