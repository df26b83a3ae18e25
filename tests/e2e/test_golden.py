# SPDX-License-Identifier: MIT
"""What the real daemon exposes of the rich fixture host, line by line against tests/e2e/golden/*.prom.

The host stands still, so that every value but those of this machine and of the daemon itself is the same in each
run. Only the collectors named here take part: vendors' hardware has proofs of its own. `make golden` writes the
files anew; then read the diff.
"""

from __future__ import annotations

import difflib
import re
import sys
from pathlib import Path

import pytest

from hwinfod.engine import Declared, discover
from tests.fixtures.host import Host
from tests.support.daemon import Daemon
from tests.support.exposition import lint, parse
from tests.support.processes import run

HOST_COLLECTORS = (
    "clock", "cpu", "cpu_throttle", "cpufreq", "daemon", "disks", "edac", "filesystems", "load", "memory",
    "network", "numa", "oom", "paging", "pcie", "presence", "pressure", "rapl", "sensors", "system",
)  # fmt: skip
LEVELS = ("standard", "detailed")
GOLDEN = Path(__file__).parent / "golden"
MASK = "*"

# Of this machine: its clock, and the file system that the fixture lies on.
_MACHINES_OWN = "hw_clock_(?!steps|info).*|hw_filesystem_(limit|usage|available|utilization|inodes).*"
# Of this run: when, how long, how much.
_RUNS_OWN = (
    "process_.*|hwinfod_(build_info|ring_.*|series|events_total|http_.*)"
    "|hwinfod_collector_(duration_seconds|cpu_seconds_total|last_success_timestamp_seconds|overruns_total)"
)
_VALUE = re.compile(rf"^((?:{_MACHINES_OWN}|{_RUNS_OWN})(?:\{{.*\}})?) \S+$")
_VERSION = re.compile(r'^(hwinfod_build_info\{)version="[^"]*",python="[^"]*"')


def mask(line: str) -> str:
    """The line without what no two runs share."""
    if line.startswith("#"):
        return line
    return _VALUE.sub(rf"\1 {MASK}", _VERSION.sub(rf'\1version="{MASK}",python="{MASK}"', line))


def flags() -> list[str]:
    """The named collectors alone, each table once a second: what comes at its second sample is there soon, and is not
    withheld as stale before it was read."""
    flags = []
    for declared in map(Declared.of, discover()):
        if declared.kind.name in HOST_COLLECTORS:
            flags += [f"{interval.flag}=1s" for interval in declared.intervals.values()]
        else:
            flags.append(declared.switch.flags[1])
    return flags


@pytest.fixture(scope="module")
def bodies(tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    """The exposition of each level, by a daemon of which every table has had three samples, on a host whose devices
    somebody accepted as all that there should be."""
    host = Host(tmp_path_factory.mktemp("host"), seed=1)
    with Daemon.start(*flags(), host=host) as daemon:
        daemon.wait_samples(1)
        done = run(sys.executable, "-m", "hwinfod.ctl", f"--socket={daemon.socket}", "inventory", "accept")
        assert done.returncode == 0, done.stderr.decode()
        daemon.wait_until(lambda: daemon.scrape().series("hw_devices_expected") != {}, "the accepted inventory")
        daemon.wait_samples(3)
        return {level: daemon.get_tcp(f"/metrics?level={level}").body for level in LEVELS}


@pytest.mark.golden
@pytest.mark.parametrize("level", LEVELS)
def test_every_line_is_as_it_was(level: str, bodies: dict[str, bytes], update_golden: bool) -> None:
    path = GOLDEN / f"{level}.prom"
    lines = [f"{mask(line)}\n" for line in bodies[level].decode().splitlines()]
    if update_golden:
        path.write_text("".join(lines))
    kept = path.read_text().splitlines(keepends=True)
    difference = "".join(difflib.unified_diff(kept, lines, str(path), "the daemon", n=1))
    assert lines == kept, f"`make golden` renews it, if this is meant:\n{difference}"


@pytest.mark.tier("prometheus")
@pytest.mark.parametrize("level", LEVELS)
def test_promtool_has_no_complaint(level: str, bodies: dict[str, bytes]) -> None:
    assert lint(bodies[level]) == []


def test_it_parses_strictly_and_the_levels_nest(bodies: dict[str, bytes]) -> None:
    standard, detailed = (parse(bodies[level], "text/plain") for level in LEVELS)
    assert standard.samples.keys() < detailed.samples.keys()


def test_the_mask_hides_nothing_of_the_fixture() -> None:
    """A mask that grows would make the comparison say less and less."""
    kept = (GOLDEN / "detailed.prom").read_text().splitlines()
    masked = {line.partition("{")[0].partition(" ")[0] for line in kept if line.endswith(f" {MASK}")}
    assert {name for name in masked if name.startswith("hw_")} == {
        "hw_clock_estimated_error_seconds", "hw_clock_frequency_adjustment_ratio", "hw_clock_maximum_error_seconds",
        "hw_clock_offset_seconds", "hw_clock_synchronized", "hw_clock_tai_offset_seconds",
        "hw_filesystem_available_bytes", "hw_filesystem_inodes_limit", "hw_filesystem_inodes_usage",
        "hw_filesystem_inodes_utilization_ratio", "hw_filesystem_limit_bytes", "hw_filesystem_usage_bytes",
        "hw_filesystem_utilization_ratio",
    }  # fmt: skip
