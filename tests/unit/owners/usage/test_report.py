# SPDX-License-Identifier: MIT
"""Every owner has an account in the API at once, and hundreds of them do not fill what Prometheus reads."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from types import MappingProxyType

import pytest

from hwinfod.core.account import Account, Accounting
from hwinfod.core.metric import Level
from hwinfod.core.owner import LABELS, Attribution, Holder, OwnerRecord
from hwinfod.owners.usage.collector import OwnerUsage
from tests.support.bench import Bench
from tests.support.owners import GIB, POD, UID, A, B, by_owner

Make = Callable[[str], Path]
CPU = "hw_owner_cpu_seconds_total"


@pytest.fixture
def cgroup(tmp_path: Path) -> Make:
    """Makes a cgroup of v2."""
    root = tmp_path / "sys/fs/cgroup"
    root.mkdir(parents=True)
    (root / "cgroup.controllers").write_text("cpu memory\n")

    def make(path: str, memory: int = GIB) -> Path:
        directory = root / path
        directory.mkdir(parents=True)
        (directory / "cpu.stat").write_text("usage_usec 2500000\nnr_throttled 2\nthrottled_usec 500000\n")
        (directory / "memory.current").write_text(f"{memory}\n")
        (directory / "memory.stat").write_text("anon 7\nfile 8\n")
        (directory / "cpu.pressure").write_text("some avg10=0.00 avg60=0.00 avg300=0.00 total=1000000\n")
        return directory

    return make


def figures(account: Account) -> dict[str, object]:
    return {" ".join((metric.name, *labels)): value for (metric, labels), value in account.values().items()}


def test_an_owner_has_an_account_at_once_and_all_figures_of_its_own(tmp_path: Path, cgroup: Make) -> None:
    bench = Bench(OwnerUsage, tmp_path)
    bench.run()
    cgroup(POD)
    assert by_owner(bench.run(), CPU) == {}
    (account,) = bench.host.accounting.owners.values()
    assert account.id == f"pod:{UID}:{A[:12]}"
    assert account.cgroups == (f"/{POD}",)
    assert account.identity["pod_uid"] == UID
    assert figures(account) == {
        CPU: 2.5, "hw_owner_cpu_throttled_seconds_total": 0.5, "hw_owner_memory_usage_bytes": GIB,
    }  # fmt: skip
    bench.run(after=60)
    bench.run("detail")
    bench.run()
    (account,) = bench.host.accounting.owners.values()
    assert figures(account)["hw_owner_memory_anon_bytes"] == 7
    assert figures(account)["hw_owner_pressure_some_seconds_total cpu"] == 1.0


def test_cgroups_of_one_job_are_one_account(tmp_path: Path, cgroup: Make) -> None:
    for name in ("uid_1/job_5", "uid_2/job_5"):
        cgroup(f"slurm/{name}")
    bench = Bench(OwnerUsage, tmp_path)
    bench.run()
    (account,) = bench.host.accounting.owners.values()
    assert (len(account.cgroups), figures(account)[CPU]) == (2, 5.0)


def test_accounts_are_gone_with_the_collector(tmp_path: Path, cgroup: Make) -> None:
    cgroup(POD)
    bench = Bench(OwnerUsage, tmp_path)
    bench.run()
    assert bench.host.accounting.owners
    bench.runner.close()
    assert bench.host.accounting == Accounting()


def holder_of(id_: str) -> Attribution:
    held = (Holder("GPU-1", 7, 1, "x", 0, {"memory_bytes": 1}),)
    record = OwnerRecord(id_, "x", ("",) * len(LABELS), {}, 0, 0, held)
    return Attribution(1, MappingProxyType({id_: record}))


def test_a_unit_matters_that_holds_a_device_however_little_else_it_uses(tmp_path: Path, cgroup: Make) -> None:
    for name in ("holder", "idle"):
        cgroup(f"system.slice/{name}.service", memory=4096)
    bench = Bench(OwnerUsage, tmp_path)
    bench.run()
    assert by_owner(bench.values(), CPU) == {}
    bench.host.attribution = holder_of("unit::holder.service")
    bench.run()
    bench.run()
    assert set(by_owner(bench.values(level=Level.STANDARD), CPU)) == {"holder.service"}


def test_jobs_and_those_who_hold_devices_are_exported_and_the_others_are_recorded(tmp_path: Path, cgroup: Make) -> None:
    for path in (POD, f"docker/{B}", "slurm/uid_1/job_5"):
        cgroup(path)
    bench = Bench(OwnerUsage, tmp_path)

    def exported() -> set[str]:
        bench.run()
        return set(by_owner(bench.values(level=Level.STANDARD), CPU))

    assert exported() == {"slurm 5"}
    assert len(by_owner(bench.values(), CPU)) == 3
    bench.host.attribution = holder_of(f"pod:{UID}:{A[:12]}")
    assert exported() == {"slurm 5", f"pod {UID}"}
    bench.host.attribution = Attribution()
    assert exported() == {"slurm 5", f"pod {UID}"}, "counters that come and go break rates"
    assert len(by_owner(bench.values(), CPU)) == 3
