# SPDX-License-Identifier: MIT
from __future__ import annotations

from hwinfod.ctl.commands._status_problems import merged
from hwinfod.wire.status import Problem


def problem(text: str, gpu: str = "", *, severity: str = "warning", remedy: str = "") -> Problem:
    labels = {"gpu": gpu} if gpu else {}
    return {
        "check": "x", "severity": severity, "text": text, "remedy": remedy, "metric": "", "labels": labels, "value": 1,
    }  # fmt: skip


def test_what_several_gpus_have_is_one_line() -> None:
    told = [problem(f"GPU {gpu}: 1 uncorrected errors", gpu, remedy="reset it") for gpu in ("0", "1", "2", "5")]
    assert merged(told) == [("warning", "GPU 0-2,5: 1 uncorrected errors", "reset it")]


def test_what_differs_stays_apart_and_in_order() -> None:
    told = [
        problem("GPU 1 (GPU-a) does not answer", "1", severity="critical"),
        problem("GPU 1: 1 errors", "1"),
        problem("GPU 2: 2 errors", "2"),
        problem("GPU 12: 2 errors", "1"),  # a text of another GPU than its label says
        problem("cpu 3 is hot"),
        problem("cpu 3 is hot", remedy="cool it"),
    ]
    assert [text for _, text, _ in merged(told)] == [
        "GPU 1 (GPU-a) does not answer", "GPU 1: 1 errors", "GPU 2: 2 errors", "GPU 12: 2 errors", "cpu 3 is hot",
        "cpu 3 is hot",
    ]  # fmt: skip
