# SPDX-License-Identifier: MIT
"""Settings: declared once by the module that uses them, merged from files, environment and flags.

    INTERVAL = Setting("collector.cpu.interval_seconds", Seconds(0.1, 60), 1.0, "Time between two samples.")
    table = Table([*SETTINGS, INTERVAL], TITLES)
    command = parse_command_line(table, sys.argv[1:])
    settings = load(table, command, os.environ)
    settings[INTERVAL]  # a float

Knows no hardware and logs nothing; raises `SettingsError`, a `UserError`.
"""

from __future__ import annotations

from hwinfod.settings.actions import perform
from hwinfod.settings.command import Command, Given, parse_command_line
from hwinfod.settings.daemon import SETTINGS, TITLES
from hwinfod.settings.files import Places
from hwinfod.settings.form import Boolean, Choice, Form, Integer, ListOf, OrNone, Text
from hwinfod.settings.load import load
from hwinfod.settings.place import Address, FilePath, ListenAddress
from hwinfod.settings.problem import Origin, Problem, SettingsError
from hwinfod.settings.quantity import Duration, Seconds, Size
from hwinfod.settings.result import Reload, Settings, reload
from hwinfod.settings.setting import Setting, collector_interval, collector_switch
from hwinfod.settings.table import Table

__all__ = [
    "SETTINGS",
    "TITLES",
    "Address",
    "Boolean",
    "Choice",
    "Command",
    "Duration",
    "FilePath",
    "Form",
    "Given",
    "Integer",
    "ListOf",
    "ListenAddress",
    "OrNone",
    "Origin",
    "Places",
    "Problem",
    "Reload",
    "Seconds",
    "Setting",
    "Settings",
    "SettingsError",
    "Size",
    "Table",
    "Text",
    "collector_interval",
    "collector_switch",
    "load",
    "parse_command_line",
    "perform",
    "reload",
]
