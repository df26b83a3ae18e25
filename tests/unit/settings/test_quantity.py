# SPDX-License-Identifier: MIT
from __future__ import annotations

import pytest

from hwinfod.settings import Duration, Seconds, Size
from hwinfod.settings.quantity import parse_duration, parse_size


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("1s", 1.0), ("15m", 900.0), ("1h", 3600.0), ("2d", 172800.0), ("500ms", 0.5), ("0.25s", 0.25), (".5s", 0.5),
        ("1h30m", 5400.0), ("1m1s500ms", 61.5), ("30", 30.0), ("0", 0.0), ("1.5", 1.5),
    ],
)  # fmt: skip
def test_durations(text: str, seconds: float) -> None:
    assert parse_duration(text) == pytest.approx(seconds, abs=1e-9)


@pytest.mark.parametrize(
    "text",
    ["", "s", "1x", "1 s", "-1s", "1s2", "h1", "1e3s", "inf", "nan", "1..5s", ".", "1S", "1µs", "9" * 19 + "s", "٣s"],
)
def test_no_durations(text: str) -> None:
    assert parse_duration(text) is None


@pytest.mark.parametrize(
    ("text", "size"),
    [
        ("16MiB", 16 << 20), ("16 MiB", 16 << 20), ("16mib", 16 << 20), ("16M", 16 << 20), ("1.5GiB", 3 << 29),
        ("1T", 1 << 40), ("64K", 1 << 16), ("64kB", 64000), ("2MB", 2_000_000), ("1GB", 10**9), ("1TB", 10**12),
        ("4096", 4096), ("4096B", 4096), ("0", 0), ("999999999999999999", 999999999999999999),
    ],
)  # fmt: skip
def test_sizes(text: str, size: int) -> None:
    assert parse_size(text) == size


@pytest.mark.parametrize("text", ["", "M", "-1M", "16MiBs", "1PiB", "0x10", "1e6", "1.2.3M", " 1M", "1\nM", "1Mi B"])
def test_no_sizes(text: str) -> None:
    assert parse_size(text) is None


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0.0, "0s"), (0.5, "500ms"), (1.0, "1s"), (90.0, "90s"), (900.0, "15m"), (86400.0, "1d"), (1.2345, "1.2345s")],
)
def test_durations_are_written_short(seconds: float, text: str) -> None:
    assert Duration(0, 1e9).to_toml(seconds) == text


@pytest.mark.parametrize(
    ("size", "text"), [(0, "0"), (1, "1"), (1500, "1500"), (1536, "1536"), (1 << 10, "1KiB"), (3 << 29, "1536MiB")]
)
def test_sizes_are_written_short(size: int, text: str) -> None:
    assert Size(0, 1 << 60).to_toml(size) == text


def test_a_key_in_seconds_is_written_as_a_number() -> None:
    form = Seconds(0, 3600)
    assert form.to_toml(15.0) == 15
    assert isinstance(form.to_toml(15.0), int)
    assert form.to_toml(0.5) == 0.5
    assert form.to_text(15.0) == "15s"


def test_numbers_are_seconds_and_texts_may_have_a_unit() -> None:
    form = Seconds(0.1, 3600)
    assert form.from_toml(5) == 5.0
    assert isinstance(form.from_toml(5), float)
    assert form.from_toml("5") == form.from_toml("5s") == form.from_text("5") == 5.0


@pytest.mark.parametrize("written", ["99ms", "61m", 0, 3601, -1, float("inf")])
def test_out_of_range(written: object) -> None:
    with pytest.raises(ValueError, match="from 100ms to 1h, found"):
        Seconds(0.1, 3600).from_toml(written)
