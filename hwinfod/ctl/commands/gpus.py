# SPDX-License-Identifier: MIT
"""`hwinfoctl gpus`: every GPU on a line, what is wrong with it, and who uses it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hwinfod.ctl import units
from hwinfod.ctl.failures import OK
from hwinfod.ctl.output import write_json
from hwinfod.ctl.terminal import columns, printable

if TYPE_CHECKING:
    import argparse

    from hwinfod.ctl.client import Client
    from hwinfod.ctl.terminal import Terminal
    from hwinfod.wire.gpus import Gpu, GpuHold, Gpus

_GIB = 1 << 30
_BAR_WIDTH = 4
_MOST_OWNERS = 2
# Reasons of slowing down that are somebody's fault, the worst first.
_SLOWED = {
    "hw_power_brake": "POWER BRAKE, slowed",
    "hw_thermal": "HOT, slowed",
    "hw_slowdown": "slowed by hardware",
    "sw_thermal": "warm, slowed",
}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    del parser


def run(client: Client, options: argparse.Namespace, terminal: Terminal) -> int:
    document: Gpus = client.get("/v1/gpus")
    if options.json:
        write_json(terminal, document)
        return OK
    for line in lines(document, terminal):
        terminal.write(line)
    return OK


def lines(document: Gpus, terminal: Terminal) -> list[str]:
    if not document["gpus"]:
        return [*released(document["hold"]), "no GPUs"]
    links = "XGMI" if any("xgmi_links" in gpu["by_label"] for gpu in document["gpus"]) else "NVL"
    rows = [["GPU", "UTIL", "", "MEM GB", "WATTS", "C", "PCIE", links, "HEALTH", "OWNER"]]
    rows += [_row(gpu, terminal) for gpu in document["gpus"] if gpu["status"] == "present"]
    head, *body = columns(rows, right=frozenset({1, 3, 4, 5, 7}))
    working = iter(body)
    all_lines = [next(working) if gpu["status"] == "present" else _gone(gpu, terminal) for gpu in document["gpus"]]
    is_withheld = any(gpu["status"] == "present" and "up" not in gpu["values"] for gpu in document["gpus"])
    why = ["values are withheld: hwinfoctl status says why"] if is_withheld and not document["hold"]["released"] else []
    return [*released(document["hold"]), *why, terminal.paint(head, "dim"), *all_lines]


def released(hold: GpuHold) -> list[str]:
    """What the daemon says while it has let go."""
    if not hold["released"]:
        return []
    rest = units.duration(hold["remaining_seconds"])
    return [f"the driver is released for {rest} ({printable(hold['reason'])}); hwinfoctl gpu resume takes it back"]


def _row(gpu: Gpu, terminal: Terminal) -> list[str]:
    index = printable(gpu["gpu"])
    owners = printable(_owners(gpu))
    used = units.number(gpu["values"].get("utilization_ratio"))
    if used is None:
        used = units.number(gpu["values"].get("sm_active_ratio"))
    mig = gpu["facts"].get("mig_mode") == "on"
    return [
        index,
        "-" if used is None else f"{used * 100:.0f}%",
        "MIG" if mig else "" if used is None else terminal.bar(used, _BAR_WIDTH),
        _of(gpu, "memory_usage_bytes", "memory_limit_bytes", _GIB),
        _of(gpu, "power_watts", "power_enforced_limit_watts", 1),
        _temperature(gpu),
        _pcie(gpu),
        _links(gpu, terminal),
        health(gpu, terminal),
        owners,
    ]


def _gone(gpu: Gpu, terminal: Terminal) -> str:
    """A sentence across the columns: there are no values."""
    since = units.clock(gpu["status_since_seconds"])
    style = "red" if gpu["status"] == "lost" else "yellow"
    state = terminal.paint(f"{gpu['status'].upper()} since {since}", style)
    where = printable("  ".join(filter(None, (gpu["facts"].get("pci"), gpu["facts"].get("driver"), _owners(gpu)))))
    return f"{printable(gpu['gpu'] or '-'):<3}  {state}  {where}".rstrip()


def _of(gpu: Gpu, part: str, whole: str, unit: float) -> str:
    """74/80; a dash for what is not told."""
    used, limit = units.number(gpu["values"].get(part)), units.number(gpu["values"].get(whole))
    shown = "-" if used is None else f"{used / unit:.0f}"
    return shown if limit is None else f"{shown}/{limit / unit:.0f}"


def _temperature(gpu: Gpu) -> str:
    """The chip's own, or the hottest there is."""
    sensors = {name: units.number(value) for name, value in gpu["by_label"].get("temperature_celsius", {}).items()}
    known = {name: value for name, value in sensors.items() if value is not None}
    value = known.get("gpu", known.get("edge", max(known.values(), default=None)))
    return "-" if value is None else f"{value:.0f}"


def _pcie(gpu: Gpu) -> str:
    generation, width = (gpu["values"].get(name) for name in ("pcie_link_generation", "pcie_link_width_lanes"))
    return "-" if generation is None or width is None else f"{generation}x{width}"


def _links(gpu: Gpu, terminal: Terminal) -> str:
    """How many NVLinks are up, red with ! where one went down; how many XGMI links are trained."""
    links = gpu["by_label"].get("nvlinks", {})
    if not links:
        active = units.number(gpu["by_label"].get("xgmi_links", {}).get("active"))
        return "-" if active is None else f"{active:.0f}"
    up, down = units.number(links.get("up")) or 0, units.number(links.get("down")) or 0
    return terminal.paint(f"{up:.0f}!", "red") if down else f"{up:.0f}"


def health(gpu: Gpu, terminal: Terminal) -> str:
    """The worst thing that is wrong with a GPU, in a word or two; ok where nothing is."""
    values, by_label = gpu["values"], gpu["by_label"]
    if values.get("up") == 0:
        return terminal.paint("DOES NOT ANSWER", "red")
    if "up" not in values:
        return terminal.paint("no values", "yellow")  # those that change slowly may be there still
    throttled = by_label.get("throttled", {})
    remap = by_label.get("row_remap", {})
    uncorrected = [v for k, v in by_label.get("ecc_errors_total", {}).items() if k.startswith("uncorrected/") and v]
    action = values.get("recovery_action")
    wrong = [
        *(["ROW REMAP FAILED"] if remap.get("failed") == 1 else []),
        *([f"wants {action}"] if isinstance(action, str) and action != "none" else []),
        *(["uncorrected ECC"] if uncorrected else []),
        *(word for reason, word in _SLOWED.items() if throttled.get(reason) == 1),
        *(["row remap pending"] if remap.get("pending") == 1 else []),
    ]
    return terminal.paint(printable(str(wrong[0])), "red") if wrong else "ok"


def _owners(gpu: Gpu) -> str:
    names = gpu["owners"]
    shown = ", ".join(names[:_MOST_OWNERS])
    return shown if len(names) <= _MOST_OWNERS else f"{shown} and {len(names) - _MOST_OWNERS} more"
