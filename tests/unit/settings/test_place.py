# SPDX-License-Identifier: MIT
from __future__ import annotations

import os
from pathlib import Path

import pytest

from hwinfod.settings import Address, FilePath, ListenAddress
from hwinfod.settings.place import ConnectAddress


@pytest.mark.parametrize(
    ("text", "host", "port"),
    [
        ("127.0.0.1:10049", "127.0.0.1", 10049),
        (":10049", "", 10049),
        ("[::1]:10049", "::1", 10049),
        ("[::]:0", "::", 0),
        ("[fe80::1%eth0]:9", "fe80::1%eth0", 9),
        ("[::ffff:10.0.0.1]:9", "::ffff:10.0.0.1", 9),
        ("gpu-7.example:65535", "gpu-7.example", 65535),
        ("localhost:1", "localhost", 1),
    ],
)
def test_addresses(text: str, host: str, port: int) -> None:
    address = ListenAddress().from_text(text)
    assert address == Address(host, port)
    assert str(address) == text


@pytest.mark.parametrize(
    "text",
    [
        "", "10049", "localhost", "127.0.0.1:", ":", ":65536", ":-1", ":1a", ":٣", "::1:10049", "[::1]", "[::1]10049",
        "[::1%]:1", "[::1%a/b]:1", "[]:1", "[10.0.0.1]:1", "[::g]:1", "1.2.3:1", "1.2.3.256:1", "http://a:1", "a b:1",
        "vsock://2:1", ":000001", "a\0:1",
    ],
)  # fmt: skip
def test_no_addresses(text: str) -> None:
    with pytest.raises(ValueError, match="expected an address such as"):
        ListenAddress().from_text(text)


def test_another_program_has_a_name_and_a_port() -> None:
    assert ConnectAddress().from_text("[::1]:10250") == Address("::1", 10250)
    for text in (":10250", "127.0.0.1:0", "10250"):
        with pytest.raises(ValueError, match=r"expected an address such as .*10250"):
            ConnectAddress().from_text(text)


def test_a_path_in_a_flag_may_be_relative(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert FilePath().from_text("a/b") == f"{tmp_path}/a/b"
    assert FilePath().from_text("/a//b/") == "/a//b/"


def test_a_relative_path_without_a_working_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    gone = tmp_path / "gone"
    gone.mkdir()
    monkeypatch.chdir(gone)
    gone.rmdir()
    assert FilePath().from_text("/a") == "/a"
    with pytest.raises(ValueError, match="expected an absolute path"):
        FilePath().from_text("a")


@pytest.mark.parametrize("written", ["", "a", "~/a", "/a\0b", 7, None])
def test_no_paths_in_a_file(written: object) -> None:
    with pytest.raises(ValueError, match="expected an absolute path"):
        FilePath().from_toml(written)


def test_a_socket_path_must_fit_the_kernels_structure() -> None:
    form = FilePath(longest=107)
    assert form.from_toml("/" + "a" * 106)
    with pytest.raises(ValueError, match="at most 107 bytes"):
        form.from_toml("/" + "a" * 107)
    with pytest.raises(ValueError, match="at most 107 bytes"):
        form.from_toml("/" + "ä" * 54)


def test_a_path_that_toml_cannot_say_is_refused() -> None:
    with pytest.raises(ValueError, match="UTF-8"):
        FilePath().from_text(os.fsdecode(b"/a\xff"))
