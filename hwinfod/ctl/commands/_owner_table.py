# SPDX-License-Identifier: MIT
"""Owners as a table, a row each."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hwinfod.ctl import units
from hwinfod.ctl.terminal import columns, folded, printable

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from hwinfod.ctl.terminal import Terminal
    from hwinfod.wire.owners import AllocatedDevice, Owner, OwnerDevice

_COLUMNS = ("OWNER", "KIND", "ALLOC", "GPU", "MEMORY", "UTIL", "PROC", "SINCE", "RDMA")
_RIGHT = frozenset({"MEMORY", "UTIL", "PROC", "SINCE"})
# What a name may ask for before a column gives way, and which columns do: most names say their kind, and what stands in
# the others is said below its row.
_LAYOUTS = ((40, ""), (40, "KIND"), (22, ""), (22, "KIND"), (22, "KIND RDMA"), (0, "KIND RDMA ALLOC"))
_BELOW = {"ALLOC": "allocated", "RDMA": "rdma"}


def table(
    owners: Iterable[Owner], now: float, terminal: Terminal, *, device: str = "", rest: Mapping[str, int]
) -> list[str]:
    """A row for each owner that holds or was given something; memory and use of `device` alone, where one is named.
    `rest` is by GPU the memory that nobody in sight holds: the last row."""
    shown = [owner for owner in owners if owner["devices"] or owner["allocated"]]
    claimed = any(given["device"] == device for owner in shown for given in owner["allocated"])
    rows = [_row(owner, now, device, claimed=claimed) for owner in shown]
    nobody = [] if rows else ["nobody in sight holds anything"]
    left = {gpu: amount for gpu, amount in rest.items() if amount}
    if left:
        last = dict.fromkeys(_COLUMNS, "-")
        rows.append(last | {"OWNER": "unattributed", "GPU": _names(left), "MEMORY": units.size(sum(left.values()))})
    return [*nobody, *_lines(rows, terminal)] if rows else nobody


def _lines(rows: list[dict[str, str]], terminal: Terminal) -> list[str]:
    widths = {name: max(len(name), *(len(row[name]) for row in rows)) for name in _COLUMNS}
    for wish, given_up in _LAYOUTS:
        names = [name for name in _COLUMNS if name not in given_up.split()]
        room = terminal.width - sum(widths[name] + 2 for name in names[1:])
        if room >= min(wish, widths["OWNER"]):
            break
    cells = [[shortened(row["OWNER"], max(room, 8)), *(row[name] for name in names[1:])] for row in rows]
    right = frozenset(names.index(name) for name in _RIGHT)
    head, *body = columns([names, *cells], right=right)
    lines = [terminal.paint(head, "dim")]
    for line, row in zip(body, rows, strict=True):
        lines.append(line)
        below = [f"{_BELOW[name]} {row[name]}" for name in _BELOW if name not in names and row[name] != "-"]
        lines += [f"  {part}" for said in below for part in folded(said, terminal.width - 2)]
    return lines


def _row(owner: Owner, now: float, device: str, *, claimed: bool) -> dict[str, str]:
    """The cells by column."""
    gpus = [held for held in owner["devices"] if held["kind"] == "gpu"]
    rdma = [held for held in owner["devices"] if held["kind"] == "rdma"]
    counted = [held for held in owner["devices"] if device in ("", held["device"])]
    memory, ratios = _amounts(counted, "memory_bytes"), _amounts(counted, "utilization_ratio")
    processes = {process["pid"] for held in counted for process in held["processes"] if process["pid"]}
    since = owner["since_seconds"]
    return {
        "OWNER": printable(owner["owner"]),
        "KIND": owner["kind"] or "-",
        "ALLOC": _allocated(owner, device, claimed=claimed),
        "GPU": _names(held["name"].partition(" ")[0] for held in gpus) or "-",
        "MEMORY": units.size(sum(memory)) if memory else "-",
        "UTIL": f"{sum(ratios) / len(ratios) * 100:.0f} %" if ratios else "-",
        "PROC": str(len(processes)) if processes else "-",
        "SINCE": "-" if since is None else units.duration(max(0.0, now - since)),
        "RDMA": _objects(rdma) or "-",
    }


def _names(names: Iterable[str]) -> str:
    return printable(spans(names))


def _allocated(owner: Owner, device: str, *, claimed: bool) -> str:
    """The GPUs that were given, 0-3; with how much of them where that is not all, 3 0.25 time-slicing. Of one device
    how much of it; who uses what somebody else was given has none of it: NO!"""
    ways: dict[str, list[str]] = {}
    for given in owner["allocated"]:
        if given["device"] == device or (not device and given["kind"] == "gpu"):
            ways.setdefault(_share(given), []).append(given["name"].partition(" ")[0])
    if device:
        return ", ".join(ways) or ("NO!" if claimed and owner["kind"] in ("pod", "container", "job") else "-")
    parts = [f"{spans(dict.fromkeys(names))} {way if way != '1' else ''}".strip() for way, names in ways.items()]
    return printable(", ".join(parts)) or "-"


def _share(given: AllocatedDevice) -> str:
    share = "?" if given["share"] is None else f"{given['share']:.2g}"
    return share if given["sharing"] == "whole" else f"{share} {given['sharing']}"


def _amounts(devices: Iterable[OwnerDevice], name: str) -> list[float]:
    return [held["amounts"][name] for held in devices if name in held["amounts"]]


def _objects(devices: list[OwnerDevice]) -> str:
    """mlx5_0-3 64 QP, 2 in error, 9.1 GiB received, 3.0 GiB sent"""
    qps, mrs, wrong = (sum(_amounts(devices, name)) for name in ("qps", "mrs", "qp_errors"))
    counts = [f"{count:.0f} {word}" for count, word in ((qps, "QP"), (mrs if not qps else 0, "MR")) if count]
    counts += [f"{wrong:.0f} in error"] if wrong else []
    traffic = {"received": _amounts(devices, "receive_bytes"), "sent": _amounts(devices, "transmit_bytes")}
    counts += [f"{units.size(sum(amounts))} {done}" for done, amounts in traffic.items() if amounts]
    return f"{_names(held['name'] for held in devices)} {', '.join(counts)}".strip()


def spans(names: Iterable[str]) -> str:
    """0-3,7 of 0 1 2 3 7; mlx5_0-3 of mlx5_0 ... mlx5_3. Names without a number stay as they are."""
    numbers: dict[str, list[int]] = {}
    for name in names:
        stem = name.rstrip("0123456789")
        numbers.setdefault(stem, []).extend([int(name[len(stem) :])] if stem != name else [])
    return " ".join(stem + ",".join(_runs(sorted(found))) for stem, found in numbers.items())


def _runs(numbers: list[int]) -> list[str]:
    runs: list[list[int]] = []
    for number in numbers:
        if runs and number == runs[-1][-1] + 1:
            runs[-1].append(number)
        else:
            runs.append([number])
    return [str(run[0]) if len(run) == 1 else f"{run[0]}-{run[-1]}" for run in runs]


def shortened(text: str, room: int) -> str:
    """The end of a name tells more than its middle: replicas differ there."""
    if len(text) <= room:
        return text
    head = (room - 2) // 2
    return f"{text[:head]}..{text[head + 2 - room :]}"


def node_names(nodes: Iterable[str]) -> str:
    """nvidia0-7 nvidiactl nvidia-uvm"""
    return printable(spans(sorted(node.removeprefix("/dev/") for node in nodes)))
