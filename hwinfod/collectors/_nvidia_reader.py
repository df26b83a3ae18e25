# SPDX-License-Identifier: MIT
"""The reading of NVIDIA GPUs: connects to the driver, samples every GPU, and begins anew when the library fails."""

from __future__ import annotations

import contextlib
import logging
from typing import TYPE_CHECKING

from hwinfod.collectors._gpu_families import MEMORY_LIMIT, MEMORY_USAGE, UP
from hwinfod.collectors._nvidia_board import Board
from hwinfod.collectors._nvidia_families import RELEASED
from hwinfod.collectors._nvidia_gpm import Gpm, Profilers
from hwinfod.collectors._nvidia_inventory import (
    Gpu,
    elsewhere,
    find_functions,
    find_gpus,
    given_away,
    is_suspended,
    known_gpus,
    silent,
)
from hwinfod.collectors._nvidia_mig import Mig
from hwinfod.collectors._nvidia_processes import Processes
from hwinfod.collectors._nvidia_retry import LetGo, Retry
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
    UNKNOWN,
    DeviceFailed,
    LibraryFailed,
    NotYet,
    NvmlError,
)
from hwinfod.sources.proc_meminfo import parse_meminfo

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from hwinfod.core.collector import Collector, Skip
    from hwinfod.core.device import Device

log = logging.getLogger("hwinfod.nvidia")

_MOST_MUTE_TICKS = 3  # one may be in the middle of something
_ABSENT = {
    DRIVER_NOT_LOADED: "the NVIDIA driver is not loaded",
    LIBRARY_NOT_FOUND: "no libnvidia-ml.so.1, though there is NVIDIA hardware or a driver; see nvidia.library_roots",
}


