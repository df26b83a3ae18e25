# SPDX-License-Identifier: MIT
"""What people see: colour only where it is wanted, columns that align, numbers that read."""

from __future__ import annotations

import argparse
import io

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hwinfod.ctl import units
from hwinfod.ctl.chart import chart
from hwinfod.ctl.span import parse_span
from hwinfod.ctl.terminal import Terminal, columns, filled, printable, visible_length, wrap


class Stream(io.StringIO):
    def __init__(self, *, tty: bool = True, encoding: str = "utf-8") -> None:
        super().__init__()
        self._tty = tty
        self._encoding = encoding

    def isatty(self) -> bool:
        return self._tty

    @property
    def encoding(self) -> str:
        return self._encoding


def terminal(*, tty=True, encoding="utf-8", no_colour=False, **environ):
    return Terminal(Stream(tty=tty, encoding=encoding), {"TERM": "xterm", **environ}, no_colour=no_colour)


def test_colour_only_on_a_terminal_that_has_it_and_whose_user_wants_it():
    assert terminal().paint("x", "red") == "\x1b[31mx\x1b[0m"
    for plain in (
        terminal(tty=False), terminal(TERM="dumb"), terminal(NO_COLOR="1"), terminal(no_colour=True),
    ):  # fmt: skip
        assert plain.paint("x", "red") == "x"
    assert terminal(NO_COLOR="").paint("x", "red") != "x", "an empty NO_COLOR is none: no-color.org"


@pytest.mark.parametrize("ratio", [-1.0, 0.0, 0.5, 1.0, 7.0])
def test_a_bar_has_its_width(ratio):
    for one in (terminal(), terminal(encoding="ascii", tty=False)):
        assert visible_length(one.bar(ratio, 10)) == 10


def test_a_bar_is_plain_where_the_encoding_is():
    assert terminal(tty=False, encoding="ascii").bar(0.5, 4) == "##.."


@pytest.mark.parametrize(("asked", "width"), [("120", 120), ("", 80), ("0", 80), ("-5", 80), ("wide", 80), ("²", 80)])
def test_a_pipe_is_as_wide_as_was_asked_for(asked, width):
    assert terminal(tty=False, COLUMNS=asked).width == width


def test_a_path_is_not_broken_where_text_is_filled():
    path = "/var/lib/kubelet/pod-resources/kubelet.sock"
    assert filled(f"no socket: {path}", 50, "  note  ") == f"  note  no socket:\n        {path}"


def test_a_sparkline_rises_and_shows_gaps():
    assert terminal().sparkline([0, None, 50, 100], 0, 100) == "▁ ▄█"
    assert len(terminal().sparkline([5, 5, 5], 5, 5)) == 3


@given(st.lists(st.lists(st.text(), min_size=1, max_size=4), max_size=6))
def test_columns_take_any_text(rows):
    assert len(columns(rows)) == len(rows)


def test_columns_align_with_colours_in_them():
    red = terminal().paint("bad", "red")
    assert [line.index("end") - line.count("\x1b[31m") * 5 - line.count("\x1b[0m") * 4 for line in
            columns([["a", red, "end"], ["long", "x", "end"]])] == [11, 11]  # fmt: skip
    assert columns([["n", "1"], ["m", "100"]], right=frozenset({1})) == ["n    1", "m  100"]


@given(st.text())
def test_nothing_of_the_host_controls_the_terminal(text):
    assert all(character.isprintable() for character in printable(text))


@pytest.mark.parametrize(
    ("value", "unit", "text"),
    [
        (0, "bytes", "0 B"), (1023, "bytes", "1023 B"), (1536, "bytes", "1.50 KiB"), (640 * 2**30, "bytes", "640 GiB"),
        (0.864, "ratio", "86.4 %"), (1, "ratio", "100 %"), (5100, "watts", "5.10 kW"), (2.4e9, "hertz", "2.40 GHz"),
        (71, "celsius", "71 C"), (0.0002, "seconds", "0.2 ms"), (0, "seconds", "0s"), (45.25, "seconds", "45.2s"),
        (153, "seconds", "2m33s"), (6 * 3600 + 720, "seconds", "6h12m"), (41 * 86400, "seconds", "41d"),
        (-1.8, "seconds", "-1.8s"), (12, "", "12"), (3_600_000, "", "3.60 M"), (float("inf"), "", "inf"),
        (1024, "bytes_per_second", "1 KiB/s"),
    ],
)  # fmt: skip
def test_numbers_read(value, unit, text):
    assert units.quantity(value, unit) == text


