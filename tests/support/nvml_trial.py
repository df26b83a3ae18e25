# SPDX-License-Identifier: MIT
"""A collector of NVIDIA's GPUs under trial: errors are planted in its library, and what it makes of them is weighed.

The library is told by its control file which code which call answers for which GPU; everything above it is real.
"""

from __future__ import annotations

import itertools
import logging
from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING

import pynvml
import pytest

from hwinfod.collectors._gpu_families import UP
from hwinfod.collectors.nvidia import Nvidia
from hwinfod.core.event import EventKind
from hwinfod.core.health import State
from hwinfod.sources.nvml import LIBRARY
from tests.support.nvml_profiles import uuid

if TYPE_CHECKING:
    from hwinfod.core.codec import Value
    from hwinfod.core.collector import Collector
    from tests.support.bench import Bench
    from tests.support.nvml_machine import Machine

# nvml.h nvmlReturn_t, success apart; what each class costs is what issue and nvml.h say, not what the daemon thinks.
CODES = (*range(1, 31), 999)
OF_LIBRARY = (1, 9, 12, 18)
OF_DEVICE = (15, 16, 28)
OF_VALUE = tuple(code for code in CODES if code not in OF_LIBRARY + OF_DEVICE)
GPUS = range(8)
UP_CELL = (UP.name, ())

Cells = Mapping[tuple[str, tuple[str, ...]], "Value"]


class Trial:
    """Counts how often NVML is initialised and shut down, and what is logged."""

    def __init__(
        self,
        machine: Machine,
        monkeypatch: pytest.MonkeyPatch,
        caplog: pytest.LogCaptureFixture,
        kind: type[Collector] = Nvidia,
    ) -> None:
        self.machine = machine
        self.kind = kind
        self.bench: Bench = machine.bench(kind)
        self.begun = self.ended = 0
        self.only: frozenset[str] = frozenset()
        self._caplog = caplog
        self._last_event = 0
        caplog.set_level(logging.INFO)
        begin, end = pynvml.nvmlInitWithFlags, pynvml.nvmlShutdown

        def count_begin(flags: int) -> None:
            begin(flags)
            self.begun += 1

        def count_end() -> None:
            end()
            self.ended += 1

        monkeypatch.setattr(pynvml, "nvmlInitWithFlags", count_begin)
        monkeypatch.setattr(pynvml, "nvmlShutdown", count_end)

    def start_anew(self) -> None:
        """Another collector, which has not looked for its hardware yet."""
        self.bench.runner.close()
        assert not LIBRARY.sessions
        self.bench = self.machine.bench(self.kind)
        self.forget()

    def forget(self) -> None:
        self.begun = self.ended = 0
        events = self.bench.events()
        self._last_event = events[-1].id if events else 0
        self._caplog.clear()

    @property
    def lines(self) -> list[str]:
        """What was logged since the last `forget`, but for what the boards lack."""
        messages = [record.getMessage() for record in self._caplog.records]
        return [message for message in messages if "does not support" not in message]

    def plant(self, function: str, codes: Mapping[int, int]) -> None:
        """Codes by GPU."""
        self.machine.fake.update({f"gpu.{gpu}.fail.{function}": code for gpu, code in codes.items()})

    def run(self, *methods: str, after: float = 1.0) -> None:
        """Each beat works."""
        for method in methods:
            state = self.bench.attempt(method, after=after)
            assert state is State.OK, f"{method}: {self.bench.reason}"

    def cells(self, method: str) -> Mapping[int, Cells]:
        """By GPU, what the last row has. Without the label `profile`, which is a fact of a MIG instance."""
        row = self.bench.runner.tables[method].latest
        numbers = {uuid(gpu): gpu for gpu in GPUS}
        found: dict[int, dict[tuple[str, tuple[str, ...]], Value]] = {gpu: {} for gpu in GPUS}
        if row is not None:
            for series, value in zip(row.layout.columns, row.values):
                if series is not None and value is not None and series.metric.labels[:2] == ("gpu", "uuid"):
                    more = zip(series.metric.labels[2:], series.labels[2:])
                    cell = (series.metric.name, tuple(value for label, value in more if label != "profile"))
                    assert cell not in found[numbers[series.labels[1]]], f"{cell} twice"
                    found[numbers[series.labels[1]]][cell] = value
        return found

    def losses(self) -> list[str]:
        """The GPUs that were said to have failed since the last `forget`."""
        events = self.bench.host.events.since(self._last_event)
        return [event.device for event in events if event.kind is EventKind.GPU_FAILED]

    def functions(self, act: Callable[[], object], *, of_gpus: bool = True) -> list[str]:
        """The calls that `act` makes for a GPU, or for none."""
        self.machine.fake.record()
        act()
        self.machine.fake.remove("journal")
        named = {name for name, gpu in self.machine.fake.calls() if (gpu >= 0) is of_gpus}
        return sorted(named & self.only if self.only else named)


def mixtures(codes: tuple[int, ...]) -> Iterator[dict[int, int]]:
    """Every code at every place: on seven GPUs another one each, and one among them that must not be touched."""
    rounds = -(-len(codes) // (len(GPUS) - 1))
    turns = {gpu: itertools.cycle(codes[3 * gpu % len(codes) :] + codes[: 3 * gpu % len(codes)]) for gpu in GPUS}
    for spared in GPUS:
        for _ in range(rounds):
            yield {gpu: next(turns[gpu]) for gpu in GPUS if gpu != spared}
