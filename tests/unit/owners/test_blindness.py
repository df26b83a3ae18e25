# SPDX-License-Identifier: MIT
from __future__ import annotations

import os
from pathlib import Path

import pytest

from hwinfod.owners.blindness import reasons
from hwinfod.sources.files import Roots

HOST, OTHER = 4026531836, 4026532999
PTRACE = 1 << 19


def host(tmp_path: Path, *, options: str = "rw", capabilities: int = 0, namespace: int = HOST) -> Roots:
    (tmp_path / "self/ns").mkdir(parents=True)
    (tmp_path / "self/mounts").write_text(f"proc {tmp_path} proc {options} 0 0\n")
    (tmp_path / "self/status").write_text(f"Uid:\t9\t9\t9\t9\nCapEff:\t{capabilities:016x}\n")
    (tmp_path / "self/ns/pid").symlink_to(f"pid:[{namespace}]")
    return Roots(procfs=str(tmp_path))


def words(found: tuple[str, ...]) -> set[str]:
    assert all(reason.startswith("attribution blind: ") for reason in found)
    return {word for word in ("hidepid", "namespace", "device files") if any(word in reason for reason in found)}


@pytest.mark.parametrize(
    ("options", "capabilities", "namespace", "expected"),
    [
        ("rw", PTRACE, HOST, set()),
        ("rw", 0, HOST, {"device files"}),
        ("rw,hidepid=2,gid=4294967000", 0, HOST, {"hidepid", "device files"}),
        ("rw,hidepid=noaccess,gid=4294967000", 0, HOST, {"hidepid", "device files"}),
        ("rw,hidepid=invisible,gid=4294967000", PTRACE, HOST, set()),
        (f"rw,hidepid=invisible,gid={os.getegid()}", 0, HOST, {"device files"}),
        (f"rw,hidepid=ptraceable,gid={os.getegid()}", 0, HOST, {"hidepid", "device files"}),
        ("rw", PTRACE, OTHER, {"namespace"}),
    ],
)
def test_reasons(tmp_path: Path, options: str, capabilities: int, namespace: int, expected: set[str]) -> None:
    roots = host(tmp_path, options=options, capabilities=capabilities, namespace=namespace)
    assert words(reasons(roots)) == expected


def test_nothing_is_claimed_where_nothing_can_be_read(tmp_path: Path) -> None:
    assert words(reasons(Roots(procfs=str(tmp_path)))) == {"device files"}


def test_here() -> None:
    assert words(reasons(Roots())) <= {"hidepid", "namespace", "device files"}
