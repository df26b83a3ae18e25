# SPDX-License-Identifier: MIT
"""apt out of the repository of files that the guest was given, without a network; versions in it."""

from __future__ import annotations

import os
import re
from pathlib import Path

from system import STATE, output

CONFFILE = Path("/etc/hwinfod/hwinfod.toml")
OPERATORS = "# of the operator\n"
OPERATORS_FILE = Path("/etc/hwinfod/conf.d/operator.toml")
OWN_FILE = STATE / "of-the-proof"


def apt(*arguments: str) -> str:
    """Keeps a configuration that was changed by hand. Raises AssertionError with what apt said."""
    options = ("--yes", "--no-install-recommends", "-o", "Dpkg::Options::=--force-confold")
    return output("apt-get", *options, *arguments)


def be_only_source() -> None:
    """What the guest's image leaves out of packages is not to be left out of ours."""
    for path in (*Path("/etc/dpkg/dpkg.cfg.d").iterdir(), *Path("/etc/apt/sources.list.d").iterdir()):
        path.unlink()
    Path("/etc/apt/sources.list").write_text(f"deb [trusted=yes] file:{os.environ['IN']}/repository ./\n")
    apt("update")


def older_version() -> str:
    """Of the two that the repository has."""
    known = re.findall(r"^ *hwinfod \| *(\S+)", output("apt-cache", "madison", "hwinfod"), re.MULTILINE)
    _newer, older = known
    return older
