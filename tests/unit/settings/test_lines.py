# SPDX-License-Identifier: MIT
from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from hwinfod.settings.lines import key_lines, line_of

TEXT = '''\
# a = 1
a = 1
 b.c = 2 # d = 3

[ web ] # title
listen = [
  "[::1]:1", # x = 1
  ["y"],
  { z = 1 },
]
"quoted" = 1
text = """
inner = 1
[inner]
"""
other = \'\'\'one line\'\'\'
[collector . cpu]
enabled = true
last = ["[[\\"[", '[\\'] # [
[[array]]
'''


def test_where_keys_and_sections_stand() -> None:
    assert key_lines(TEXT) == {
        "a": 2,
        "b": 3,
        "b.c": 3,
        "web": 5,
        "web.listen": 6,
        "web.quoted": 11,
        "web.text": 12,
        "web.other": 16,
        "collector": 17,
        "collector.cpu": 17,
        "collector.cpu.enabled": 18,
        "collector.cpu.last": 19,
        "array": 20,
    }


def test_a_key_that_is_not_found_has_the_line_of_its_section() -> None:
    lines = key_lines("\nweb = { listen = 1 }\n")
    assert line_of(lines, ("web", "listen")) == 2
    assert line_of(lines, ("ring", "bytes")) == 0


@given(st.text())
def test_any_text_can_be_scanned(text: str) -> None:
    assert all(1 <= line <= text.count("\n") + 1 for line in key_lines(text).values())
