# SPDX-License-Identifier: MIT
"""The text of `hwinfod --help`, made from the table: 80 columns, examples first."""

from __future__ import annotations

import textwrap
from collections.abc import Iterable
from typing import Any

from hwinfod.settings.setting import Setting
from hwinfod.settings.table import Table

WIDTH = 80
_COLUMN = 32  # where the right column begins
_NO_BREAK = "\N{NO-BREAK SPACE}"

_HEAD = """\
Usage: hwinfod [FLAG]...

Samples the hardware of this host, says who uses it, and keeps the last hour.
Without a flag it answers on its Unix socket only: try hwinfoctl status.

Examples:
  hwinfod --web.listen-address 127.0.0.1:10049
      Prometheus scrapes http://127.0.0.1:10049/metrics.
  hwinfod --textfile.directory /var/lib/prometheus/node-exporter
      node_exporter serves the metrics, no port of our own is open.
  hwinfod --check-config
      Is the configuration good? File, line, what is wrong, what to do.
"""

_GENERAL = (
    ("-h, --help", "Print this text."),
    ("--version", "Print the version."),
    ("--check-config", "Say what is wrong with the configuration."),
    ("--print-config", "Print all settings, and where each comes from."),
    ("--config FILE", "Read FILE instead of /etc/hwinfod/hwinfod.toml, and last of all files."),
)

_TAIL = """\
Each flag is a key of the configuration file and an environment variable, too:
  --ring.bytes 32MiB  =  [ring] bytes = "32MiB"  =  HWINFOD_RING_BYTES=32MiB
Later wins: /usr/lib/hwinfod/conf.d/*.toml, /etc/hwinfod/hwinfod.toml,
/etc/hwinfod/conf.d/*.toml, environment, flags. SIGHUP reads them again.
"""


def help_text(table: Table) -> str:
    parts = [_HEAD, "General:\n" + "".join(_entry(flag, text) for flag, text in _GENERAL)]
    collectors: dict[str, list[Setting[Any]]] = {}
    for section, settings in table.by_section():
        if section.startswith("collector."):
            collectors[section.removeprefix("collector.")] = settings
        else:
            title = table.titles.get(section, section)
            parts.append(f"{title}:\n" + "".join(map(_setting, settings)))
    if collectors:
        parts.append(_collectors(collectors))
    return "\n".join([*parts, _TAIL])


def _setting(setting: Setting[Any]) -> str:
    if setting.form.switch:
        state = "on" if setting.default else "off"
        return _entry(f"--[no-]{setting.flag[2:]}", f"{setting.help} (default: {state})")
    notes = ["repeatable"] if setting.form.repeatable else []
    notes += ["one of " + ", ".join(setting.form.choices)] if setting.form.choices else []
    default = setting.form.to_text(setting.default).replace(",", ", ") or "none"
    notes.append(f"default:{_NO_BREAK}{default}")
    return _entry(f"{setting.flag} {setting.metavar}", f"{setting.help} ({'; '.join(notes)})")


def _entry(left: str, right: str) -> str:
    """One flag and its text, on the next line where the flag is too long for its column."""
    wrapped = textwrap.wrap(right, WIDTH - _COLUMN, break_on_hyphens=False)
    lines = [line.replace(_NO_BREAK, " ") for line in wrapped]
    left = "  " + left
    if len(left) > _COLUMN - 2:
        return left + "\n" + _indented(lines)
    return f"{left:{_COLUMN}}{lines[0]}\n" + _indented(lines[1:])


def _indented(lines: Iterable[str]) -> str:
    return "".join(" " * _COLUMN + line + "\n" for line in lines)


def _collectors(collectors: dict[str, list[Setting[Any]]]) -> str:
    """A table of what every collector has, then what single ones have beside it."""
    lines = [
        "Collectors:\n",
        _entry("--[no-]collector.NAME", "Switch a collector on or off."),
        _entry("--collector.NAME.interval TIME", "Time between two of its samples."),
        "\n",
    ]
    width = max(len("NAME"), *map(len, collectors))
    lines.append(f"  {'NAME':{width}}  ON   EVERY  WHAT\n")
    rest: list[Setting[Any]] = []
    for name, settings in collectors.items():
        by_end = {setting.path[-1]: setting for setting in settings}
        lines.append(_row(name, width, by_end.pop("enabled", None), by_end.pop("interval_seconds", None)))
        rest += by_end.values()
    if rest:
        lines += ["\n", *map(_setting, rest)]
    return "".join(lines)


def _row(name: str, width: int, switch: Setting[Any] | None, interval: Setting[Any] | None) -> str:
    state = ("on" if switch.default else "off") if switch else ""
    every = interval.form.to_text(interval.default) if interval else ""
    head = f"  {name:{width}}  {state:3}  {every:>5}  "
    what = textwrap.wrap(switch.help.rstrip(".") if switch else "", WIDTH - len(head)) or [""]
    return head + f"\n{' ' * len(head)}".join(what) + "\n"
