# SPDX-License-Identifier: MIT
"""A little of man(7): pages out of sections, paragraphs and tagged lists, without warnings of man and mandoc."""

from __future__ import annotations

import re
from collections.abc import Iterable


def escape(text: str) -> str:
    """Plain text as roff input."""
    text = text.replace("\\", "\\e").replace("-", "\\-").replace("'", "\\(aq").replace("`", "\\(ga")
    text = text.replace("^", "\\(ha").replace("~", "\\(ti")
    return re.sub(r"^\.", r"\\&.", text, flags=re.MULTILINE)


def sentences(text: str) -> list[str]:
    """One sentence a line: roff decides how much room is behind its full stop."""
    return [escape(part) for part in re.split(r"(?<=[.!?]) +(?=[A-Z])", text.strip()) if part]


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
    """A bold tag with an indented body."""
    return [".TP", f".B {escape(tag)}", *body]


def verbatim(text: str) -> list[str]:
    """As it stands, indented."""
    return [".PP", ".RS", ".nf", *(escape(line) or ".sp" for line in text.split("\n")), ".fi", ".RE"]


def see_also(*pages: tuple[str, int]) -> list[str]:
    """References, as man(7) writes them."""
    *others, last = [f".BR {escape(name)} ({section})" for name, section in pages]
    return [".SH SEE ALSO", *(f"{page}," for page in others), last]


def page(lines: Iterable[str]) -> str:
    return "\n".join(lines) + "\n"
