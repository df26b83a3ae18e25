# SPDX-License-Identifier: MIT
from __future__ import annotations

from pathlib import Path

from hwinfod.sources.cpufreq import Policy, PolicyState, list_policies, read_policy, read_state
from hwinfod.sources.files import Roots


def write_policy(sysfs: Path, name: str, **files: str) -> None:
    directory = sysfs / "devices/system/cpu/cpufreq" / name
    directory.mkdir(parents=True, exist_ok=True)
    for file, content in files.items():
        (directory / file).write_text(content + "\n")


def test_policy(tmp_path: Path) -> None:
    roots = Roots(sysfs=str(tmp_path))
    write_policy(
        tmp_path,
        "policy0",
        affected_cpus="0 1",
        scaling_driver="intel_pstate",
        scaling_governor="performance",
        scaling_max_freq="3000000",
        cpuinfo_min_freq="800000",
        cpuinfo_max_freq="3800000",
        scaling_cur_freq="2100123",
    )
    assert read_policy(roots, "policy0") == Policy(
        name="policy0",
        cpus=(0, 1),
        driver="intel_pstate",
        minimum_hertz=800_000_000,
        maximum_hertz=3_800_000_000,
    )
    assert read_state(roots, "policy0") == PolicyState(2_100_123_000, 3_000_000_000, "performance")


def test_policies_in_the_order_of_their_numbers(tmp_path: Path) -> None:
    for name in ("policy10", "policy2", "policy0", "boost", "policyx"):
        write_policy(tmp_path, name)
    assert list_policies(Roots(sysfs=str(tmp_path))) == ("policy0", "policy2", "policy10")
    assert list_policies(Roots(sysfs=str(tmp_path / "none"))) == ()


def test_what_a_driver_does_not_know_is_none(tmp_path: Path) -> None:
    roots = Roots(sysfs=str(tmp_path))
    write_policy(tmp_path, "policy0", scaling_cur_freq="<unknown>", cpuinfo_max_freq="0", affected_cpus="")
    policy = read_policy(roots, "policy0")
    assert policy.cpus == ()
    assert policy.maximum_hertz is None
    assert read_state(roots, "policy0") == PolicyState(None, None, "")
    assert read_state(roots, "policy1") == PolicyState(None, None, "")
