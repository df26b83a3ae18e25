# SPDX-License-Identifier: MIT
"""What holds for every test: tiers, the network guard, how long hypothesis looks."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterator

import hypothesis
import pytest

from tests.support import network, tiers

CI = os.environ.get("CI") == "true"
NOT_RUN = pytest.StashKey[Counter[str]]()

# Deadlines are wall-clock assertions in disguise: off. `make fuzz` is the long run.
hypothesis.settings.register_profile("default", deadline=None, print_blob=True)
hypothesis.settings.register_profile(
    "fuzz",
    parent=hypothesis.settings.get_profile("default"),
    max_examples=int(os.environ.get("FUZZ_EXAMPLES", "100000")),
    suppress_health_check=list(hypothesis.HealthCheck),
)
hypothesis.settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "default"))


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--update-golden", action="store_true", help="write kept outputs anew instead of comparing")


def pytest_configure(config: pytest.Config) -> None:
    config.stash[NOT_RUN] = Counter()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    known = set(tiers.names())
    for item in items:
        unknown = _tiers_of(item) - known
        if unknown:
            raise pytest.UsageError(f"{item.nodeid}: no such tier: {', '.join(unknown)} (there are {sorted(known)})")


def pytest_runtest_setup(item: pytest.Item) -> None:
    for tier in sorted(_tiers_of(item)):
        lack = tiers.lack(tier)
        if lack:
            item.config.stash[NOT_RUN][tier] += 1
            give_up = pytest.fail if CI and lack.required else pytest.skip
            give_up(f"tier {tier} not run: needs {lack.needs}")


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    if config.stash[NOT_RUN]:
        terminalreporter.section("tiers not run")
        for tier, count in sorted(config.stash[NOT_RUN].items()):
            lack = tiers.lack(tier)
            terminalreporter.line(f"{tier} (needs {lack.needs if lack else ''}): {count} tests")


def _tiers_of(item: pytest.Item) -> set[str]:
    return {name for mark in item.iter_markers("tier") for name in mark.args}


@pytest.fixture
def update_golden(request: pytest.FixtureRequest) -> bool:
    """Whether kept outputs are to be written anew (`make golden`)."""
    return bool(request.config.getoption("--update-golden"))


@pytest.fixture(autouse=True, scope="session")
def _stay_on_this_machine() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        network.install(patch)
        yield
