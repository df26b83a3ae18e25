# SPDX-License-Identifier: MIT
"""Other Python versions on this machine: on PATH, or kept by pyenv."""

from __future__ import annotations

import functools
import os
import shutil
import subprocess
import sys
from pathlib import Path

SUPPORTED = ("3.10", "3.11", "3.12", "3.13")
OTHERS = tuple(version for version in SUPPORTED if version != "{}.{}".format(*sys.version_info))


@functools.cache
def find(version: str) -> str | None:
    """The path of an interpreter that really is `version`, or None."""
    root = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv"))
    kept = sorted(root.glob(f"versions/{version}.*/bin/python"))
    on_path = shutil.which(f"python{version}")
    candidates = [on_path] if on_path else []
    candidates += [str(path) for path in reversed(kept)]
    return next((path for path in candidates if _is(path, version)), None)


def _is(path: str, version: str) -> bool:
    """pyenv puts a shim on PATH for each version that it has, and lets only the chosen one run."""
    command = [path, "-c", "import sys; print('{}.{}'.format(*sys.version_info))"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    return done.returncode == 0 and done.stdout.strip() == version
