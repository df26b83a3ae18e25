# SPDX-License-Identifier: MIT
"""Strict reading of what we expose: prometheus_client's parsers, promtool, and what both of them let pass.

`prometheus_client.parser` takes a family that is torn in two, a series given twice and a sample with a timestamp;
so does promtool's linter. Prometheus refuses or overwrites; these checks fail.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterable, Iterator

from prometheus_client.metrics_core import Metric
from prometheus_client.openmetrics import parser as openmetrics_parser
from prometheus_client.parser import text_string_to_metric_families

from tests.support.processes import run

TEXT = "text/plain"
OPENMETRICS = "application/openmetrics-text"
_NAME = re.compile(r"[a-zA-Z_][a-zA-Z0-9_]*\Z")
Labels = frozenset[tuple[str, str]]


class Malformed(AssertionError):
    """The exposition breaks a rule of its format, or one of ours."""


class Exposition:
    """Families by name; samples by name and labels."""

    def __init__(self, families: Iterable[Metric]) -> None:
        self.families: dict[str, Metric] = {}
        self.samples: dict[tuple[str, Labels], float] = {}
        for family in families:
            _check_family(family)
            if family.name in self.families:
                raise Malformed(f"family {family.name} comes twice")
            self.families[family.name] = family
            for sample in family.samples:
                key = (sample.name, frozenset(sample.labels.items()))
                if key in self.samples:
                    raise Malformed(f"series {sample.name}{sample.labels} comes twice")
                if sample.timestamp is not None:
                    raise Malformed(f"{sample.name} carries a timestamp")
                self.samples[key] = sample.value

    def value(self, name: str, **labels: str) -> float:
        """The one sample of this name with exactly these labels. Raises KeyError."""
        return self.samples[name, frozenset(labels.items())]

    def series(self, name: str) -> dict[Labels, float]:
        """All samples of a name, by labels."""
        return {labels: value for (found, labels), value in self.samples.items() if found == name}

    def labels(self, name: str, label: str) -> set[str]:
        """The values that a label takes in the samples of a name."""
        return {dict(labels)[label] for labels in self.series(name)}


def parse(body: bytes, content_type: str) -> Exposition:
    """An exposition by its media type. Raises Malformed, or ValueError from prometheus_client."""
    text = body.decode()
    if "\r" in text or not text.endswith("\n"):
        raise Malformed("lines must end in LF, the last one too")
    if content_type.startswith(OPENMETRICS):
        if not text.endswith("\n# EOF\n"):
            raise Malformed("OpenMetrics ends in # EOF")
        families = openmetrics_parser.text_string_to_metric_families(text)  # type: ignore[no-untyped-call]
        return Exposition(families)
    _check_lines(text.splitlines())
    return Exposition(text_string_to_metric_families(text))


def _check_lines(lines: list[str]) -> None:
    """Text 0.0.4: HELP, then TYPE, then the samples of one family, and no family begins again."""
    seen: set[str] = set()
    for family, block in itertools.groupby(_with_family(lines), key=lambda pair: pair[0]):
        if family in seen:
            raise Malformed(f"family {family} is torn: its lines are not together")
        seen.add(family)
        kinds = [line.split(" ", 2)[1] if line.startswith("# ") else "sample" for _, line in block]
        if kinds[:2] != ["HELP", "TYPE"] or set(kinds[2:]) != {"sample"}:
            raise Malformed(f"family {family}: {kinds[:4]}, and not HELP, TYPE and samples")


def _with_family(lines: list[str]) -> Iterator[tuple[str, str]]:
    family = ""
    for line in lines:
        if line.startswith(("# HELP ", "# TYPE ")):
            family = line.split(" ", 3)[2]
        elif line.startswith("#") or not line.strip():
            raise Malformed(f"neither HELP, TYPE nor a sample: {line!r}")
        yield family, line


def _check_family(family: Metric) -> None:
    if not _NAME.match(family.name):
        raise Malformed(f"not a metric name: {family.name!r}")
    if not family.documentation:
        raise Malformed(f"family {family.name} has no help")
    if not family.samples:
        raise Malformed(f"family {family.name} has no samples")
    label_names = {(sample.name, frozenset(sample.labels)) for sample in family.samples}
    if len(label_names) > len({name for name, _ in label_names}):
        raise Malformed(f"family {family.name} has samples with different labels: {sorted(label_names)}")


# A counter of the hardware's counters: the name was agreed on before promtool saw it.
_AGREED = frozenset({"hw_rdma_hw_counter_total metric name should not include type 'counter'"})


def lint(body: bytes) -> list[str]:
    """What `promtool check metrics` complains of (tier prometheus). It reads text 0.0.4."""
    done = run("promtool", "check", "metrics", stdin=body)
    complaints = (done.stdout + done.stderr).decode().splitlines()
    if done.returncode not in (0, 3) or (done.returncode == 3) != bool(complaints):
        raise Malformed(f"promtool exited with {done.returncode}: {complaints}")
    return [complaint for complaint in complaints if complaint not in _AGREED]
