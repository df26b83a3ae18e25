# SPDX-License-Identifier: MIT
"""`hwinfoctl status`: what is wrong first, then the host in a few lines, then what to type next."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hwinfod.ctl import units
from hwinfod.ctl.commands import _status_owners, _status_problems
from hwinfod.ctl.failures import OK, UNHEALTHY
from hwinfod.ctl.output import write_json
from hwinfod.ctl.samples import Latest
from hwinfod.ctl.terminal import printable, visible_length

if TYPE_CHECKING:
    import argparse
    from collections.abc import Mapping

    from hwinfod.ctl.client import Client
    from hwinfod.ctl.terminal import Terminal
    from hwinfod.wire.owners import Owners
    from hwinfod.wire.samples import Samples, SeriesHistory
    from hwinfod.wire.status import Status

_STYLES = {"ok": ("green", "bold"), "warning": ("yellow", "bold"), "critical": ("red", "bold")}
_RATES = tuple(
    f"{stem}_{direction}_bytes_total"
    for stem in ("hw_network", "hw_rdma_port")
    for direction in ("receive", "transmit")
)
# What is not among the default metrics, and on this screen.
_BESIDE = ("hw_pressure_some_ratio", "hw_temperature_celsius")
_OWNED = ("hw_gpu_up", "hw_rdma_port_up")  # what somebody may hold


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """No arguments of its own."""


def run(client: Client, options: argparse.Namespace, terminal: Terminal) -> int:
    status: Status = client.get("/v1/status")
    code = UNHEALTHY if status["state"] == "critical" else OK
    if options.json:
        write_json(terminal, status)
        return code
    queries = [{"level": "standard"}, *({"name": name} for name in _BESIDE)]
    answers: list[Samples] = [client.get("/v1/samples", query) for query in queries]
    latest = Latest(sample for answer in answers for sample in answer["samples"])
    measured = {name: _rate(client, name, status["time_seconds"]) for name in _RATES if latest.all(name)}
    rates = {name: rate for name, rate in measured.items() if rate is not None}
    owners: Owners | None = client.get("/v1/owners") if any(map(latest.all, _OWNED)) else None
    for line in screen(status, latest, rates, terminal, owners):
        terminal.write(line)
    return code


def _rate(client: Client, metric: str, now: float) -> float | None:
    """What a counter grew by a second over the last ten, all its series together; None before the second sample."""
    query = {"name": metric, "start": str(now - 10), "end": str(now), "step": "10"}
    history: SeriesHistory = client.get("/v1/series", query)
    means = (units.number(series["points"][-1][2]) for series in history["series"] if series["points"])
    known = [mean for mean in means if mean is not None]
    return sum(known) if known else None


def screen(
    status: Status, latest: Latest, rates: Mapping[str, float], terminal: Terminal, owners: Owners | None
) -> list[str]:
    """The lines, most urgent first."""
    lines = [_headline(status, terminal)]
    lines += _status_problems.lines(status["problems"], terminal)
    tag, style = _status_problems.TAGS["info"]
    notes = _status_owners.notes(owners) if owners else []
    lines += [f"{terminal.paint(tag, style)}  {note}{terminal.paint('  > hwinfoctl owners', 'dim')}" for note in notes]
    who = _status_owners.who(owners, terminal.width - 6) if owners else ""
    lines += [
        f"{terminal.paint(f'{name:<4}', 'bold')}  {text}" for name, text in _figures(status, latest, rates, who) if text
    ]
    lines += _next(status, terminal)
    return lines


def _headline(status: Status, terminal: Terminal) -> str:
    counts = {s: sum(p["severity"] == s for p in status["problems"]) for s in ("critical", "warning")}
    words = [f"{name.upper()} {n}" for name, n in counts.items() if n] or ["OK"]
    state = terminal.paint("  ".join(words), *_STYLES[status["state"]])
    name = terminal.paint(printable(status["hostname"]), "bold")
    system = [printable(part) for part in (status["operating_system"], status["kernel"]) if part]
    up = f"up {units.duration(status['uptime_seconds'])}"
    now = units.clock(status["time_seconds"], "%H:%M:%S %Z")
    while len(system) > 1 and visible_length("  ".join([name, state, *system, up, now])) > terminal.width:
        system.pop()
    return "  ".join([name, state, *system, up, now])


def _figures(status: Status, latest: Latest, rates: Mapping[str, float], who: str) -> list[tuple[str, str]]:
    return [
        ("GPU", _gpus(latest)),
        ("RDMA", _ports("hw_rdma_port", latest, rates)),
        ("WHO", who),
        ("CPU", _cpu(latest)),
        ("MEM", _memory(latest)),
        ("DISK", _disks(latest)),
        ("NET", _ports("hw_network", latest, rates)),
        ("HEAT", _heat(latest)),
        ("self", _self(status, latest)),
    ]


def _cpu(latest: Latest) -> str:
    used, threads = latest.value("hw_cpu_utilization_ratio"), latest.value("hw_cpu_threads_online")
    parts = []
    if used is not None:
        parts.append(f"{used * 100:.0f} %" + (f" of {threads:.0f} threads" if threads else ""))
    load = [latest.value(f"hw_load{minutes}") for minutes in (1, 5, 15)]
    if None not in load:
        parts.append("load " + " ".join(f"{value:.2f}" for value in load if value is not None))
    return _joined([*parts, _pressure(latest)])


def _pressure(latest: Latest) -> str:
    """The share of time in which something waited, where that is not nothing."""
    parts = []
    for resource in ("cpu", "memory", "io"):
        value = latest.value("hw_pressure_some_ratio", resource=resource)
        if value is not None:
            parts.append(f"{resource} {value * 100:.0f}")
    return f"psi {' '.join(parts)}" if parts else ""


def _memory(latest: Latest) -> str:
    total = latest.value("hw_memory_limit_bytes")
    available = latest.value("hw_memory_available_bytes")
    if total is None or available is None:
        return ""
    parts = [f"{units.size(total - available)} of {units.size(total)}"]
    swap, used = latest.value("hw_swap_limit_bytes"), latest.value("hw_swap_usage_bytes")
    if swap and used is not None:
        parts.append(f"swap {units.size(used)} of {units.size(swap)}")
    return _joined(parts)


def _disks(latest: Latest) -> str:
    parts = []
    busiest = latest.highest("hw_disk_utilization_ratio")
    if busiest is not None:
        parts.append(f"busiest {busiest['labels'].get('device', '')} {float(busiest['value'] or 0) * 100:.0f} %")
    fullest = latest.highest("hw_filesystem_utilization_ratio")
    if fullest is not None:
        parts.append(f"fullest {fullest['labels'].get('mountpoint', '')} {float(fullest['value'] or 0) * 100:.0f} %")
    return _joined(parts)


def _ports(stem: str, latest: Latest, rates: Mapping[str, float]) -> str:
    """Network interfaces or RDMA ports: how many are up, and what goes through them."""
    up = latest.values(f"{stem}_up")
    if not up:
        return ""
    parts = [f"{sum(up):.0f}/{len(up)} up"]
    for word, direction in (("rx", "receive"), ("tx", "transmit")):
        rate = rates.get(f"{stem}_{direction}_bytes_total")
        if rate is not None:
            parts.append(f"{word} {units.size(rate)}/s")
    return _joined(parts)


def _gpus(latest: Latest) -> str:
    up = latest.values("hw_gpu_up")
    if not up:
        return ""
    used = latest.values("hw_gpu_utilization_ratio")
    parts = [f"{sum(up):.0f}/{len(up)} up"]
    if used:
        parts.append(f"{sum(value > 0.05 for value in used)} busy   util {sum(used) / len(used) * 100:.0f} %")
    total, memory = sum(latest.values("hw_gpu_memory_limit_bytes")), latest.values("hw_gpu_memory_usage_bytes")
    if total:
        parts.append(f"mem {units.size(sum(memory))} of {units.size(total)}" if memory else f"mem {units.size(total)}")
    watts = latest.values("hw_gpu_power_watts")
    if watts:
        parts.append(units.decimal(sum(watts), "W"))
    hottest = max(latest.values("hw_gpu_temperature_celsius"), default=None)
    if hottest is not None:
        parts.append(f"hot {hottest:.0f} C")
    return _joined(parts)


def _heat(latest: Latest) -> str:
    parts = []
    hottest = latest.highest("hw_temperature_celsius")
    if hottest is not None:
        where = " ".join(hottest["labels"].get(name, "") for name in ("chip", "label")).strip()
        parts.append(f"hottest {float(hottest['value'] or 0):.0f} C {where}")
    watts = latest.values("hw_cpu_package_power_watts")
    if watts:
        parts.append(f"packages {units.decimal(sum(watts), 'W')}")
    return _joined(parts)


def _self(status: Status, latest: Latest) -> str:
    collectors = status["collectors"]
    working = collectors["ok"]
    parts = [f"{working}/{sum(v for k, v in collectors.items() if k not in ('absent', 'stuck'))} collectors"]
    seconds, uptime = latest.value("process_cpu_seconds_total"), status["daemon_uptime_seconds"]
    if seconds is not None and uptime > 1:
        parts.append(f"cpu {seconds / uptime * 100:.1f} %")
    resident = latest.value("process_resident_memory_bytes")
    if resident is not None:
        parts.append(units.size(resident))
    parts.append(f"history {units.duration(status['history_seconds'])}")
    parts.append(f"v{status['version']}")
    return _joined(parts)


def _joined(parts: list[str]) -> str:
    return "   ".join(part for part in parts if part)


def _next(status: Status, terminal: Terminal) -> list[str]:
    """What to type next, where there is something."""
    faces = status["faces"]
    lines = []
    if faces["textfile_trouble"]:
        lines.append(f"{terminal.paint('warn', 'yellow')}  textfile: {printable(faces['textfile_trouble'])}")
    if not faces["metrics_urls"] and not faces["textfile"]:
        lines.append(
            f"{terminal.paint('note', 'cyan')}  Prometheus does not see this host yet: "
            'set [web] listen_address = [":10049"] in /etc/hwinfod/hwinfod.toml'
        )
    if status["state"] != "ok":
        lines.append(f"{terminal.paint('next', 'bold')}  hwinfoctl events   hwinfoctl collectors")
    return lines
