# SPDX-License-Identifier: MIT
"""NVLink, link by link, and the fabric of NVSwitches that the links lead to."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hwinfod.collectors import _nvidia_families as families
from hwinfod.collectors._gpu_peers import SWITCH, parse_peers
from hwinfod.collectors._nvidia_peers import count_links
from hwinfod.collectors._nvidia_readings import LINK_ERRORS, kibibytes
from hwinfod.sources.nvml_fields import find_fields

if TYPE_CHECKING:
    from hwinfod.collectors._nvidia_inventory import Gpu
    from hwinfod.core.codec import Value
    from hwinfod.core.table import Column, Group, Table
    from hwinfod.sources.nvml import Session
    from hwinfod.sources.nvml_fields import FieldReader

_STATE = 165
_TRAFFIC = {139: families.LINK_RECEIVE, 138: families.LINK_TRANSMIT}  # KiB
_TRAFFIC_5 = {204: families.LINK_RECEIVE, 202: families.LINK_TRANSMIT}  # bytes, from NVLink 5 on
_STATES = ("up", "down", "unused")


class Links:
    """The links of one GPU. Where there are switches, all lead to them, and one that is not up is down. Elsewhere one
    that was never up leads nowhere, as on a board without a bridge: unused, not down. So are all that a GPU cut into
    MIG instances has no use for: instances do not reach other GPUs. Source: MIG User Guide, no GPU-to-GPU P2P."""

    def __init__(self, session: Session, gpu: Gpu, table: Table, were_up: set[int]) -> None:
        """`were_up`: the links that ever were, which is kept longer than this object. Raises NvmlError."""
        self._session = session
        self._handle = handle = gpu.handle
        self.count = count_links(session, handle)
        ids = (_STATE, *_TRAFFIC, *_TRAFFIC_5, *LINK_ERRORS.values())
        wanted = [(id_, link) for link in range(self.count) for id_ in ids]
        self._reader: FieldReader | None = None
        if wanted:
            found = find_fields(session, handle, wanted)
            self._reader = found.first_of_each(lambda field: _column(*field, gpu.labels))
        self._were_up = were_up
        self._has_fabric = session.fabric_state(handle) is not None
        self._has_switches = self._has_fabric or SWITCH in parse_peers(gpu.facts["nvlink_peers"])
        self._is_cut = gpu.mig_enabled
        self._errors = [name for name, id_ in LINK_ERRORS.items() if id_ in self._ids()]
        self._group = self._bind(table, gpu.labels)

    def sample(self) -> None:
        """Fills the row. Raises NvmlError."""
        row: list[Value] = [self._session.fabric_state(self._handle)] if self._has_fabric else []
        if self._reader is not None:
            values = dict(zip(self._reader.fields, self._reader.read()))
            row += self._sums(values)
            row += [_of_link(id_, value) for (id_, _), value in values.items()]
        self._group.set(row)

    def release(self) -> None:
        self._group.release()

    def _ids(self) -> set[int]:
        return set() if self._reader is None else {id_ for id_, _ in self._reader.fields}

    def _sums(self, values: dict[tuple[int, int], Value]) -> list[Value]:
        """Links by state, then errors by kind; absent where not one link tells them."""
        states = {link: values.get((_STATE, link)) for link in range(self.count)}
        up = {link for link, state in states.items() if state == 1}
        self._were_up |= up
        idle = {link for link, state in states.items() if state is not None} - up
        down = set() if self._is_cut else idle if self._has_switches else idle & self._were_up
        counts: list[Value] = [len(up), len(down), len(idle - down)]
        for name in self._errors:
            of_links = [value for (id_, _), value in values.items() if id_ == LINK_ERRORS[name] and value is not None]
            counts.append(sum(of_links) if of_links else None)
        return counts

    def _bind(self, table: Table, labels: tuple[str, str]) -> Group:
        columns: list[Column] = [(families.FABRIC_STATE, labels)] if self._has_fabric else []
        if self._reader is not None:
            columns += [(families.NVLINKS, (*labels, state)) for state in _STATES]
            columns += [(families.NVLINK_ERRORS, (*labels, error)) for error in self._errors]
            columns += [_column(id_, link, labels) for id_, link in self._reader.fields]
        return table.bind_columns(columns)


def _column(id_: int, link: int, labels: tuple[str, str]) -> Column:
    of_link = (*labels, str(link))
    single = {_STATE: families.LINK_UP, **_TRAFFIC, **_TRAFFIC_5}
    if id_ in single:
        return (single[id_], of_link)
    return (families.LINK_ERRORS, (*of_link, next(name for name, error in LINK_ERRORS.items() if error == id_)))


def _of_link(id_: int, value: Value) -> Value:
    if value is None:
        return None
    if id_ == _STATE:
        return int(value == 1)
    return kibibytes(int(value)) if id_ in _TRAFFIC else int(value)
