# SPDX-License-Identifier: MIT
from __future__ import annotations

import os
import platform
import subprocess
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hwinfod.sources.files import Roots
from hwinfod.sources.os_release import parse_os_release, read_os_release
from tests.support.sysfs import put

DATA = rb"""# comment
PRETTY_NAME="Ubuntu 24.04.1 LTS"
NAME='Single $HOME'
ID=ubuntu
ID_LIKE=debian
EMPTY=
QUOTED="a \"b\" \$HOME \\ \`x\` \n"
BARE=a\ b
  INDENTED=yes
not an assignment
1BAD=no
OPEN="never closed
ID=later
"""


def test_quoting() -> None:
    assert parse_os_release(DATA) == {
        "PRETTY_NAME": "Ubuntu 24.04.1 LTS",
        "NAME": "Single $HOME",
        "ID": "later",
        "ID_LIKE": "debian",
        "EMPTY": "",
        "QUOTED": 'a "b" $HOME \\ `x` \\n',
        "BARE": "a b",
        "INDENTED": "yes",
        "OPEN": '"never closed',
    }


def test_control_characters_do_not_reach_a_terminal() -> None:
    assert parse_os_release(b'NAME="a\x1b[31mb"\n') == {"NAME": "a [31mb"}


@given(st.binary() | st.text("AB=\"'\\$ \n").map(str.encode))
def test_arbitrary_bytes(data: bytes) -> None:
    for key, value in parse_os_release(data).items():
        assert key.isidentifier()
        assert value.isprintable()


@given(st.text(st.characters(codec="ascii", categories=("L", "N", "P", "S", "Zs")), max_size=40))
def test_the_shell_reads_a_quoted_value_as_we_do(text: str) -> None:
    quoted = "".join(f"\\{c}" if c in '\\"$`' else c for c in text)
    assert parse_os_release(f'V="{quoted}"\n'.encode()) == {"V": text.strip()}


def test_a_real_shell_agrees() -> None:
    assignment = rb"""V="a \"b\" \$HOME \\ \`x\` \n" """
    told = subprocess.run(["sh", "-c", assignment + b'; printf %s "$V"'], capture_output=True, check=True).stdout
    assert parse_os_release(assignment)["V"] == told.decode()


def test_where_it_is_looked_for(tmp_path: Path) -> None:
    roots = Roots(rootfs=str(tmp_path))
    assert read_os_release(roots) == {}
    put(tmp_path, {"usr/lib/os-release": "ID=usr"})
    assert read_os_release(roots) == {"ID": "usr"}
    (tmp_path / "etc").mkdir()
    os.mkfifo(tmp_path / "etc/os-release")  # whoever planted it does not block us
    assert read_os_release(roots) == {"ID": "usr"}
    os.unlink(tmp_path / "etc/os-release")
    put(tmp_path, {"etc/os-release": "ID=etc"})
    assert read_os_release(roots) == {"ID": "etc"}


@pytest.mark.skipif(not Path("/etc/os-release").exists(), reason="this host has no os-release")
def test_the_real_file_agrees_with_python() -> None:
    theirs = platform.freedesktop_os_release()
    ours = read_os_release(Roots())
    assert {key: theirs[key] for key in ours} == ours