@pytest.mark.parametrize(
    ("value", "unit", "text"),
    [(2048, "bytes", "2 KiB/s"), (0.5, "seconds", "0.50 s/s"), (300, "joules", "300 W"), (4010, "", "4.01 k/s")],
)
def test_rates_read(value, unit, text):
    assert units.rate(value, unit) == text


@pytest.mark.parametrize(
    ("value", "number"), [(None, None), (True, None), (5, 5.0), ("9007199254740993", 9007199254740992.0),
                          ("NaN", None), ("x", None)],
)  # fmt: skip
def test_values_of_the_api_as_numbers(value, number):
    found = units.number(value)
    assert found == number or (value == "NaN" and found != found)


@pytest.mark.parametrize(("text", "seconds"), [("90s", 90), ("15m", 900), ("2h", 7200), ("1d", 86400), ("30", 30)])
def test_spans(text, seconds):
    assert parse_span(text) == seconds


@pytest.mark.parametrize("text", ["", "m", "-5m", "5x", "nan", "inf", "1e99"])
def test_spans_that_are_none(text):
    with pytest.raises(argparse.ArgumentTypeError):
        parse_span(text)


def draw(buckets, low, high):
    lines = chart(buckets, low, high, 5, str, terminal(tty=False, encoding="ascii"))
    return [line.split("|", 1) for line in lines]


def test_a_chart_shows_the_mean_the_reach_and_the_gap():
    rows = draw([(0, 2, 4), None, (4, 4, 4)], 0, 4)
    assert [cells for _, cells in rows] == [": #", ":", "#", ":", ":"]
    assert rows[0][0].strip() == "4"
    assert rows[-1][0].strip() == "0"


def test_a_flat_chart_is_a_line_in_the_middle():
    assert [cells for _, cells in draw([(7, 7, 7)] * 3, 7, 7)] == ["", "", "###", "", ""]


@pytest.mark.parametrize("height", [4, 5, 8])
def test_its_number_stands_beside_it(height):
    lines = chart([(7, 7, 7)], 7, 7, height, str, terminal(tty=False, encoding="ascii"))
    assert [line for line in lines if "7" in line] == [line for line in lines if "#" in line]


@given(st.permutations(["nvme2n1", "nvme10n1", "0000:18:00.0", "0000:9a:00.0", "0000:a1:00.0", "0000:aa:00.0"]))
def test_names_in_order(names):
    addresses = ["0000:18:00.0", "0000:9a:00.0", "0000:a1:00.0", "0000:aa:00.0"]
    assert sorted(names, key=units.natural) == [*addresses, "nvme2n1", "nvme10n1"]
    assert sorted(["10 H100", "2 H100"], key=units.natural) == ["2 H100", "10 H100"]


@given(st.lists(st.one_of(st.none(), st.tuples(*[st.floats(-1e9, 1e9)] * 3).map(sorted)), min_size=1, max_size=40))
def test_a_chart_takes_any_values(buckets):
    present = [bucket for bucket in buckets if bucket]
    if present:
        low, high = min(b[0] for b in present), max(b[2] for b in present)
        assert len(draw(buckets, low, high)) == 5


def test_a_title_takes_no_room_from_columns():
    assert columns([["a title that is long"], ["a", "b"], ["ab", "c"]]) == ["a title that is long", "a   b", "ab  c"]


@pytest.mark.parametrize(("parts", "lines"), [
    ([], ["head: "]),
    (["one", "two"], ["head: one  two"]),
    (["one", "two", "three"], ["head: one  two", "      three"]),
    (["longer than the screen is", "two"], ["head: longer than the screen is", "      two"]),
])  # fmt: skip
def test_parts_wrap_behind_their_head(parts, lines):
    assert wrap("head: ", parts, 16) == lines
