# SPDX-License-Identifier: MIT
"""From accounted cgroups to the accounts of owners."""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING

from hwinfod.core.account import Accounting
from hwinfod.owners.budget import add_rows

if TYPE_CHECKING:
    from collections.abc import Iterable

    from hwinfod.core.account import Account
    from hwinfod.owners.usage.member import Member


def accounting_of(members: Iterable[Member], boottime_ns: int) -> Accounting:
    """An account for every owner, large or not, young or not. Figures are those of its cgroups as they are, so that a
    container that was started anew counts anew."""
    owners: dict[str, Account] = {}
    for member in members:
        account = member.account()
        known = owners.get(member.id)
        owners[member.id] = account if known is None else _together(known, account)
    return Accounting(boottime_ns, MappingProxyType(owners))


def _together(one: Account, other: Account) -> Account:
    """Two cgroups of one owner: an array task and its step, what two hierarchies call differently."""
    sums = dict(one.figures)
    for cells, figures in other.figures:
        sums[cells] = tuple(add_rows(sums[cells], figures)) if cells in sums else figures
    return one._replace(
        cgroups=(*one.cgroups, *other.cgroups),
        network="own" if "own" in (one.network, other.network) else one.network,
        figures=tuple(sums.items()),
    )
