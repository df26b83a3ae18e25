# SPDX-License-Identifier: MIT
"""What is wrong, in lines of the status: the same thing on several GPUs once, and what to do about it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hwinfod.ctl.commands._owner_table import spans
from hwinfod.ctl.terminal import folded, printable

if TYPE_CHECKING:
    from collections.abc import Sequence

    from hwinfod.ctl.terminal import Terminal
    from hwinfod.wire.status import Problem

TAGS = {"critical": ("CRIT", "red"), "warning": ("warn", "yellow"), "info": ("note", "cyan")}


def lines(problems: Sequence[Problem], terminal: Terminal) -> list[str]:
    """In the order that they have. What does not fit on a line goes on below, what to do on a line of its own."""
    shown = []
    for severity, said, remedy in merged(problems):
        tag, style = TAGS[severity]
        room = terminal.width - len(tag) - 2
        text = folded(printable(said), room)
        to_do = f"> {remedy}" if remedy else ""
        if to_do and len(text) == 1 and len(text[0]) + 2 + len(to_do) <= room:
            text = [f"{text[0]}  {terminal.paint(to_do, 'dim')}"]
        elif to_do:
            text += [f"  {terminal.paint(line, 'dim')}" for line in folded(to_do, room - 2)]
        shown.append(f"{terminal.paint(tag, style)}  {text[0]}")
        shown += [" " * (len(tag) + 2) + line for line in text[1:]]
    return shown


def merged(problems: Sequence[Problem]) -> list[tuple[str, str, str]]:
    """Severity, text and remedy; `GPU 0-2,5: ...` where these say the same."""
    gpus: dict[tuple[str, str, str], list[str]] = {}
    for problem in problems:
        gpu = problem["labels"].get("gpu", "")
        head = f"GPU {gpu}"
        rest = problem["text"].removeprefix(head) if gpu.isdigit() else problem["text"]
        is_of_gpu = rest != problem["text"] and not rest[:1].isdigit()
        key = (problem["severity"], rest if is_of_gpu else problem["text"], problem["remedy"])
        gpus.setdefault(key, []).extend([gpu] if is_of_gpu else [])
    return [
        (severity, f"GPU {spans(found)}{text}" if found else text, remedy)
        for (severity, text, remedy), found in gpus.items()
    ]
