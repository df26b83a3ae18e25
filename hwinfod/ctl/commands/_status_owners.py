# SPDX-License-Identifier: MIT
"""Who works on the hardware of this host, in one line of the status, and who keeps it idle."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hwinfod.ctl import units
from hwinfod.ctl.commands._owner_remarks import idle_gpus
from hwinfod.ctl.commands._owner_table import shortened, spans
from hwinfod.ctl.terminal import printable

if TYPE_CHECKING:
    from hwinfod.wire.owners import Owner, Owners

_LONGEST_NAME = 28
_MOST_NOTES = 3


def who(document: Owners, room: int) -> str:
    """The largest holders, as many as there is room for, and how many more there are: `ml/train-0 gpu 0-3 311 GiB`."""
    holding = [owner for owner in document["owners"] if owner["devices"]]
    holding.sort(key=lambda owner: (-_sum(owner, "memory_bytes"), -_sum(owner, "qps")))
    text = ""
    for number, owner in enumerate(holding):
        part, left = _part(owner), len(holding) - number
        longer = f"{text}  |  {part}" if text else part
        more = f"  |  {left} more" if text else ""
        if text and len(longer) + (len(f"  |  {left - 1} more") if left > 1 else 0) > room:
            return text + more
        text = longer
    return text


def notes(document: Owners) -> list[str]:
    """GPUs that were given and are not used."""
    return [printable(said) for owner in document["owners"] for said in idle_gpus(owner)][:_MOST_NOTES]


def _part(owner: Owner) -> str:
    gpus = [held for held in owner["devices"] if held["kind"] == "gpu"]
    cards = [held for held in owner["devices"] if held["kind"] != "gpu"]
    words = [shortened(printable(owner["owner"]), _LONGEST_NAME)]
    if gpus:
        words.append(f"gpu {printable(spans(held['name'].partition(' ')[0] for held in gpus))}")
        words.append(units.size(_sum(owner, "memory_bytes")))
    else:
        words += [printable(spans(held["name"] for held in cards)), f"{_sum(owner, 'qps'):.0f} QP"]
    return " ".join(words)


def _sum(owner: Owner, amount: str) -> float:
    return sum(held["amounts"].get(amount, 0) for held in owner["devices"])
