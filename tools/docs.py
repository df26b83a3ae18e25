# SPDX-License-Identifier: MIT
"""`make docs`: writes what is derived from declarations, and with --check only says what is not as derived."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from hwinfod.core.catalog import catalog_of  # noqa: E402
from hwinfod.ctl.__main__ import build_parser  # noqa: E402
from hwinfod.engine import Declared, discover  # noqa: E402
from hwinfod.settings import SETTINGS, TITLES, Table  # noqa: E402
from hwinfod.settings.document import example_text  # noqa: E402
from tools import completions  # noqa: E402
from tools.manual_hwinfoctl import client_page  # noqa: E402
from tools.manual_metrics import metrics_page  # noqa: E402
from tools.manual_settings import configuration_page, daemon_page  # noqa: E402
from tools.openapi import openapi_text  # noqa: E402


def _table() -> Table:
    declared = [Declared.of(kind) for kind in discover()]
    return Table([*SETTINGS, *(s for item in declared for s in item.settings())], TITLES)


def _example() -> str:
    return "# SPDX-License-Identifier: MIT\n# generated: make docs\n" + example_text(_table())


def _metrics() -> str:
    kinds = discover()
    return metrics_page(kinds, catalog_of(kinds))


GENERATED: dict[str, Callable[[], str]] = {
    "man/hwinfod-metrics.7": _metrics,
    "man/hwinfod.8": lambda: daemon_page(_table()),
    "man/hwinfod.toml.5": lambda: configuration_page(_table()),
    "man/hwinfoctl.1": lambda: client_page(build_parser()),
    "completions/hwinfoctl.bash": lambda: completions.bash(build_parser()),
    "completions/hwinfoctl.zsh": lambda: completions.zsh(build_parser()),
    "completions/hwinfoctl.fish": lambda: completions.fish(build_parser()),
    "etc/hwinfod.toml": _example,
    "docs/openapi.yaml": openapi_text,
}


def stale() -> list[str]:
    """The generated files that are not what would be generated now."""
    return [name for name, make in GENERATED.items() if _read(name) != make()]


def _read(name: str) -> str:
    path = ROOT / name
    return path.read_text() if path.exists() else ""


def main() -> int:
    if "--check" in sys.argv[1:]:
        for name in stale():
            print(f"{name} is not as generated: make docs", file=sys.stderr)
        return 1 if stale() else 0
    for name in stale():
        (ROOT / name).parent.mkdir(exist_ok=True)
        (ROOT / name).write_text(GENERATED[name]())
        print(f"wrote {name}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
