# SPDX-License-Identifier: MIT
"""The argument tree of hwinfoctl, as manual page and completions walk it."""

from __future__ import annotations

import argparse
from typing import NamedTuple


class Verb(NamedTuple):
    """One command of hwinfoctl."""

    name: str
    summary: str
    positionals: list[argparse.Action]
    options: list[argparse.Action]


def options_of(parser: argparse.ArgumentParser) -> list[argparse.Action]:
    """In the order of their declaration."""
    return [action for action in parser._actions if action.option_strings]


def verbs_of(parser: argparse.ArgumentParser) -> list[Verb]:
    (tree,) = (action for action in parser._actions if isinstance(action, argparse._SubParsersAction))
    summaries = {choice.dest: choice.help or "" for choice in tree._choices_actions}
    return [
        Verb(name, summaries[name], [a for a in verb._actions if not a.option_strings], options_of(verb))
        for name, verb in tree.choices.items()
    ]
