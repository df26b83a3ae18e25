# SPDX-License-Identifier: MIT
"""hwinfoctl(1): commands and options out of the parser, the rest by hand."""

from __future__ import annotations

import argparse
import re

from hwinfod._version import RELEASED, VERSION
from tools import roff
from tools.arguments import Verb, options_of, verbs_of

_DESCRIPTION = (
    "hwinfoctl shows what hwinfod knows of this host, on a terminal or as JSON. It reads the Unix socket of the daemon "
    "and nothing else, and never needs root to read. Root and the members of the group hwinfod see everything. Others "
    "see devices, totals and what is their own, unless the setting api.privacy says otherwise. What changes the state "
    "of the host is root's."
)
_PLACE = (
    "Before or behind the command. --watch without a number goes behind the command and its arguments: a word that "
    "follows it is taken for SECONDS."
)
_STATUS = (
    ("0", "It worked."),
    ("1", "The daemon refused or failed."),
    ("2", "The command line is wrong."),
    ("3", "The daemon is not reachable."),
    ("4", "Permission denied."),
    ("5", "Of status only: the host has a critical problem."),
)
_ENVIRONMENT = (
    ("HWINFOD_SOCKET", "The socket of the daemon. The option --socket wins over it."),
    ("NO_COLOR", "No colour, if it is set and not empty."),
)
_EXAMPLES = (
    ("hwinfoctl status", "What is wrong, and the host in a few lines."),
    ("hwinfoctl history hw_cpu_utilization_ratio --since 15m", "A quarter of an hour of one metric, drawn."),
    ("hwinfoctl events -f", "What happens, as it happens."),
    ("hwinfoctl status --json | jq .problems", "For programs: the document of the API."),
)


def client_page(parser: argparse.ArgumentParser) -> str:
    lines = roff.header("hwinfoctl", 1, RELEASED, f"hwinfod {VERSION}", "show what hwinfod knows of this host")
    lines += [*roff.section("Synopsis"), ".B hwinfoctl", '.RI [ option ]... " command " [ argument ]...']
    lines += roff.section("Description") + roff.first_paragraph(_DESCRIPTION)
    lines += roff.section("Options") + roff.first_paragraph(_PLACE)
    lines += _options(options_of(parser))
    lines += roff.section("Commands")
    common = {action.dest for action in options_of(parser)}
    for verb in verbs_of(parser):
        lines += _verb(verb, common)
    for title, entries in (
        ("Exit status", _STATUS), ("Environment", _ENVIRONMENT), ("Examples", _EXAMPLES),
    ):  # fmt: skip
        lines += roff.section(title)
        lines += [line for tag, text in entries for line in roff.tagged(tag, roff.sentences(text))]
    return roff.page([*lines, *roff.see_also(("hwinfod", 8), ("hwinfod.toml", 5), ("hwinfod-metrics", 7))])


def _verb(verb: Verb, common: set[str]) -> list[str]:
    words = [verb.name, *(_positional(action) for action in verb.positionals)]
    lines = roff.subsection(" ".join(words)) + roff.first_paragraph(f"{verb.summary[0].upper()}{verb.summary[1:]}.")
    for action in verb.positionals:
        if action.help:
            lines += roff.tagged(str(action.metavar or action.dest), roff.sentences(_sentence(action.help, action)))
    return lines + _options([action for action in verb.options if action.dest not in common])


def _positional(action: argparse.Action) -> str:
    name = str(action.metavar or action.dest)
    return {"?": f"[{name}]", "*": f"[{name}]..."}.get(str(action.nargs), name)


def _options(actions: list[argparse.Action]) -> list[str]:
    lines = []
    for action in actions:
        value = str(action.metavar or "").upper() or (
            "|".join(action.choices) if action.choices else action.dest.upper()
        )
        takes_none = action.nargs == 0
        shown = "" if takes_none else f" [{value}]" if action.nargs == "?" else f" {value}"
        help_text = (action.help or "").replace("%(default)s", "/run/hwinfod/hwinfod.sock")
        lines += roff.tagged(", ".join(action.option_strings) + shown, roff.sentences(_sentence(help_text, action)))
    return lines


def _sentence(text: str, action: argparse.Action) -> str:
    """A help text with its full stop. What a person types it begins with is written as it is typed."""
    first = re.split(r"[ ,:]", text, maxsplit=1)[0]
    is_typed = first == "hwinfoctl" or first in (action.choices or ()) or text.startswith(f"{first}:")
    start = text if is_typed else text[0].upper() + text[1:]
    return start if start.endswith(".") else f"{start}."
