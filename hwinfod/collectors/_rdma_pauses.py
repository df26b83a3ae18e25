# SPDX-License-Identifier: MIT
"""Priority flow control of RoCE ports: pauses, discards and ECN marks by priority, from the network driver.

Source: Documentation/networking/device_drivers/ethernet/mellanox/mlx5/counters.rst;
drivers/net/ethernet/broadcom/bnxt/bnxt_ethtool.c, intel/ice/ice_ethtool.c.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from hwinfod.collectors import _rdma_families as families
from hwinfod.errors import Gone, HwinfodError, NotProvided
from hwinfod.sources.ethtool import Statistics

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable

    from hwinfod.collectors._rdma_port import Port
    from hwinfod.core.metric import Metric
    from hwinfod.core.table import Group, Table
    from hwinfod.sources.ethtool import EthtoolSocket

_MICRO = 1e-6
_PATTERNS: tuple[tuple[str, Metric, float], ...] = (
    # mlx5
    (r"rx_prio(\d)_pause", families.RECEIVE_PAUSES, 1),
    (r"tx_prio(\d)_pause", families.TRANSMIT_PAUSES, 1),
    (r"rx_prio(\d)_pause_duration", families.RECEIVE_PAUSE_SECONDS, _MICRO),
    (r"tx_prio(\d)_pause_duration", families.TRANSMIT_PAUSE_SECONDS, _MICRO),
    (r"rx_prio(\d)_(?:buf_discard|cong_discard|discards)", families.DISCARDS, 1),
    (r"rx_prio(\d)_marked", families.ECN_MARKED, 1),
    # bnxt_en
    (r"pfc_pri(\d)_rx_transitions", families.RECEIVE_PAUSES, 1),
    (r"pfc_pri(\d)_tx_transitions", families.TRANSMIT_PAUSES, 1),
    (r"pfc_pri(\d)_rx_duration_us", families.RECEIVE_PAUSE_SECONDS, _MICRO),
    (r"pfc_pri(\d)_tx_duration_us", families.TRANSMIT_PAUSE_SECONDS, _MICRO),
    # ice
    (r"rx_priority_(\d)_xoff\.nic", families.RECEIVE_PAUSES, 1),
    (r"tx_priority_(\d)_xoff\.nic", families.TRANSMIT_PAUSES, 1),
)
_COMPILED = tuple((re.compile(pattern + r"\Z"), metric, factor) for pattern, metric, factor in _PATTERNS)

# Parts of another statistic, where the driver has that one too: the same packet is counted in both.
_PART = re.compile(r"(rx_prio\d)_(?:buf|cong)_discard\Z")


def is_part(name: str, names: Collection[str]) -> bool:
    """Whether a statistic is contained in another of these."""
    match = _PART.match(name)
    return match is not None and f"{match[1]}_discards" in names


def classify(name: str) -> tuple[Metric, str, float] | None:
    """Family, priority and factor to its unit of a driver's statistic; None for all others."""
    for pattern, metric, factor in _COMPILED:
        match = pattern.match(name)
        if match:
            return metric, match[1], factor
    return None


class Pauses:
    """The statistics of the network interfaces of all RoCE ports, in one table."""

    def __init__(self, socket: EthtoolSocket, table: Table, skip: Callable[[str, object], None]) -> None:
        self._socket = socket
        self._table = table
        self._skip = skip
        self._ports: dict[str, _PortPauses] = {}

    def follow(self, ports: Iterable[Port]) -> None:
        """These are the ports from now on."""
        wanted = {p.title: p for p in ports if p.facts.link_layer == "Ethernet" and p.facts.interface}
        for title, known in list(self._ports.items()):
            port = wanted.get(title)
            if port is None or port.facts.interface != known.interface:
                self._ports.pop(title).release()
        for title, port in wanted.items():
            if title not in self._ports:
                self._ports[title] = _PortPauses(self._socket, self._table, port)

    def sample(self) -> None:
        for title, port in self._ports.items():
            try:
                port.sample()
            except (Gone, NotProvided):
                continue  # its driver has none, or it left this network namespace
            except HwinfodError as error:
                self._skip(f"{title} pauses", error)


class _PortPauses:
    def __init__(self, socket: EthtoolSocket, table: Table, port: Port) -> None:
        self.interface = port.facts.interface
        self._labels = port.labels
        self._table = table
        self._statistics = Statistics(socket, self.interface, lambda name: classify(name) is not None)
        self._names: tuple[str, ...] = ()
        self._group: Group | None = None
        self._sums: list[list[tuple[int, float]]] = []

    def sample(self) -> None:
        """Raises ReadError, ParseError."""
        values = self._statistics.read()
        if self._statistics.names is not self._names:
            self._bind(self._statistics.names)
        if self._group is not None:
            self._group.set([sum(values[place] * factor for place, factor in parts) for parts in self._sums])

    def _bind(self, names: tuple[str, ...]) -> None:
        self.release()
        places: dict[tuple[Metric, tuple[str, ...]], list[tuple[int, float]]] = {}
        for place, name in enumerate(names):
            found = classify(name)
            if found is not None and not is_part(name, names):
                metric, priority, factor = found
                places.setdefault((metric, (*self._labels, priority)), []).append((place, factor))
        self._names = names
        self._sums = list(places.values())
        if places:
            self._group = self._table.bind_columns(places)

    def release(self) -> None:
        if self._group is not None:
            self._group.release()
            self._group = None
