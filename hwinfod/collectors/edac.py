# SPDX-License-Identifier: MIT
"""Memory errors: what the memory controllers corrected and what they could not, by controller and by module."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hwinfod.core.check import Check
from hwinfod.core.collector import Collector, beat
from hwinfod.core.device import Device
from hwinfod.core.event import EventKind, Severity
from hwinfod.core.metric import Kind, Level, Metric
from hwinfod.core.table import Groups
from hwinfod.errors import Absent
from hwinfod.sources.edac import list_controllers, read_controller, read_errors

if TYPE_CHECKING:
    from hwinfod.sources.edac import Controller, Dimm, ErrorCounts

_SOURCE = "/sys/devices/system/edac/mc/mc*"
_DIMM_LABELS = ("controller", "dimm", "label")
_MANY_AN_HOUR = 100

CORRECTED = Metric(
    name="hw_memory_corrected_errors_total",
    kind=Kind.COUNTER,
    help="Memory errors that a controller corrected.",
    source=f"{_SOURCE}/ce_count",
    labels=("controller",),
)
UNCORRECTED = Metric(
    name="hw_memory_uncorrected_errors_total",
    kind=Kind.COUNTER,
    help="Memory errors that a controller could not correct.",
    source=f"{_SOURCE}/ue_count",
    labels=("controller",),
)
DIMM_CORRECTED = Metric(
    name="hw_memory_dimm_corrected_errors_total",
    kind=Kind.COUNTER,
    help="Memory errors of one module that were corrected.",
    source=f"{_SOURCE}/dimm*/dimm_ce_count, or csrow*/ch*_ce_count",
    labels=_DIMM_LABELS,
    level=Level.DETAILED,
)
DIMM_UNCORRECTED = Metric(
    name="hw_memory_dimm_uncorrected_errors_total",
    kind=Kind.COUNTER,
    help="Memory errors of one module that could not be corrected; absent where a row counts for all its channels.",
    source=f"{_SOURCE}/dimm*/dimm_ue_count, or csrow*/ue_count",
    labels=_DIMM_LABELS,
    level=Level.DETAILED,
)
DIMM_INFO = Metric(
    name="hw_memory_dimm_info",
    kind=Kind.INFO,
    help="What the module is, and where it sits.",
    source=f"{_SOURCE}/dimm*, or csrow*",
    labels=(*_DIMM_LABELS, "location", "memory_type", "size_bytes"),
    level=Level.DETAILED,
)

UNCORRECTED_SINCE_BOOT = Check(
    name="memory_uncorrected",
    metric=UNCORRECTED,
    wrong=lambda count: count > 0,
    severity=Severity.CRITICAL,
    text="memory controller {controller}: {value:.0f} uncorrected errors",
    remedy="hwinfoctl show edac; replace the module",
)
CORRECTED_OFTEN = Check(
    name="memory_corrected",
    metric=CORRECTED,
    wrong=lambda count: count >= _MANY_AN_HOUR,
    severity=Severity.WARNING,
    text="memory controller {controller}: {value:.0f} corrected errors in an hour",
    remedy="hwinfoctl show edac",
    increase_seconds=3600,
)


class Edac(Collector):
    name = "edac"
    summary = "memory errors by controller and module (EDAC)"
    in_node_exporter = True
    beyond_node_exporter = frozenset({DIMM_CORRECTED, DIMM_UNCORRECTED, DIMM_INFO})
    subsystems = frozenset({"edac", "module"})

    def open(self) -> None:
        self.controllers: dict[str, Controller] = {}
        self.counts: dict[str, ErrorCounts] = {}
        self._follow()
        self.of_controller = Groups(self.table, lambda name: [(CORRECTED, (name,)), (UNCORRECTED, (name,))])
        self.of_module = Groups(
            self.table, lambda key: [(metric, self._labels(key)) for metric in (DIMM_CORRECTED, DIMM_UNCORRECTED)]
        )

    @beat(seconds=10)
    def sample(self) -> None:
        self._follow()
        for name, controller in self.controllers.items():
            counts = read_errors(self.roots, name)
            self.of_controller.set(name, (counts.corrected, counts.uncorrected))
            told = False
            for dimm in controller.dimms:
                key = f"{name}/{dimm.name}"
                of_dimm = read_errors(self.roots, name, dimm)
                self.of_module.set(key, (of_dimm.corrected, of_dimm.uncorrected))
                told |= self._tell(key, of_dimm, f"module {dimm.label or key}", device=f"dimm:{key}")
            # errors that the controller could not place, and those of a layout that does not
            self._tell(name, counts, f"memory controller {name}", silent=told)
        self.of_controller.sweep()
        self.of_module.sweep()

    def _follow(self) -> None:
        names = list_controllers(self.roots)
        if names != list(self.controllers):
            self.controllers = {name: read_controller(self.roots, name) for name in names}
            self.host.devices.reconcile(
                self.name,
                [_device(controller, dimm) for controller in self.controllers.values() for dimm in controller.dimms],
            )
        if not names:
            raise Absent("no memory controller in /sys/devices/system/edac/mc")

    def _labels(self, key: str) -> tuple[str, str, str]:
        name, _, dimm_name = key.partition("/")
        label = next(dimm.label for dimm in self.controllers[name].dimms if dimm.name == dimm_name)
        return name, dimm_name, label

    def _tell(self, key: str, now: ErrorCounts, what: str, *, device: str = "", silent: bool = False) -> bool:
        """An event for counts that rose since the last look, and whether they did. A count that fell was reset."""
        before = self.counts.get(key, now)
        self.counts[key] = now
        corrected = _rise(before.corrected, now.corrected)
        uncorrected = _rise(before.uncorrected, now.uncorrected)
        if (corrected or uncorrected) and not silent:
            self.host.events.add_amounts(
                EventKind.MEMORY_ERROR,
                Severity.CRITICAL if uncorrected else Severity.INFO,
                {"corrected": corrected, "uncorrected": uncorrected},
                lambda rise: f"{what}: {rise['corrected']} corrected, {rise['uncorrected']} uncorrected errors",
                device=device,
                key=key,
            )
        return bool(corrected or uncorrected)


def _rise(before: int | None, now: int | None) -> int:
    return 0 if before is None or now is None else max(0, now - before)


def _device(controller: Controller, dimm: Dimm) -> Device:
    return Device(
        id=f"dimm:{controller.name}/{dimm.name}",
        kind="dimm",
        name=dimm.label or f"{controller.name}/{dimm.name}",
        facts={
            "controller": controller.name,
            "controller_model": controller.model,
            "dimm": dimm.name,
            "label": dimm.label,
            "location": dimm.location,
            "memory_type": dimm.memory_type,
            "size_bytes": "" if dimm.size_bytes is None else str(dimm.size_bytes),
        },
        info=DIMM_INFO,
    )
