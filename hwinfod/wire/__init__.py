# SPDX-License-Identifier: MIT
"""The JSON of the API, as types: what the daemon writes and hwinfoctl reads. docs/openapi.yaml says the same in
OpenAPI and is held against this by a test.

Times are seconds since 1970 (floats), durations seconds. A value is a number; a decimal string where an integer
is beyond 2^53, which JSON readers would round; "NaN", "Infinity" or "-Infinity"; or null, which is absent.
"""

from __future__ import annotations

from typing import Union

API_VERSION = "v1"
FEATURES = (
    "status",
    "devices",
    "metrics",
    "samples",
    "series",
    "events",
    "stream",
    "collectors",
    "config",
    "inventory",
    "rdma",
    "gpus",
    "topology",
    "owners",
    "containers",
    "holders",
)

WireValue = Union[int, float, str, None]  # noqa: UP007  an alias is evaluated, and 3.10 runs it too
