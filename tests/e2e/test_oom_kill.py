# SPDX-License-Identifier: MIT
"""The kernel really kills a process for want of memory: it is counted, and the event names it."""

from __future__ import annotations

import pytest

from hwinfod.collectors.oom import OomKills
from hwinfod.collectors.paging import Paging
from tests.support import memory_cgroup
from tests.support.bench import Bench


@pytest.mark.tier("memcg")
def test_a_kill_is_counted_and_names_its_victim() -> None:
    log, counter = Bench(OomKills), Bench(Paging)
    log.run()
    before = counter.run()["hw_memory_oom_kills_total"]
    with memory_cgroup.small() as group:
        pid = memory_cgroup.kill_one(group)
    assert counter.run()["hw_memory_oom_kills_total"] >= before + 1
    assert log.run()["hw_memory_oom_kills_logged_total{limit=cgroup}"] >= 1
    (event,) = [event for event in log.events() if event.attributes["pid"] == str(pid)]
    assert event.attributes["limited_cgroup"] == event.attributes["cgroup"] == f"/{group.name}"
    assert event.attributes["uid"] == "0"
    assert 16 << 20 <= int(event.attributes["resident_bytes"]) <= 64 << 20
    assert event.text.startswith("a process was killed for want of memory in a cgroup, it held 0.0")
    log.runner.close()
