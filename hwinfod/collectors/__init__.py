# SPDX-License-Identifier: MIT
"""The collectors: each file is one hardware domain, found by being here."""

from __future__ import annotations

import os
from importlib import import_module

from hwinfod.core.collector import Collector


def discover() -> list[type[Collector]]:
    """Every collector class of this package, by name."""
    modules = sorted(name.removesuffix(".py") for name in os.listdir(os.path.dirname(__file__)) if name.endswith(".py"))
    found: dict[str, type[Collector]] = {}
    for module in modules:
        if module.startswith("_"):
            continue
        for value in vars(import_module(f"{__name__}.{module}")).values():
            if isinstance(value, type) and issubclass(value, Collector) and hasattr(value, "name"):
                known = found.setdefault(value.name, value)
                if known is not value:
                    raise ValueError(f"two collectors are called {value.name}")
    return [found[name] for name in sorted(found)]
