# SPDX-License-Identifier: MIT
"""Runs the checks of these modules, in their order. program.py MODULES, which is one argument."""

from __future__ import annotations

import sys
from importlib import import_module

from in_guest import report

CHECKS = {
    f"{module}.{name.removeprefix('check_')}": check
    for module in sys.argv[1].split()
    for name, check in vars(import_module(module)).items()
    if name.startswith("check_")
}

sys.exit(report(CHECKS, None))
