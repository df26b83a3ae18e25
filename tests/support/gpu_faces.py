# SPDX-License-Identifier: MIT
"""What each face of the daemon says of GPUs, in one shape, so that faces can be compared.

By GPU index, then by name without `hw_gpu_`; what a family has by further labels is behind slashes:
{"0": {"power_watts": 402.5, "ecc_errors_total/corrected/umc": 12, "fabric_state": "completed"}}
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from hwinfod.core.catalog import catalog_of
from hwinfod.core.metric import Kind
from hwinfod.engine import discover
from tests.support.exposition import Exposition

PREFIX = "hw_gpu_"
_METRICS = {name: metric for name, (metric, _) in catalog_of(discover()).items()}
Said = dict[str, dict[str, Any]]


def of_metrics(read: Exposition) -> Said:
    """Every family of GPUs that an exposition has, but for info, which has no value."""
    said: Said = {}
    for (name, labels), value in read.samples.items():
        given = dict(labels)
        if not name.startswith(PREFIX) or "uuid" not in given or _METRICS[name].kind is Kind.INFO:
            continue
        metric = _METRICS[name]
        short = name.removeprefix(PREFIX)
        of_gpu = said.setdefault(given["gpu"], {})
        if metric.kind is Kind.STATE:
            if value:
                of_gpu[short] = given["state"]
            continue
        of_gpu["/".join([short, *(given[label] for label in metric.labels[2:])])] = value
    return said


def of_api(document: Mapping[str, Any]) -> Said:
    """/v1/gpus, or what `hwinfoctl gpus --json` makes of it."""
    said: Said = {}
    for gpu in document["gpus"]:
        more = {f"{name}/{key}": value for name, by in gpu["by_label"].items() for key, value in by.items()}
        said[gpu["gpu"]] = gpu["values"] | more
    return said
