# SPDX-License-Identifier: MIT
"""JSON as every verb prints it."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from hwinfod.ctl.terminal import Terminal


def write_json(terminal: Terminal, document: object) -> None:
    """The API's document: indented for a person, one line for a pipe."""
    if terminal.is_tty:
        terminal.write(json.dumps(document, indent=2, ensure_ascii=False))
    else:
        terminal.write(json.dumps(document, separators=(",", ":"), ensure_ascii=False))