class Reader:
    """One opening of the collector. `gpus` are those that NVML shows, `lost` those that it did and does not."""

    def __init__(self, collector: Collector, places: Sequence[str]) -> None:
        self.gpus: list[Gpu] = []
        self.lost: dict[str, Device] = {}
        self.session: Session | None = None
        self._collector = collector
        self._places = places
        self._host = host = collector.host
        self._boards: dict[Gpu, Board] = {}
        self._links_up: dict[str, set[int]] = {}
        self._gpm: Gpm | None = None
        self._profilers = Profilers(host.roots)
        self._mig = Mig(collector.table)
        self._processes = Processes(host, collector.tables["processes"])
        self._up = Groups(collector.table, lambda key: [(UP, tuple(key.split("\0")))])
        self._unified = Groups(
            collector.table, lambda key: [(metric, tuple(key.split("\0"))) for metric in (MEMORY_USAGE, MEMORY_LIMIT)]
        )
        self._released = collector.table.bind([RELEASED])
        self._retry = Retry(host.clock)
        self._let_go = LetGo(host)
        self._functions = find_functions(host.roots)
        self._unsupported: set[str] = set()
        self._left_out: dict[str, str] = {}

    def sample(self) -> None:
        """Every GPU's values. Raises Absent where driver or library are gone, LibraryFailed where they fail."""
        self._released.set([int(self._host.hold.is_active)])
        session = self.connected()
        if session is None:
            return
        with self._connection():
            changed = False
            for gpu in self.gpus:
                changed |= self._sample(session, gpu)
            if any(gpu.is_stale for gpu in self.gpus):
                self.enumerate(session)
            elif changed:
                self.report()
        for device in self.lost.values():
            self._up.set(f"{device.facts['gpu']}\0{device.id}", [0])
        self._sweep()
        for thing, error in self._left_out.items():
            self._collector.skip(thing, error)
        if self._retry.is_due(trouble=bool(self.lost or self._left_out) or any(gpu.trouble for gpu in self.gpus)):
            LIBRARY.end_all()

    def sample_links(self) -> None:
        """NVLink, fabric, limits and lifetime errors of every GPU that works."""
        if self.session is None or self.session.is_stale:
            return
        with self._connection():
            for gpu, board in list(self._boards.items()):
                if is_suspended(gpu):
                    continue
                try:
                    board.sample_links(self._collector.tables["links"], self._skipper(gpu))
                    self._tell_unsupported(board.unsupported)
                except DeviceFailed as error:
                    self._fail(gpu, error)

    def scan_processes(self) -> None:
        """Who uses the GPUs that work."""
        if self.session is None or self.session.is_stale:
            return
        with self._connection():
            awake = [(gpu, self._mig.of(gpu)) for gpu in self._boards if not is_suspended(gpu)]
            self._processes.scan(self.session, awake, self._collector.skip)
            self._tell_unsupported(self._processes.unsupported)

    def follow(self) -> None:
        """What changes seldom: GPUs that came, went, fell asleep or were given away, profilers, MIG modes."""
        session = self.session
        if session is None or session.is_stale:
            return
        if any(board.has_gpm for board in self._boards.values()):
            self._profilers.look()
        before, self._functions = self._functions, find_functions(self._host.roots)
        if given_away(before) != given_away(self._functions):
            LIBRARY.end_all()  # NVML shows what is new to those who connect anew
            return
        with self._connection():
            if before != self._functions:  # one fell asleep, or woke up
                self.enumerate(session)
            pending = [gpu.index for gpu in self._boards if self._mode_is_pending(session, gpu)]
        if pending:
            self._let_go.for_mode_change(pending)

    def _mode_is_pending(self, session: Session, gpu: Gpu) -> bool:
        """A change of MIG mode waits for everyone to let go. One that has happened shows in the facts."""
        if is_suspended(gpu):
            return False
        try:
            mode = session.optional("nvmlDeviceGetMigMode", gpu.handle)
        except DeviceFailed:
            return False  # the next tick of values says so
        if mode is None:
            return False
        if (mode[0] == 1) != gpu.mig_enabled:
            gpu.is_stale = True
        return bool(mode[0] != mode[1])

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
        try:
            self.session = session = Session(self._host.roots, self._places, self._collector.step)
            self._host.hold.set_holding(self._collector.name, True)
            self._gpm = Gpm(session, self._collector.table)
            self.enumerate(session)
        except NotYet:
            return None
        except LibraryFailed as error:
            self.disconnect()
            self.report()
            if error.code in _ABSENT:
                raise Absent(_ABSENT[error.code]) from None
            raise
        return session

    def let_go(self) -> None:
        """The driver is to be released, or may be had again: then the next tick connects."""
        if self._host.hold.is_active:
            self.disconnect()

    def disconnect(self) -> None:
        """Gives every handle and descriptor back."""
        self._forget_gpus()
        self._sweep()
        self._gpm = None
        self._processes.withdraw()
        if self.session is not None:
            session, self.session = self.session, None
            session.close()
            self._host.hold.set_holding(self._collector.name, False)

    def enumerate(self, session: Session) -> None:
        """Looks anew at which GPUs there are. Raises LibraryFailed."""
        self._forget_gpus()
        self._left_out.clear()
        self.gpus = find_gpus(session, self._host, known_gpus(self._host), self._leave_out)
        for gpu in self.gpus:
            with contextlib.suppress(DeviceFailed):
                self._mig.sample(session, gpu, self._skipper(gpu))
        self.report()
        if self.lost or self._left_out:
            self._retry.plan()

    def _leave_out(self, number: int, error: NvmlError) -> None:
        """A GPU that was never seen and does not answer, or that we may not open."""
        self._left_out[f"GPU number {number}"] = str(error)

    def report(self) -> None:
        """The inventory as it is now."""
        known = known_gpus(self._host)
        working = [gpu for gpu in self.gpus if not gpu.is_lost]
        records = [gpu.record() for gpu in working]
        places = {gpu.pci for gpu in working}
        records += elsewhere(self._host, known, places)
        there = {record.id for record in records}
        mute = list(silent(self._host, known, self.gpus)) if self.session is not None else []
        self._tell_silent(device for device in mute if device.id not in known)
        records += mute
        records += [instance.record(gpu) for gpu in working for instance in self._mig.of(gpu)]
        self._host.devices.reconcile(self._collector.name, records)
        failed = {gpu.uuid for gpu in self.gpus}
        self.lost = {
            id_: device
            for id_, device in {**known, **{device.id: device for device in mute}}.items()
            if id_ not in there | failed and "gpu" in device.facts and device.facts["pci"] not in places
        }

    @contextlib.contextmanager
    def _connection(self) -> Iterator[None]:
        """A failure of the library ends the session."""
        try:
            yield
        except LibraryFailed:
            self.disconnect()
            raise

    def _sweep(self) -> None:
        self._up.sweep()
        self._unified.sweep()
        self._mig.sweep()
        if self._gpm is not None:
            self._gpm.sweep()

    def _forget_gpus(self) -> None:
        for board in self._boards.values():
            board.release()
        self._boards.clear()
        self._mig.forget()
        if self._gpm is not None:
            self._gpm.close()
        self.gpus = []

    def _sample(self, session: Session, gpu: Gpu) -> bool:
        """One GPU; whether its MIG instances changed."""
        if is_suspended(gpu):
            return False
        changed = False
        key = "\0".join(gpu.labels)
        answers = False
        if not gpu.trouble:
            try:
                board = self._boards.get(gpu)
                if board is None:
                    links_up = self._links_up.setdefault(gpu.uuid, set())
                    board = self._boards[gpu] = Board(session, gpu, self._collector.table, links_up)
                    self._tell_unsupported(board.unsupported)
                answers = board.values.sample(self._skipper(gpu))
                _judge_silence(gpu, answers)
                changed = self._mig.sample(session, gpu, self._skipper(gpu)) if gpu.mig_enabled else False
                is_busy = board.values.is_busy
                if board.has_gpm and self._gpm is not None and not self._profilers.running:
                    is_busy |= self._gpm.sample(gpu, self._mig.of(gpu), self._skipper(gpu))
                if gpu.is_unified:
                    self._sample_unified(key)
                if is_busy:
                    self._host.activity.note(gpu.pci)
            except DeviceFailed as error:
                answers = False
                self._fail(gpu, error)
        self._up.set(key, [int(answers)])
        return changed

    def _sample_unified(self, key: str) -> None:
        """GPU and processor have one memory: what the host has and what is not available of it."""
        try:
            memory = parse_meminfo(read_file(self._host.roots.proc("meminfo")))
            total, available = memory["MemTotal"], memory["MemAvailable"]
        except (HwinfodError, KeyError) as error:
            self._collector.skip("host memory", error)
            return
        self._unified.set(key, [total - available, total])

    def _skipper(self, gpu: Gpu) -> Skip:
        return lambda call, error: self._collector.skip(f"GPU {gpu.index} {call}", error)

    def _fail(self, gpu: Gpu, error: DeviceFailed) -> None:
        """It costs this GPU. A handle that is no longer good is replaced after this tick."""
        board = self._boards.pop(gpu, None)
        if board is not None:
            board.release()
        if error.code == INVALID_ARGUMENT:
            gpu.is_stale = True
            return
        gpu.trouble = str(error)
        gpu.is_lost = error.code not in (RESET_REQUIRED, UNKNOWN)
        log.error("GPU %s (%s): %s", gpu.index, gpu.uuid, error)
        self._host.events.add(
            EventKind.GPU_FAILED,
            Severity.CRITICAL,
            f"GPU {gpu.title}: {error}",
            device=gpu.uuid,
            attributes={"gpu": gpu.index, "pci": gpu.pci, "call": error.function, "code": str(error.code)},
        )
        self.report()
        self._retry.plan()

    def _tell_silent(self, devices: Iterable[Device]) -> None:
        for device in devices:
            text = f"GPU {device.name} does not answer: the driver has it, and NVML does not show it"
            log.error("%s", text)
            self._host.events.add(
                EventKind.GPU_FAILED, Severity.CRITICAL, text, device=device.id,
                attributes={"gpu": device.facts["gpu"], "pci": device.facts["pci"]},
            )  # fmt: skip

    def _tell_unsupported(self, functions: set[str]) -> None:
        new = functions - self._unsupported
        if new:
            self._unsupported |= new
            log.info("this driver or GPU does not support %s", ", ".join(sorted(new)))


def _judge_silence(gpu: Gpu, answers: bool) -> None:
    """A driver that cannot reach a GPU may not call it lost, and answer each call with an unknown error. Raises
    DeviceFailed."""
    gpu.mute_ticks = 0 if answers else gpu.mute_ticks + 1
    if gpu.mute_ticks >= _MOST_MUTE_TICKS:
        raise DeviceFailed("every reading", UNKNOWN, f"no answer {gpu.mute_ticks} times in a row")
