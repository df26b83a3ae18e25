# SPDX-License-Identifier: MIT
"""Runs in the guest: holds what hwinfod says against what the `rdma` tool says."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

from in_guest import Daemon, wait_for
from rdma_traffic import rdma

AMOUNTS = {"qp": "qps", "cq": "cqs", "mr": "mrs", "cm_id": "cm_ids", "pd": "pds", "ctx": "contexts"}


def devices_agree(seen: dict[str, Any]) -> bool:
    links = rdma("link")
    assert set(seen) == {link["ifname"] for link in links} == {"rxe0", "rxe1", "rxe2", "siw0"}
    for link in links:
        (port,) = seen[link["ifname"]]["ports"]
        said = (port["state"].upper(), port["physical_state"].upper(), port["facts"]["netdev"], port["port"])
        assert said == (link["state"], link["physical_state"], link["netdev"], link["port"])
        rate = Path(f"/sys/class/infiniband/{link['ifname']}/ports/1/rate").read_text().split()[0]
        assert port["rate_bytes_per_second"] == float(rate) * 1e9 / 8
    for device in rdma("dev"):
        assert seen[device["ifname"]]["facts"]["guid"] == device["node_guid"]
    return True


def compare_counters(daemon: Daemon) -> int:
    """Each counter lies between what the tool said before and after; how many moved."""
    before = _statistics()
    daemon.wait_samples()
    ports = wait_for("fresh counters", lambda: _fresh_ports(daemon))
    after = _statistics()
    moved = 0
    assert set(before) == set(ports)
    for name, entry in before.items():
        counters = {key: value for key, value in entry.items() if key not in ("ifindex", "ifname", "port")}
        assert counters
        for counter, low in counters.items():
            high, value = after[name][counter], ports[name]["counters"][counter]
            assert low <= value <= high, (name, counter, low, value, high)
            moved += low < high
    return moved


def _statistics() -> dict[str, dict[str, Any]]:
    """Link by link: over all of them rdma gives up at the one that has no counters."""
    names = (link["ifname"] for link in rdma("link") if link["ifname"] != "siw0")
    return {name: rdma("statistic", "show", "link", f"{name}/1")[0] for name in names}


def _fresh_ports(daemon: Daemon) -> dict[str, Any] | None:
    """None while a slow guest has no row that is fresh."""
    ports = {name: device["ports"][0] for name, device in daemon.devices().items() if name != "siw0"}
    return ports if all(port["counters"] for port in ports.values()) else None


def holders_agree(daemon: Daemon) -> bool:
    held = {name: daemon.get(f"/v1/rdma/{name}/resources")["holders"] for name in daemon.devices()}
    for kind, amount in AMOUNTS.items():
        expected: Counter[tuple[str, int | str]] = Counter()
        registered: Counter[tuple[str, int | str]] = Counter()
        for entry in rdma("resource", "show", kind):
            who = process_of(entry["pid"]) if "pid" in entry else entry.get("comm", "")
            if who:
                expected[(entry["ifname"], who)] += 1
                registered[(entry["ifname"], who)] += entry.get("mrlen", 0)
        seen = _amounts(held, amount)
        assert seen == expected, (kind, seen - expected, expected - seen)
        if kind == "mr":
            assert _amounts(held, "mr_bytes") == registered
    return True


def _amounts(held: dict[str, Any], amount: str) -> Counter[tuple[str, int | str]]:
    return Counter(
        {
            (name, holder["pid"] or holder["kernel"]): holder["amounts"][amount]
            for name, holders in held.items()
            for holder in holders
            if holder["amounts"].get(amount)
        }
    )


def process_of(task: int) -> int:
    """A thread may have made an object."""
    lines = Path(f"/proc/{task}/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("Tgid:"))
