# SPDX-License-Identifier: MIT
"""Walking all processes for DRM clients: bounded steps, no needless looks, one holder a client, blindness."""

from __future__ import annotations

import itertools
import shutil
from pathlib import Path

import pytest

from hwinfod.collectors._drm_scan import ClientScanner, Pass
from hwinfod.collectors._drm_shares import Shares
from hwinfod.errors import Denied
from hwinfod.sources import process_walk
from hwinfod.sources.files import Roots
from tests.fixtures.host.gpus import GpuHost
from tests.unit.core.builders import FakeClock

MIB = 1 << 20


def text(id_: int | None = 1, render: int = 0, vram: int = 0, pdev: str = "0000:29:00.0", more: str = "") -> str:
    lines = [
        "drm-driver: xe",
        f"drm-pdev: {pdev}",
        f"drm-engine-render: {render} ns",
        f"drm-resident-vram0: {vram} MiB",
    ]
    return "\n".join([*lines, *([] if id_ is None else [f"drm-client-id: {id_}"]), more])


@pytest.fixture
def host(tmp_path: Path) -> GpuHost:
    return GpuHost(tmp_path)


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def scanner(host: GpuHost, clock: FakeClock) -> ClientScanner:
    return ClientScanner(Roots(str(host.proc), str(host.sys)), clock)


def scan(scanner: ClientScanner) -> Pass:
    scanner.begin()
    found = scanner.work(1.0, lambda: 0.0)
    assert found is not None
    return found


def test_a_client_that_two_processes_share_has_the_older_one(host, scanner):
    host.open_drm(20, 3, text(7))
    host.open_drm(20, 4, text(7))
    host.open_drm(100, 3, text(7))
    host.open_drm(100, 5, text(8))
    assert {key[1]: seen.pid for key, seen in scan(scanner).clients.items()} == {7: 20, 8: 100}


def test_the_same_number_on_two_devices_is_two_clients(host, scanner):
    host.open_drm(20, 3, text(7))
    host.open_drm(20, 4, text(7, pdev="0000:2a:00.0"))
    assert len(scan(scanner).clients) == 2


def test_without_client_ids_a_process_counts_once(host, scanner):
    host.open_drm(20, 3, text(None))
    host.open_drm(20, 4, text(None))
    host.open_drm(30, 4, text(None))
    assert [seen.pid for seen in scan(scanner).clients.values()] == [20, 30]


def test_a_pass_goes_on_where_its_time_ended(host, scanner):
    for pid in range(1, 11):
        host.open_drm(pid, 3, text(pid))
    scanner.begin()
    ticks = itertools.count()
    steps = 1
    while (found := scanner.work(3, lambda: next(ticks))) is None:
        steps += 1
    assert len(found.clients) == 10
    assert steps == 4
    assert scanner.work(3, lambda: next(ticks)) is None


def test_processes_that_may_not_be_looked_into_are_counted(host, scanner, monkeypatch):
    original = process_walk.list_open_files

    def refuse(roots, pid, is_wanted):
        if pid == 20:
            raise Denied("fd", 13)
        return original(roots, pid, is_wanted)

    monkeypatch.setattr(process_walk, "list_open_files", refuse)
    host.run(20)
    host.open_drm(30, 3, text(1))
    found = scan(scanner)
    assert (found.blind, len(found.clients)) == (1, 1)


def test_what_ends_meanwhile_costs_itself(host, scanner):
    host.open_drm(20, 3, text(1))
    host.open_drm(30, 3, text(2))
    (host.proc / "20/fdinfo/3").unlink()
    host.open_drm(40, 3, "drm-driver: xe\ndrm-client-id: garbage")
    shutil.rmtree(host.proc / "30/fd")
    host.open_drm(50, 3, text(5))
    assert [seen.pid for seen in scan(scanner).clients.values()] == [50]


def test_shares_are_what_grew_of_the_time_between(host, scanner, clock):
    shares = Shares()
    host.open_drm(20, 3, text(1, render=0, vram=10))
    host.open_drm(30, 3, text(2, render=10**9, vram=1))
    assert shares.update(scan(scanner))["0000:29:00.0"].engines == {}
    clock.advance(5)
    host.open_drm(20, 3, text(1, render=10**9))
    host.open_drm(30, 3, text(2, render=3 * 10**9))
    use = shares.update(scan(scanner))["0000:29:00.0"]
    assert use.engines == {"render": 0.6}
    assert [p.amounts(unified=False)["utilization_ratio"] for p in use.processes.values()] == [0.2, 0.4]


def test_an_engine_of_two_is_busy_when_both_are(host, scanner, clock):
    shares = Shares()
    more = "drm-engine-capacity-render: 2"
    host.open_drm(20, 3, text(1, render=0, more=more))
    shares.update(scan(scanner))
    clock.advance(5)
    host.open_drm(20, 3, text(1, render=5 * 10**9, more=more))
    assert shares.update(scan(scanner))["0000:29:00.0"].engines == {"render": 0.5}


def test_cycles_are_held_against_the_engines_own(host, scanner, clock):
    shares = Shares()
    for cycles, total in ((100, 1000), (400, 2000)):
        more = f"drm-cycles-rcs: {cycles}\ndrm-total-cycles-rcs: {total}"
        host.open_drm(20, 3, text(1, more=more))
        use = shares.update(scan(scanner))["0000:29:00.0"]
        clock.advance(5)
    assert use.engines["rcs"] == 0.3


def test_a_value_that_falls_behind_counts_as_the_larger_one(host, scanner, clock):
    shares = Shares()
    seen = []
    for render in (10**9, 5 * 10**8, 2 * 10**9):
        host.open_drm(20, 3, text(1, render=render))
        seen.append(shares.update(scan(scanner))["0000:29:00.0"].engines.get("render"))
        clock.advance(1)
    assert seen == [None, 0.0, 1.0]


def test_memory_adds_up_over_the_clients_of_a_process(host, scanner):
    host.open_drm(20, 3, text(1, vram=10))
    host.open_drm(20, 4, text(2, vram=5, more="drm-resident-system: 3 MiB"))
    ((_, process),) = Shares().update(scan(scanner))["0000:29:00.0"].processes.items()
    by_region = {"vram0_memory_bytes": 15 * MIB, "system_memory_bytes": 3 * MIB}
    assert process.amounts(unified=False) == {"memory_bytes": 15 * MIB, **by_region}
    assert process.amounts(unified=True) == {"memory_bytes": 18 * MIB, **by_region}
