# SPDX-License-Identifier: MIT
"""The strict reading of expositions is strict: each rule is broken once."""

from __future__ import annotations

import pytest

from tests.support.exposition import OPENMETRICS, TEXT, Malformed, lint, parse

GOOD = b"""# HELP hw_cpu_seconds_total Time by mode.
# TYPE hw_cpu_seconds_total counter
hw_cpu_seconds_total{cpu="0",mode="idle"} 12.5
hw_cpu_seconds_total{cpu="0",mode="user"} 1e-3
# HELP hw_memory_usage_bytes Memory in use.
# TYPE hw_memory_usage_bytes gauge
hw_memory_usage_bytes 4096
"""
GOOD_OPENMETRICS = b"""# TYPE hw_cpu_seconds counter
# UNIT hw_cpu_seconds seconds
# HELP hw_cpu_seconds Time by mode.
hw_cpu_seconds_total{mode="idle"} 12.5
# EOF
"""


def test_samples_are_found_by_name_and_labels() -> None:
    read = parse(GOOD, TEXT)
    assert read.value("hw_memory_usage_bytes") == 4096.0
    assert read.value("hw_cpu_seconds_total", cpu="0", mode="user") == 0.001
    assert read.labels("hw_cpu_seconds_total", "mode") == {"idle", "user"}
    assert len(read.series("hw_cpu_seconds_total")) == 2
    with pytest.raises(KeyError):
        read.value("hw_cpu_seconds_total", cpu="0")


@pytest.mark.parametrize(
    ("old", "new", "complaint"),
    [
        (b'mode="user"', b'mode="idle"', "comes twice"),
        (b"4096\n", b"4096 1700000000000\n", "timestamp"),
        (b"4096\n", b"4096", "end in LF"),
        (b"12.5\n", b"12.5\r\n", "end in LF"),
        (b"# TYPE hw_memory_usage_bytes gauge\n", b"", "HELP, TYPE and samples"),
        (b"hw_memory_usage_bytes 4096\n", b"", "HELP, TYPE and samples"),
        (b"# HELP hw_memory_usage_bytes Memory in use.\n", b"", "not HELP, TYPE"),
        (b"# HELP hw_memory_usage_bytes Memory in use.", b"# HELP hw_memory_usage_bytes ", "no help"),
        (b'{cpu="0",mode="user"}', b'{mode="user"}', "different labels"),
        (b"# HELP hw_memory", b"\n# HELP hw_memory", "neither HELP"),
        (b"# HELP hw_memory", b"# about memory\n# HELP hw_memory", "neither HELP"),
    ],
)
def test_a_broken_rule_is_seen(old: bytes, new: bytes, complaint: str) -> None:
    broken = GOOD.replace(old, new)
    assert broken != GOOD
    with pytest.raises(Malformed, match=complaint):
        parse(broken, TEXT)


def test_a_torn_family_is_seen() -> None:
    header = b"# HELP hw_cpu_seconds_total Time by mode.\n# TYPE hw_cpu_seconds_total counter\n"
    with pytest.raises(Malformed, match="torn"):
        parse(GOOD + header + b'hw_cpu_seconds_total{cpu="1",mode="idle"} 1\n', TEXT)


@pytest.mark.parametrize("line", [b"hw_memory_usage_bytes four\n", b'hw_x{a="b" 1\n'])
def test_what_is_no_sample_is_seen(line: bytes) -> None:
    with pytest.raises(ValueError, match=r"could not convert|Invalid"):
        parse(GOOD + line, TEXT)


def test_openmetrics_is_parsed_by_its_own_rules() -> None:
    assert parse(GOOD_OPENMETRICS, OPENMETRICS).value("hw_cpu_seconds_total", mode="idle") == 12.5
    with pytest.raises(Malformed, match="EOF"):
        parse(GOOD_OPENMETRICS.replace(b"# EOF\n", b""), OPENMETRICS)
    with pytest.raises(ValueError, match="Unit"):
        parse(GOOD_OPENMETRICS.replace(b"seconds seconds", b"seconds bytes"), OPENMETRICS)


@pytest.mark.tier("prometheus")
def test_promtool_complains_and_is_heard() -> None:
    assert lint(GOOD) == []
    assert "hw_cpu_ms" in "".join(lint(b"# HELP hw_cpu_ms x\n# TYPE hw_cpu_ms gauge\nhw_cpu_ms 1\n"))
    with pytest.raises(Malformed, match="promtool exited with"):
        lint(b"hw_x{ 1\n")
