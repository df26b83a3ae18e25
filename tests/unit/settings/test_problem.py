# SPDX-License-Identifier: MIT
from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from hwinfod.settings import Origin, Problem, SettingsError
from hwinfod.settings.problem import did_you_mean, printable
from hwinfod.settings.toml import dotted


def test_a_problem_is_one_line() -> None:
    problem = Problem(Origin("file", "/etc/x.toml", 3), "ring.bytes", "is wrong", "mend it")
    assert str(problem) == "/etc/x.toml:3: ring.bytes: is wrong; mend it"
    assert str(Problem(Origin("file", "/etc/x.toml"), "", "is empty")) == "/etc/x.toml: is empty"


def test_an_error_has_all_problems_and_a_remedy() -> None:
    one, other = Problem(Origin("flag", "--a"), "", "is wrong"), Problem(Origin("flag", "--b"), "", "too")
    error = SettingsError([one, other])
    assert str(error) == "flag --a: is wrong\nflag --b: too"
    assert error.problems == (one, other)
    assert "--help" in error.hint


@given(st.text())
def test_what_is_shown_is_printable_and_short(text: str) -> None:
    shown = printable(text)
    assert shown.isprintable()
    assert len(shown) <= 1000
    if text.isprintable() and len(text) <= 100:
        assert shown == text


def test_a_common_prefix_makes_nothing_alike() -> None:
    known = ["HWINFOD_SOCKET", "HWINFOD_LOG_LEVEL"]
    assert did_you_mean("HWINFOD_PORT", known, "HWINFOD_") == ""
    assert did_you_mean("HWINFOD_SOCKETS", known, "HWINFOD_") == "did you mean HWINFOD_SOCKET?"


def test_paths_are_quoted_where_toml_does() -> None:
    assert dotted(("a", "b-c_1")) == "a.b-c_1"
    assert dotted(("a.b", "", "é")) == '"a.b".""."é"'
