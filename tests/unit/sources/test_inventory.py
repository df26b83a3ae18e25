# SPDX-License-Identifier: MIT
from __future__ import annotations

import contextlib
import json
import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hwinfod.errors import ParseError, ReadError
from hwinfod.sources import inventory as module
from hwinfod.sources.inventory import (
    FILE,
    Inventory,
    format_inventory,
    parse_inventory,
    read_inventory,
    read_version,
    write_inventory,
)

GPUS = Inventory(1759406400.0, {"gpu": ("0000:16:00.0", "0000:17:00.0")})
JSON = st.recursive(
    st.none() | st.booleans() | st.floats(allow_nan=False) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
)
DOCUMENTS = st.fixed_dictionaries({"format": st.just(1), "accepted_seconds": JSON, "devices": JSON})


def test_what_is_written_is_read(tmp_path: Path) -> None:
    assert read_inventory(str(tmp_path)) is None
    assert read_version(str(tmp_path)) is None
    write_inventory(str(tmp_path), GPUS)
    first = read_version(str(tmp_path))
    assert read_inventory(str(tmp_path)) == GPUS
    write_inventory(str(tmp_path), Inventory(0, {}))
    assert read_inventory(str(tmp_path)) == Inventory(0, {})
    assert read_version(str(tmp_path)) != first
    assert os.listdir(tmp_path) == [FILE]
    assert (tmp_path / FILE).stat().st_mode & 0o007 == 0


@given(st.dictionaries(st.text(), st.lists(st.text()).map(tuple)), st.floats(0, 1e10))
def test_format_and_parse(devices: dict[str, tuple[str, ...]], accepted: float) -> None:
    assert parse_inventory(format_inventory(Inventory(accepted, devices))) == Inventory(accepted, devices)


@pytest.mark.parametrize("data", [
    b"", b"[]", b"{}", b'{"format": 2}', b'{"format": 1}', b'{"format": 1, "accepted_seconds": true, "devices": {}}',
    b'{"format": 1, "accepted_seconds": 1, "devices": {"gpu": "x"}}', b"[" * 100_000,
    b'{"format": 1, "accepted_seconds": 1, "devices": {"gpu": [1]}}',
    b'{"format": 1, "accepted_seconds": 1e999, "devices": {}}', b"\xff",
    b'{"format": 1, "accepted_seconds": NaN, "devices": {}}',
])  # fmt: skip
def test_garbage_is_a_parse_error(data: bytes) -> None:
    with pytest.raises(ParseError):
        parse_inventory(data)


@given(st.binary() | DOCUMENTS.map(json.dumps).map(str.encode))
def test_arbitrary_documents(data: bytes) -> None:
    with contextlib.suppress(ParseError):
        assert all(isinstance(id_, str) for ids in parse_inventory(data).devices.values() for id_ in ids)


def test_a_write_that_fails_leaves_the_old_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_inventory(str(tmp_path), GPUS)

    def full(_fd: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(module.os, "fsync", full)
    with pytest.raises(OSError, match="No space"):
        write_inventory(str(tmp_path), Inventory(0, {}))
    assert read_inventory(str(tmp_path)) == GPUS
    assert os.listdir(tmp_path) == [FILE]


def test_what_others_planted_is_not_followed(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / FILE)
    with pytest.raises(ReadError):
        read_inventory(str(tmp_path))
    victim = tmp_path / "victim"
    victim.write_text("precious")
    (tmp_path / f"{FILE}.new").symlink_to(victim)
    with pytest.raises(OSError, match="symbolic links"):
        write_inventory(str(tmp_path), GPUS)
    assert victim.read_text() == "precious"
