# SPDX-License-Identifier: MIT
"""A little of man(7): pages out of sections, paragraphs and tagged lists, without warnings of man and mandoc."""

from __future__ import annotations

import re
import textwrap
from collections.abc import Iterable

_WRAPPER = textwrap.TextWrapper(width=78, break_long_words=False, break_on_hyphens=False)


def escape(text: str) -> str:
    """Plain text as roff input."""
    text = text.replace("\\", "\\e").replace("-", "\\-").replace("'", "\\(aq").replace("`", "\\(ga")
    text = text.replace("^", "\\(ha").replace("~", "\\(ti")
    return re.sub(r"^\.", r"\\&.", text, flags=re.MULTILINE)


def sentences(text: str) -> list[str]:
    """A line for each sentence: roff decides how much room is behind its full stop."""
    return [line for part in re.split(r"(?<=[.!?]) +(?=[A-Z])", text.strip()) for line in filled(part)]


def filled(text: str) -> list[str]:
    """Lines no longer than mandoc likes, which roff fills anew."""
    return [rf"\&{line}" if line.startswith(".") else line for line in _WRAPPER.wrap(escape(text))]


def header(name: str, section: int, date: str, source: str, summary: str) -> list[str]:
    return [
        '.\\" SPDX-License-Identifier: MIT',
        '.\\" generated: make docs',
        f'.TH {name.upper()} {section} "{date}" "{source}" "{source}"',
        ".ad l",  # a metric's name is longer than what adjusting can spread
        ".SH NAME",
        f"{escape(name)} \\- {escape(summary)}",
    ]


def section(title: str) -> list[str]:
    return [f".SH {title.upper()}"]


def subsection(title: str) -> list[str]:
    return [f".SS {escape(title)}"]


def paragraph(text: str) -> list[str]:
    return [".PP", *sentences(text)]


def first_paragraph(text: str) -> list[str]:
    """Directly behind a heading, which makes its own room."""
    return sentences(text)


def tagged(tag: str, body: Iterable[str]) -> list[str]:
    """A bold tag with an indented body. A macro takes away the quotes of its arguments."""
    quotes = escape(tag).replace('"', "\\(dq")
    return [".TP", f".B {quotes}", *body]


def verbatim(text: str) -> list[str]:
    """As it stands, indented."""
    return [".PP", ".RS", ".nf", *(escape(line) or ".sp" for line in text.split("\n")), ".fi", ".RE"]


def see_also(*pages: tuple[str, int]) -> list[str]:
    """References, as man(7) writes them."""
    *others, last = [f".BR {escape(name)} ({section})" for name, section in pages]
    return [".SH SEE ALSO", *(f"{page}," for page in others), last]


def page(lines: Iterable[str]) -> str:
    return "\n".join(lines) + "\n"
