# SPDX-License-Identifier: MIT
"""The reading of NVIDIA GPUs: connects to the driver, samples every GPU, and begins anew when the library fails."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from hwinfod.collectors._gpu_families import MEMORY_LIMIT, MEMORY_USAGE, UP
from hwinfod.collectors._nvidia_families import RELEASED
from hwinfod.collectors._nvidia_gpu import GpuReader
from hwinfod.collectors._nvidia_inventory import Gpu, elsewhere, find_gpus, is_suspended, known_gpus
from hwinfod.core.device import Device, Status
from hwinfod.core.event import EventKind, Severity
from hwinfod.core.table import Groups
from hwinfod.errors import Absent, HwinfodError
from hwinfod.sources.files import read_file
from hwinfod.sources.nvml import LIBRARY, Session
from hwinfod.sources.nvml_errors import (
    DRIVER_NOT_LOADED,
    INVALID_ARGUMENT,
    LIBRARY_NOT_FOUND,
    RESET_REQUIRED,
    UNINITIALIZED,
    DeviceFailed,
    LibraryFailed,
)
from hwinfod.sources.proc_meminfo import parse_meminfo

if TYPE_CHECKING:
    from hwinfod.collectors.nvidia import Nvidia

log = logging.getLogger("hwinfod.nvidia")

_RETRY_SECONDS = 60.0  # a lost GPU comes back, if at all, after all of NVML was shut down
_MOST_RETRY_SECONDS = 3600.0
_ABSENT = {
    DRIVER_NOT_LOADED: "the NVIDIA driver is not loaded",
    LIBRARY_NOT_FOUND: "no libnvidia-ml.so.1, though there is NVIDIA hardware or a driver; see nvidia.library_roots",
}


class Reader:
    """One opening of the collector. `gpus` are those that NVML shows, `lost` those that it did and does not."""

    def __init__(self, collector: Nvidia) -> None:
        self.gpus: list[Gpu] = []
        self.lost: dict[str, Device] = {}
        self.session: Session | None = None
        self._collector = collector
        self._host = collector.host
        self._readers: dict[Gpu, GpuReader] = {}
        self._up = Groups(collector.table, lambda key: [(UP, tuple(key.split("\0")))])
        self._unified = Groups(
            collector.table, lambda key: [(metric, tuple(key.split("\0"))) for metric in (MEMORY_USAGE, MEMORY_LIMIT)]
        )
        self._released = collector.table.bind([RELEASED])
        self._retry_at: float | None = None
        self._retry_seconds = _RETRY_SECONDS
        self._unsupported: set[str] = set()

    def sample(self) -> None:
        """Every GPU's values. Raises Absent where driver or library are gone, LibraryFailed where they fail."""
        self._released.set([int(self._host.hold.is_active)])
        session = self.connected()
        if session is None:
            return
        try:
            for gpu in self.gpus:
                self._sample(session, gpu)
            if any(gpu.is_stale for gpu in self.gpus):
                self.enumerate(session)
        except LibraryFailed:
            self.disconnect()
            raise
        for device in self.lost.values():
            self._up.set(f"{device.facts['gpu']}\0{device.id}", [0])
        self._up.sweep()
        self._unified.sweep()
        self._retry()

    def connected(self) -> Session | None:
        """The session, opened where there is none; None while the driver is released or others have to close first.

        Raises Absent where there is no driver or no library, LibraryFailed for everything else.
        """
        if self._host.hold.is_active:
            self.disconnect()
            return None
        if self.session is not None and not self.session.is_stale:
            return self.session
        self.disconnect()
        places = self._collector.context.settings[self._collector.settings[0]]
        try:
            session = Session(self._host.roots, places, self._collector.step)
            self._host.hold.set_holding(self._collector.name, True)
            self.session = session
            self.enumerate(session)
        except LibraryFailed as error:
            self.disconnect()
            if error.code == UNINITIALIZED:
                return None
            self._report([])
            if error.code in (DRIVER_NOT_LOADED, LIBRARY_NOT_FOUND):
                raise Absent(_ABSENT[error.code]) from None
            raise
        return session

    def disconnect(self) -> None:
        """Gives every handle and descriptor back."""
        self._forget_gpus()
        if self.session is not None:
            session, self.session = self.session, None
            session.close()
            self._host.hold.set_holding(self._collector.name, False)

    def enumerate(self, session: Session) -> None:
        """Looks anew at which GPUs there are."""
        self._forget_gpus()
        self.gpus = find_gpus(session, self._host, known_gpus(self._host))
        self._report(self.gpus)
        if self.lost and self._retry_at is None:
            self._retry_at = self._host.clock.monotonic() + self._retry_seconds

    def _forget_gpus(self) -> None:
        for reader in self._readers.values():
            reader.release()
        self._readers.clear()
        self.gpus = []

    def _report(self, gpus: list[Gpu]) -> None:
        known = known_gpus(self._host)
        records = [gpu.record() for gpu in gpus]
        records += elsewhere(self._host, known, {gpu.pci for gpu in gpus})
        self._host.devices.reconcile(self._collector.name, records)
        there = {record.id for record in records}
        self.lost = {id_: device for id_, device in known.items() if id_ not in there and "gpu" in device.facts}

    def _sample(self, session: Session, gpu: Gpu) -> None:
        key = f"{gpu.index}\0{gpu.uuid}"
        if is_suspended(gpu):
            return
        if gpu.trouble:
            self._up.set(key, [0])
            return
        try:
            reader = self._readers.get(gpu)
            if reader is None:
                reader = self._readers[gpu] = GpuReader(session, gpu.handle, self._collector.table, gpu.labels)
                self._tell_unsupported(reader)
            answers = reader.sample(lambda call, error: self._collector.skip(f"GPU {gpu.index} {call}", error))
        except DeviceFailed as error:
            self._up.set(key, [0])
            self._fail(gpu, error)
            return
        self._up.set(key, [int(answers)])
        if gpu.is_unified:
            self._sample_unified(key)
        if reader.is_busy:
            self._host.activity.note(gpu.pci)

    def _sample_unified(self, key: str) -> None:
        """GPU and processor have one memory: what the host has and what is not available of it."""
        try:
            memory = parse_meminfo(read_file(self._host.roots.proc("meminfo")))
            total, available = memory["MemTotal"], memory["MemAvailable"]
        except (HwinfodError, KeyError) as error:
            self._collector.skip("host memory", error)
            return
        self._unified.set(key, [total - available, total])

    def _fail(self, gpu: Gpu, error: DeviceFailed) -> None:
        """It costs this GPU. A handle that is no longer good is replaced after this tick."""
        reader = self._readers.pop(gpu, None)
        if reader is not None:
            reader.release()
        if error.code == INVALID_ARGUMENT:
            gpu.is_stale = True
            return
        gpu.trouble = str(error)
        log.error("GPU %s (%s): %s", gpu.index, gpu.uuid, error)
        self._host.events.add(
            EventKind.GPU_FAILED,
            Severity.CRITICAL,
            f"GPU {gpu.title}: {error}",
            device=gpu.uuid,
            attributes={"gpu": gpu.index, "pci": gpu.pci, "call": error.function, "code": str(error.code)},
        )
        if error.code != RESET_REQUIRED:
            self._host.devices.report(self._collector.name, gpu.record(Status.LOST))
        self._host.holdings.withdraw(gpu.uuid)
        if self._retry_at is None:
            self._retry_at = self._host.clock.monotonic() + self._retry_seconds

    def _retry(self) -> None:
        """A GPU that is lost to a process comes back to it, if at all, after all of NVML was shut down."""
        if self._retry_at is None or self._host.clock.monotonic() < self._retry_at:
            return
        self._retry_at = None
        if not self.lost and not any(gpu.trouble for gpu in self.gpus):
            self._retry_seconds = _RETRY_SECONDS
            return
        self._retry_seconds = min(2 * self._retry_seconds, _MOST_RETRY_SECONDS)
        LIBRARY.end_all()

    def _tell_unsupported(self, reader: GpuReader) -> None:
        new = reader.unsupported - self._unsupported
        if new:
            self._unsupported |= new
            log.info("this driver or GPU does not support %s", ", ".join(sorted(new)))
