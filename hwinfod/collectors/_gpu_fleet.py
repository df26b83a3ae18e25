# SPDX-License-Identifier: MIT
"""All GPUs of one collector together: which of them are read, and when."""

from __future__ import annotations

from typing import TYPE_CHECKING, Generic, Protocol, TypeVar

from hwinfod.collectors._drm_clients import Clients
from hwinfod.collectors._gpu_lost import LostGpus
from hwinfod.sources.pci import read_is_suspended

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from hwinfod.core.collector import Collector
    from hwinfod.core.holding import Batch
    from hwinfod.sources.pci import PciDevice


class Gpu(Protocol):
    """One that is here. `is_readable`: its driver has it, and it was awake when last looked at."""

    pci: PciDevice

    @property
    def uuid(self) -> str: ...

    @property
    def is_readable(self) -> bool: ...


AnyGpu = TypeVar("AnyGpu", bound=Gpu)


class Reader(Protocol[AnyGpu]):
    """What is read of one GPU. Raises nothing: what cannot be read is absent."""

    gpu: AnyGpu

    def sample(self) -> None: ...

    def look(self) -> None: ...

    def release(self) -> None: ...


AnyReader = TypeVar("AnyReader", bound=Reader)  # type: ignore[type-arg]  # of the fleet's own GPUs


class Fleet(Generic[AnyGpu, AnyReader]):
    """A vendor's fleet says how its GPUs are found and opened, and who holds them."""

    def __init__(self, collector: Collector) -> None:
        self.collector = collector
        self.host = collector.host
        self.readers: dict[str, AnyReader] = {}
        self.clients = Clients(collector)
        self._lost = LostGpus(self.host, collector.table, collector.name)
        self._published: set[str] = set()
        self._follow()

    def list_gpus(self) -> Mapping[str, AnyGpu]:
        """Those that are here now by PCI address, reported; one that is as before is the same object."""
        raise NotImplementedError

    def open_gpu(self, gpu: AnyGpu) -> AnyReader:
        raise NotImplementedError

    def hold(self) -> None:
        """Publishes who uses which GPU."""
        raise NotImplementedError

    def publish(self, batch: Batch) -> None:
        """Who holds one GPU, until it is published anew or the GPU is not read any more."""
        self.host.holdings.publish(batch)
        self._published.add(batch.device)

    def close(self) -> None:
        self._withdraw(but=())

    def sample(self) -> None:
        for reader in self.awake():
            self.collector.step(f"read {reader.gpu.pci.address}")
            reader.sample()
        self._lost.fill()
        self.clients.work()

    def follow(self) -> None:
        """Looks which GPUs there are, and at what changes seldom."""
        self._follow()
        for reader in self.awake():
            self.collector.step(f"look at {reader.gpu.pci.address}")
            reader.look()

    def awake(self) -> list[AnyReader]:
        return [reader for reader in self.readers.values() if not read_is_suspended(reader.gpu.pci.directory)]

    def _follow(self) -> None:
        self.collector.step("list GPUs")
        gpus = self.list_gpus()
        self._lost.follow()
        for address, reader in list(self.readers.items()):
            now = gpus.get(address)
            if now is None or now is not reader.gpu or not now.is_readable:
                self.readers.pop(address).release()
        for address, gpu in gpus.items():
            if address not in self.readers and gpu.is_readable:
                self.collector.step(f"open {address}")
                self.readers[address] = self.open_gpu(gpu)
        self._withdraw(but=[reader.gpu.uuid for reader in self.readers.values()])

    def _withdraw(self, but: Iterable[str]) -> None:
        """The holdings of all GPUs but these: they are not read any more."""
        for device in self._published - set(but):
            self.host.holdings.withdraw(device)
            self._published.discard(device)
