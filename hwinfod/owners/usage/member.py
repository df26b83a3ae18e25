# SPDX-License-Identifier: MIT
"""One cgroup: whose it is, and its figures out of whichever hierarchy has the controller."""

from __future__ import annotations

from itertools import chain
from types import MappingProxyType
from typing import TYPE_CHECKING

from hwinfod.core.account import Account
from hwinfod.owners.identity import POD
from hwinfod.owners.naming import id_of
from hwinfod.owners.usage.families import DETAIL, MAIN, NETWORK, RDMA
from hwinfod.owners.usage.figures import open_rdma

if TYPE_CHECKING:
    from collections.abc import Sequence

    from hwinfod.owners.budget import Labels
    from hwinfod.owners.identity import Owner
    from hwinfod.owners.names.book import NameBook
    from hwinfod.owners.usage.accounts import Figures
    from hwinfod.owners.usage.figures import Source
    from hwinfod.owners.usage.kept_file import KeptFile
    from hwinfod.sources.cgroup_stat import RdmaObjects
    from hwinfod.sources.cgroupfs import Hierarchies

_SAMPLED, _DETAILED = len(MAIN.counters), len(DETAIL.counters)
_CELLS = (MAIN.cells, DETAIL.cells, NETWORK.cells)


class _Table:
    """The files of one table, opened when they are read first. `figures` are what they said last: the same tuple while
    they say the same; None before the first time. Slots, here and below: hundreds are walked every few seconds."""

    __slots__ = ("_said", "figures", "files")

    def __init__(self) -> None:
        self.files: list[KeptFile[Figures]] = []
        self.figures: Figures | None = None
        self._said: list[Figures] = []

    def read(self) -> bool:
        """Whether they say something else. Raises ParseError."""
        said = [file.value() for file in self.files]
        if said == self._said:
            return False
        self._said = said
        self.figures = tuple(chain.from_iterable(said))
        return True


class Member:
    """`since` is when it was first seen (monotonic); `is_large` whether it ever used enough to be shown. `labels` are
    those of core.owner.LABELS, `network_labels` those of whom its network belongs to: containers of a pod share it.
    `is_exported`: its series have the levels of their metrics. One that `keeps` has up to figures.MOST_FILES
    descriptors open while it lives."""

    __slots__ = (
        "_account", "_detailed", "_hierarchies", "_keeps", "_named", "_network", "_rdma_file", "_sampled", "_traffic",
        "id", "is_exported", "is_large", "labels", "last_cpu", "network_labels", "owner", "path", "rdma", "since",
    )  # fmt: skip

    def __init__(self, hierarchies: Hierarchies, path: str, owner: Owner, since: float, *, keeps: bool) -> None:
        self.path = path
        self.owner = owner
        self.since = since
        self.is_large = False
        self.is_exported = False
        self.last_cpu: int | None = None
        self.id = id_of(owner)
        self.labels: Labels = ()
        self.network_labels: Labels = ()
        self.rdma: tuple[RdmaObjects, ...] = ()
        self._network = ""
        self._sampled, self._detailed = _Table(), _Table()
        self._traffic: Figures | None = None
        self._named = Account(self.id, (), MappingProxyType({}), "", "", (path,))
        self._account: Account | None = None
        self._hierarchies = hierarchies
        self._keeps = keeps
        self._rdma_file = open_rdma(hierarchies, path, keeps=keeps)

    def learn(self, book: NameBook) -> None:
        """Takes its labels from the names that are known now."""
        owner = self.owner
        self.labels, identity, _ = book.title_of(owner)
        self._account = None
        self._named = self._named._replace(
            labels=self.labels,
            identity=identity,
            user=owner.user or "",
            territory=id_of(owner.within) if owner.within is not None else "",
        )
        if owner.kind == POD and owner.within is None:
            owner = owner._replace(container_id=None)
        self.network_labels = book.labels_of(owner)

    def usage(self, sources: Sequence[Source]) -> tuple[Figures, Figures]:
        """Counters and gauges of families.MAIN. Raises ParseError."""
        figures = self._read(self._sampled, sources)
        return figures[:_SAMPLED], figures[_SAMPLED:]

    def detail(self, sources: Sequence[Source]) -> tuple[Figures, Figures]:
        """Counters and gauges of families.DETAIL; `rdma` is read along with them. Raises ParseError."""
        rdma = self._rdma_file.value()
        if rdma is not self.rdma:
            self.rdma, self._account = rdma, None
        figures = self._read(self._detailed, sources)
        return figures[:_DETAILED], figures[_DETAILED:]

    def take_network(self, network: str, traffic: Figures | None) -> None:
        """Whose traffic is counted, in the words of core.account.Account, and how much there is of its own."""
        if network != self._network or traffic != self._traffic:
            self._network, self._traffic, self._account = network, traffic, None

    def account(self) -> Account:
        """Its own, with the figures that were read last: the same one while they are the same."""
        if self._account is None:
            tables = (self._sampled.figures, self._detailed.figures, self._traffic)
            figures = [(cells, told) for cells, told in zip(_CELLS, tables, strict=True) if told is not None]
            for used in self.rdma:
                cells = tuple((metric, (used.device,)) for metric, _ in RDMA.gauges)
                figures.append((cells, (used.handles, used.objects)))
            self._account = Account(*self._named[:-2], self._network, tuple(figures))
        return self._account

    def _read(self, table: _Table, sources: Sequence[Source]) -> Figures:
        if not table.files:
            table.files = [source.open(self._hierarchies, self.path, keeps=self._keeps) for source in sources]
        if table.read():
            self._account = None
        return table.figures or ()

    def look_again(self) -> None:
        """Asks for the files that were not there."""
        self._rdma_file.look_again()
        for file in (*self._sampled.files, *self._detailed.files):
            file.look_again()
