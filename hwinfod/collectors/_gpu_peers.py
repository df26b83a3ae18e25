# SPDX-License-Identifier: MIT
"""The facts `nvlink_peers` and `xgmi_peers` of a GPU: what it is wired to directly, beside PCI Express."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

SWITCH = "nvswitch"
FACTS = {"nvlink_peers": "nvlink", "xgmi_peers": "xgmi"}


def write_peers(links: Mapping[str, int | None]) -> str:
    """`0000:1c:00.0 x4, nvswitch x18`: PCI address of the peer and number of links, which AMD does not tell."""
    return ", ".join(peer if count is None else f"{peer} x{count}" for peer, count in links.items())


def parse_peers(fact: str) -> dict[str, int | None]:
    """What `write_peers` wrote."""
    links: dict[str, int | None] = {}
    for part in filter(None, fact.split(", ")):
        peer, _, count = part.partition(" x")
        links[peer] = int(count) if count else None
    return links
