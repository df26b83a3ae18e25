# SPDX-License-Identifier: MIT
from __future__ import annotations

import pwd
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hwinfod.errors import Gone
from hwinfod.sources.files import Roots
from hwinfod.sources.passwd import parse_passwd, read_passwd


def test_users() -> None:
    data = b"root:x:0:0:root:/root:/bin/bash\nalice:x:1000:1000::/home/alice:/bin/sh\ntoor:x:0:0::/root:/bin/sh\n"
    assert parse_passwd(data) == {0: "root", 1000: "alice"}


@pytest.mark.parametrize(
    "line",
    [
        "",
        "# comment:x:1:1",
        "+nis:x:2:2::",
        "-@group:x:3:3",
        "a:x:b:1",
        "a:x:-1:1",
        "a:x:12345678901:1",
        ":x:4:4",
        "a:x",
    ],
)
def test_lines_that_are_no_users(line: str) -> None:
    assert parse_passwd(f"{line}\nalice:x:1000:1000::/:/\n".encode()) == {1000: "alice"}


def test_this_machines_own_file_says_what_the_c_library_says(tmp_path: Path) -> None:
    users = read_passwd(Roots())
    assert users[0] == pwd.getpwuid(0).pw_name
    with pytest.raises(Gone):
        read_passwd(Roots(rootfs=str(tmp_path)))


@given(st.binary())
def test_anything_is_users_or_not(data: bytes) -> None:
    for uid, name in parse_passwd(data + b"\n").items():
        assert uid >= 0
        assert name.isprintable()
        assert 0 < len(name) <= 64
