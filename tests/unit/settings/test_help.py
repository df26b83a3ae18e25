# SPDX-License-Identifier: MIT
from __future__ import annotations

import re

from hypothesis import given
from hypothesis import strategies as st

from hwinfod.settings import Boolean, Setting, Table, Text, collector_interval, collector_switch
from hwinfod.settings.help import help_text


def test_help_has_80_columns(table: Table) -> None:
    for line in help_text(table).split("\n"):
        assert len(line) <= 80, line
        assert line == line.rstrip()


def test_examples_come_first(table: Table) -> None:
    text = help_text(table)
    assert text.startswith("Usage: hwinfod [FLAG]...\n")
    assert text.index("Examples:") < text.index("General:") < text.index("--socket PATH")


def test_every_flag_is_there_with_its_help_and_default(table: Table) -> None:
    text = help_text(table)
    words = re.sub(r"\s+", " ", text)
    for setting in table:
        if re.fullmatch(r"collector\.\w+\.(enabled|interval_seconds)", setting.key):
            continue
        switch = setting.form.switch
        left = f"--[no-]{setting.flag[2:]}" if switch else f"{setting.flag} {setting.metavar}"
        default = (
            ("on" if setting.default else "off")
            if switch
            else setting.form.to_text(setting.default).replace(",", ", ") or "none"
        )
        right = words.partition(f" {left} {setting.help} (")[2].partition(")")[0]
        assert right.endswith(f"default: {default}"), setting.key
    for flag in ("-h, --help", "--version", "--check-config", "--print-config", "--config FILE"):
        assert f"  {flag} " in text


def test_collectors_are_a_table(table: Table) -> None:
    rows = [line.split(maxsplit=3) for line in help_text(table).split("\n")]
    assert ["cpu", "on", "1s", "Time by core and mode, load, context switches and"] in rows
    assert ["filesystem", "off", "10s", "Size and free space"] in rows
    assert ["nvidia_gpu", "on", "1s", "NVIDIA GPUs"] in rows
    assert "  --collector.nvidia-gpu.process-interval TIME\n" in help_text(table)


def test_titles_and_notes() -> None:
    table = Table([Setting("a.b", Boolean(), False, "Whether."), Setting("c.d", Text(), "", "What.")], {"a": "First"})
    text = help_text(table)
    assert "First:\n  --[no-]a.b                    Whether. (default: off)\n" in text
    assert "c:\n  --c.d TEXT                    What. (default: none)\n" in text
    assert "Collectors:" not in text


def test_a_default_is_not_torn() -> None:
    path = "/opt/some-where/node-exporter"
    text = help_text(Table([Setting("a.b", Text(), path, "Where it is to be found.")]))
    assert f"(default: {path})\n" in text


NAMES = st.from_regex(r"[a-z][a-z0-9_]{0,24}", fullmatch=True)
PROSE = st.lists(st.from_regex(r"[a-z]{1,30}", fullmatch=True), min_size=1).map(lambda words: " ".join(words) + ".")


@given(st.dictionaries(NAMES, PROSE, min_size=1))
def test_any_collector_fits(collectors: dict[str, str]) -> None:
    settings = [collector_switch(name, what) for name, what in collectors.items()]
    settings_and_intervals = [*settings, *(collector_interval(name, 0.25) for name in collectors)]
    assert max(map(len, help_text(Table(settings_and_intervals)).split("\n"))) <= 80
