# SPDX-License-Identifier: MIT
"""Questions that cannot be answered say what may have been meant."""

from __future__ import annotations

import pytest

from hwinfod.errors import UserError
from tests.unit.serve.test_api import RATIO, Asker


@pytest.mark.parametrize(
    ("name", "hint"),
    [
        (RATIO.name.replace("utilization", "utilisation"), f"did you mean {RATIO.name} or hw_core_utilization_ratio?"),
        ("zzz", "hwinfoctl metrics; /v1/metrics"),
        ("hw_" * 1000, "hwinfoctl metrics; /v1/metrics"),
    ],
)
def test_a_metric_that_is_none(name: str, hint: str) -> None:
    with pytest.raises(UserError, match="no metric of this host has this name") as caught:
        Asker()("/v1/series", name=name)
    assert caught.value.hint == hint
