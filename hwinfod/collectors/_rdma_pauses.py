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
from hwinfod.sources.infiniband import list_carriers

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable

    from hwinfod.collectors._rdma_port import Port
    from hwinfod.core.collector import Skip
    from hwinfod.core.host import RootPaths
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

    def __init__(self, roots: RootPaths, socket: EthtoolSocket, table: Table, skip: Skip) -> None:
        self._roots = roots
        self._socket = socket
        self._table = table
        self._skip = skip
        self._ports: dict[str, _PortPauses] = {}

    def follow(self, ports: Iterable[Port]) -> None:
        """These are the ports from now on."""
        wanted = {
            port.title: (port, list_carriers(self._roots, port.facts.interface, port.device))
            for port in ports
            if port.facts.link_layer == "Ethernet" and port.facts.interface
        }
        for title, known in list(self._ports.items()):
            if title not in wanted or wanted[title][1] != known.interfaces:
                self._ports.pop(title).release()
        for title, (port, interfaces) in wanted.items():
            if title not in self._ports:
                self._ports[title] = _PortPauses(self._socket, self._table, port.labels, interfaces)

    def sample(self) -> None:
        for title, port in self._ports.items():
            try:
                port.sample()
            except (Gone, NotProvided):
                continue  # its driver has none, or it left this network namespace
            except HwinfodError as error:
                self._skip(f"{title} pauses", error)


class _PortPauses:
    """Of one port, summed over its interfaces."""

    def __init__(
        self, socket: EthtoolSocket, table: Table, labels: tuple[str, str], interfaces: tuple[str, ...]
    ) -> None:
        self.interfaces = interfaces
        self._labels = labels
        self._table = table
        self._statistics = [Statistics(socket, name, lambda name: classify(name) is not None) for name in interfaces]
        self._names: list[tuple[str, ...]] = []
        self._group: Group | None = None
        self._sums: list[list[tuple[int, float]]] = []

    def sample(self) -> None:
        """Raises ReadError, ParseError: a sum without one of its parts would fall."""
        values = [value for statistics in self._statistics for value in statistics.read()]
        names = [statistics.names for statistics in self._statistics]
        if names != self._names:
            self._bind(names)
        if self._group is not None:
            self._group.set([sum(values[place] * factor for place, factor in parts) for parts in self._sums])

    def _bind(self, names: list[tuple[str, ...]]) -> None:
        self.release()
        places: dict[tuple[Metric, tuple[str, ...]], list[tuple[int, float]]] = {}
        for place, (name, beside) in enumerate((name, each) for each in names for name in each):
            found = classify(name)
            if found is not None and not is_part(name, beside):
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
