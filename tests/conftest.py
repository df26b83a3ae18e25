# SPDX-License-Identifier: MIT
"""What holds for every test: tiers, the network guard, how long hypothesis looks."""

from __future__ import annotations

import os
import resource
import signal
from collections import Counter
from collections.abc import Generator, Iterator

import hypothesis
import pytest
from xdist.remote import Producer
from xdist.scheduler import LoadScopeScheduling

from tests.support import network, tiers

CI = os.environ.get("CI") == "true"
EXCUSED = pytest.StashKey[bool]()

# Deadlines are wall-clock assertions in disguise: off. In CI the examples are the same each time, so that a red
# build is about the change; `make fuzz` is the long run.
hypothesis.settings.register_profile("default", deadline=None, print_blob=True, derandomize=CI)
hypothesis.settings.register_profile(
    "fuzz",
    parent=hypothesis.settings.get_profile("default"),
    derandomize=False,
    max_examples=int(os.environ.get("FUZZ_EXAMPLES", "100000")),
    suppress_health_check=list(hypothesis.HealthCheck),
)
hypothesis.settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "default"))

# A shell starts what runs in the background with SIGINT ignored, and what a test starts would inherit that.
signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--update-golden", action="store_true", help="write kept outputs anew instead of comparing")


def pytest_make_parametrize_id(val: object, argname: str) -> str | None:
    """A long value is called by its argument's name, so that a test has the same legible name in every run."""
    return argname if isinstance(val, (str, bytes)) and len(val) > 60 else None


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    known = set(tiers.names())
    for item in items:
        unknown = _tiers_of(item) - known
        if unknown:
            raise pytest.UsageError(f"{item.nodeid}: no such tier: {', '.join(unknown)} (there are {sorted(known)})")
    items.sort(key=lambda item: _boots_guests(item.nodeid), reverse=True)


class _Scheduling(LoadScopeScheduling):
    """Several workers: the tests of a file, which share its fixtures, run on one, and so do all that boot guests, each
    of which takes what a machine has. These begin at once (--no-loadscope-reorder)."""

    def _split_scope(self, nodeid: str) -> str:
        return "guests" if _boots_guests(nodeid) else nodeid.partition("::")[0]


def _boots_guests(nodeid: str) -> bool:
    return nodeid.startswith(("tests/packaging/", "tests/vm/"))


def pytest_xdist_make_scheduler(config: pytest.Config, log: Producer) -> LoadScopeScheduling:
    return _Scheduling(config, log)


def pytest_runtest_setup(item: pytest.Item) -> None:
    for tier in sorted(_tiers_of(item)):
        lack = tiers.lack(tier)
        if lack:
            item.stash[EXCUSED] = not lack.required
            pytest.skip(f"tier {tier} (needs {lack.needs})")


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    report = yield
    if not hasattr(report, "wasxfail") and not item.stash.get(EXCUSED, False):
        _fail_in_ci(report)
    return report


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report() -> Generator[None, pytest.CollectReport, pytest.CollectReport]:
    report = yield
    _fail_in_ci(report)
    return report


def _fail_in_ci(report: pytest.TestReport | pytest.CollectReport) -> None:
    """Whatever a test skips for: what did not run has not passed."""
    if CI and report.skipped:
        report.longrepr = f"not run, and CI=true: {_reason(report)}"
        report.outcome = "failed"


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    skipped = Counter(_reason(report) for report in terminalreporter.stats.get("skipped", []))
    if skipped:
        terminalreporter.section("not run")
        for reason, count in sorted(skipped.items()):
            terminalreporter.line(f"{reason}: {count} tests")


def _reason(report: pytest.TestReport | pytest.CollectReport) -> str:
    """Why a test was skipped: the third of (path, line, reason)."""
    assert isinstance(report.longrepr, tuple)
    return report.longrepr[2].removeprefix("Skipped: ")


def _tiers_of(item: pytest.Item) -> set[str]:
    return {name for mark in item.iter_markers("tier") for name in mark.args}


@pytest.fixture
def update_golden(request: pytest.FixtureRequest) -> bool:
    """Whether kept outputs are to be written anew (`make golden`)."""
    return bool(request.config.getoption("--update-golden"))


@pytest.fixture(autouse=True, scope="session")
def _have_descriptors() -> None:
    """A login shell's soft limit is 1,024, and we may raise it."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if 0 <= soft < tiers.DESCRIPTORS and tiers.lack("descriptors") is None:
        resource.setrlimit(resource.RLIMIT_NOFILE, (tiers.DESCRIPTORS, hard))


@pytest.fixture(autouse=True, scope="session")
def _stay_on_this_machine() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        network.install(patch)
        yield
