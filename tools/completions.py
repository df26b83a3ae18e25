# SPDX-License-Identifier: MIT
"""Completions of hwinfoctl for bash, zsh and fish, out of its parser.

Static on purpose: a completion that asks the daemon hangs where the daemon does.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterable

from tools.arguments import Verb, options_of, verbs_of

_HEAD = "# SPDX-License-Identifier: MIT\n# generated: make docs\n"

_BASH = """\
_hwinfoctl() {{
    local word=$2 before=$3 verb="" candidate
    for candidate in "${{COMP_WORDS[@]:1:COMP_CWORD-1}}"; do
        case $candidate in
        {verbs}) verb=$candidate; break ;;
        esac
    done
    case $before in
    --socket) mapfile -t COMPREPLY < <(compgen -f -- "$word"); return ;;
{values}    esac
    case $verb in
{cases}    *) mapfile -t COMPREPLY < <(compgen -W '{top}' -- "$word") ;;
    esac
}}
complete -F _hwinfoctl hwinfoctl
"""

_ZSH = """\
_hwinfoctl() {{
    local -a common verbs
    common=(
{common}    )
    verbs=(
{verbs}    )
    local context state line
    typeset -A opt_args
    _arguments -C $common '1:command:->verb' '*::argument:->argument'
    case $state in
    verb) _describe -t commands 'hwinfoctl command' verbs ;;
    argument)
        case $line[1] in
{cases}        esac ;;
    esac
}}
_hwinfoctl "$@"
"""


def bash(parser: argparse.ArgumentParser) -> str:
    verbs = verbs_of(parser)
    cases = "".join(
        f"    {verb.name}) mapfile -t COMPREPLY < <(compgen -W '{_words(verb)}' -- \"$word\") ;;\n" for verb in verbs
    )
    values = {
        flag: " ".join(action.choices)
        for verb in verbs for action in verb.options if action.choices for flag in action.option_strings
    }  # fmt: skip
    choices = "".join(
        f"    {flag}) mapfile -t COMPREPLY < <(compgen -W '{words}' -- \"$word\"); return ;;\n"
        for flag, words in values.items()
    )
    top = " ".join([*(verb.name for verb in verbs), *_flags(options_of(parser))])
    names = " | ".join(verb.name for verb in verbs)
    return "# shellcheck shell=bash\n" + _HEAD + _BASH.format(verbs=names, values=choices, cases=cases, top=top)


def zsh(parser: argparse.ArgumentParser) -> str:
    verbs = verbs_of(parser)
    common = "".join(f"        {_zsh_option(action)}\n" for action in options_of(parser))
    known = {action.dest for action in options_of(parser)}
    cases = ""
    for verb in verbs:
        words = [_zsh_option(action) for action in verb.options if action.dest not in known]
        words += [_zsh_positional(action) for action in verb.positionals]
        cases += f"        {verb.name}) _arguments $common {' '.join(words)}".rstrip() + " ;;\n"
    described = "".join(f"        '{verb.name}:{_quoted(verb.summary)}'\n" for verb in verbs)
    return "#compdef hwinfoctl\n" + _HEAD + _ZSH.format(common=common, verbs=described, cases=cases)


def fish(parser: argparse.ArgumentParser) -> str:
    verbs = verbs_of(parser)
    known = {action.dest for action in options_of(parser)}
    lines = [_HEAD + "complete -c hwinfoctl -f"]
    lines += [f"complete -c hwinfoctl {_fish(action)}" for action in options_of(parser)]
    for verb in verbs:
        lines.append(f"complete -c hwinfoctl -n __fish_use_subcommand -a {verb.name} -d '{_fish_quoted(verb.summary)}'")
        seen = f"complete -c hwinfoctl -n '__fish_seen_subcommand_from {verb.name}'"
        lines += [f"{seen} {_fish(action)}" for action in verb.options if action.dest not in known]
        lines += [f"{seen} -a '{' '.join(action.choices)}'" for action in verb.positionals if action.choices]
    return "\n".join(lines) + "\n"


def _words(verb: Verb) -> str:
    choices = [choice for action in verb.positionals for choice in action.choices or ()]
    return " ".join([*choices, *_flags(verb.options)])


def _flags(actions: Iterable[argparse.Action]) -> list[str]:
    return [flag for action in actions for flag in action.option_strings]


def _help(action: argparse.Action) -> str:
    return (action.help or action.dest).replace("%(default)s", "/run/hwinfod/hwinfod.sock")


def _zsh_option(action: argparse.Action) -> str:
    flags = action.option_strings
    names = flags[0] if len(flags) == 1 else "{" + ",".join(flags) + "}"
    text = _quoted(_help(action)).replace("[", "\\[").replace("]", "\\]")
    value = "" if action.nargs == 0 else f"{'::' if action.nargs == '?' else ':'}{_zsh_value(action)}"
    return f"{names}'[{text}]{value}'"


def _zsh_positional(action: argparse.Action) -> str:
    prefix = {"?": "::", "*": "*:"}.get(str(action.nargs), ":")
    return f"'{prefix}{_zsh_value(action)}'"


def _zsh_value(action: argparse.Action) -> str:
    name = str(action.metavar or action.dest).lower()
    if action.choices:
        return f"{name}:({' '.join(action.choices)})"
    return f"{name}:_files" if action.dest == "socket" else f"{name}: "


def _fish(action: argparse.Action) -> str:
    words = [f"-s {flag[1:]}" if not flag.startswith("--") else f"-l {flag[2:]}" for flag in action.option_strings]
    if action.nargs is None:
        words.append("-r")
    if action.choices:
        words.append(f"-a '{' '.join(action.choices)}'")
    if action.dest == "socket":
        words.append("-F")
    return " ".join([*words, f"-d '{_fish_quoted(_help(action))}'"])


def _quoted(text: str) -> str:
    return text.replace("'", "'\\''").replace(":", "\\:")


def _fish_quoted(text: str) -> str:
    return text.replace("\\", "\\\\").replace("'", "\\'")
