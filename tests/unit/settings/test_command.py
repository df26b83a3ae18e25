# SPDX-License-Identifier: MIT
from __future__ import annotations

import os

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hwinfod.settings import SettingsError, Table, parse_command_line
from hwinfod.settings.command import Command, Given


def flags(command: Command) -> dict[str, Given]:
    return {setting.key: given for setting, given in command.flags.items()}


def problems(table: Table, *argv: str) -> list[str]:
    with pytest.raises(SettingsError) as caught:
        parse_command_line(table, argv)
    return str(caught.value).split("\n")


def test_nothing_is_a_run(table: Table) -> None:
    assert parse_command_line(table, []) == Command("run", "", {})


@pytest.mark.parametrize("argv", [["--log-level", "debug"], ["--log-level=debug"]])
def test_a_value_behind_space_or_equals(table: Table, argv: list[str]) -> None:
    assert flags(parse_command_line(table, argv)) == {"log_level": Given("--log-level", ("debug",))}


def test_a_value_may_have_equals_signs_and_begin_with_a_dash(table: Table) -> None:
    command = parse_command_line(table, ["--socket=a=b", "--log-level", "-x", "--state-dir=--y"])
    assert [given.texts for given in command.flags.values()] == [("a=b",), ("-x",), ("--y",)]


def test_repeated_flags_are_kept_in_order(table: Table) -> None:
    command = parse_command_line(table, ["--web.listen-address=:1", "--web.listen-address", ":2"])
    assert flags(command) == {"web.listen_address": Given("--web.listen-address", (":1", ":2"))}


def test_the_last_of_a_switch_counts(table: Table) -> None:
    command = parse_command_line(table, ["--no-collector.cpu", "--collector.filesystem", "--collector.cpu"])
    assert flags(command) == {
        "collector.cpu.enabled": Given("--collector.cpu", ("true",)),
        "collector.filesystem.enabled": Given("--collector.filesystem", ("true",)),
    }
    command = parse_command_line(table, ["--collector.cpu", "--no-collector.cpu"])
    assert flags(command) == {"collector.cpu.enabled": Given("--no-collector.cpu", ("false",))}


def test_the_file_is_named_absolutely(table: Table) -> None:
    assert parse_command_line(table, ["--config", "a.toml"]).config == os.path.abspath("a.toml")


@pytest.mark.parametrize("action", ["help", "version", "check-config", "print-config"])
def test_actions(table: Table, action: str) -> None:
    command = parse_command_line(table, [f"--{action}", "--log-level=debug"])
    assert command.action == action


def test_help_wins_over_every_mistake(table: Table) -> None:
    assert parse_command_line(table, ["--nonsense", "-h", "--version"]) == Command("help")


def test_all_mistakes_are_told(table: Table) -> None:
    assert problems(table, "--loglevel", "debug", "--ring.byte=1", "stray", "--collector.cpu=no", "--socket") == [
        "flag --loglevel: unknown flag; did you mean --log-level?",
        "flag --ring.byte: unknown flag; did you mean --ring.bytes?",
        "flag stray: unexpected argument; every argument is a flag",
        "flag --collector.cpu: takes no value; write --collector.cpu or --no-collector.cpu",
        "flag --socket: needs a value; write --socket PATH",
    ]


@pytest.mark.parametrize(
    ("word", "meant"),
    [
        ("--web.listen_address", "--web.listen-address"),
        ("--web.config-file", "--web.config.file"),
        ("--no-collector.cpuu", "--no-collector.cpu"),
        ("--collector.cpu.interval-seconds", "--collector.cpu.interval"),
        ("-config", "--config"),
        ("--check_config", "--check-config"),
    ],
)
def test_the_nearest_flag_is_named(table: Table, word: str, meant: str) -> None:
    assert problems(table, word) == [f"flag {word}: unknown flag; did you mean {meant}?"]


def test_nothing_is_named_where_nothing_is_near(table: Table) -> None:
    assert problems(table, "--zzz") == ["flag --zzz: unknown flag"]


def test_the_next_flag_is_no_value(table: Table) -> None:
    (problem,) = problems(table, "--log-level", "--collector.cpu")
    assert problem == "flag --log-level: needs a value; write --log-level LEVEL"


@pytest.mark.parametrize("argv", [["--config"], ["--config="], ["--config", "--version"]])
def test_config_needs_a_file(table: Table, argv: list[str]) -> None:
    assert problems(table, *argv)[0] == "flag --config: needs a value; write --config FILE"


def test_an_action_takes_no_value(table: Table) -> None:
    assert problems(table, "--version=1") == ["flag --version: takes no value; write --version"]


def test_hostile_words_stay_on_their_line(table: Table) -> None:
    (problem,) = problems(table, "--\x1b[2J\nfake: line" + "x" * 1000)
    assert problem.isprintable()
    assert len(problem) < 200


@given(st.lists(st.text() | st.sampled_from(["--config", "--socket", "--collector.cpu", "--", "-", "="])))
def test_only_settings_errors_fly(table: Table, argv: list[str]) -> None:
    actions = {"run", "help", "version", "check-config", "print-config"}
    try:
        action = parse_command_line(table, argv).action
    except SettingsError:
        action = "run"
    assert action in actions
