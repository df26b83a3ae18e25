# SPDX-License-Identifier: MIT
"""Metrics of kind info carry facts in their labels, and no value that changes: nothing of them is recorded."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hwinfod.ctl.failures import FAILED, Failure

if TYPE_CHECKING:
    from hwinfod.wire.samples import MetricRecord

KIND = "info"


def shown_by(metric: MetricRecord) -> str:
    """The command that shows the facts: those of owners, or of devices."""
    return "hwinfoctl owners" if "owner" in metric["labels"] else "hwinfoctl devices"


def no_series(metric: MetricRecord) -> Failure:
    """What to say to who asks for the values of one."""
    return Failure(
        f"{metric['name']} has facts and no values: {metric['help']}",
        f"{shown_by(metric)} shows them, and hwinfoctl events when they changed",
        FAILED,
    )
