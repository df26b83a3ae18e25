# SPDX-License-Identifier: MIT
"""The alarm of the crew on a real loop, in a process of its own: pytest-timeout has the signal here."""

from __future__ import annotations

import subprocess
import sys

_PROGRAM = """
import asyncio, signal, threading
from hwinfod.alarm import Alarm
from hwinfod.core.clock import Clock
from hwinfod.core.crew import Crew
from hwinfod.core.lane import PROVEN_TURNS, Lane

def turn(lane):
    done = threading.Event()
    lane.submit(done.set)
    assert done.wait(60)

async def main():
    loop, alarm = asyncio.get_running_loop(), Alarm()
    crew = Crew(Clock(), alarm)
    alarm.open(loop, crew.relieve)
    lanes = [Lane(name, Clock(), 0.0, crew.take) for name in ("hanging", "other")]
    for lane in lanes:
        lane.start()
        for _ in range(PROVEN_TURNS + 1):
            turn(lane)
    release, went_on = threading.Event(), asyncio.Event()
    lanes[0].submit(lambda: release.wait(60))
    lanes[1].submit(lambda: loop.call_soon_threadsafe(went_on.set))
    await asyncio.wait_for(went_on.wait(), 60)
    print("the other goes on, released:", release.is_set())
    release.set()
    for lane in lanes:
        lane.stop()
    crew.end(Clock().monotonic() + 60)
    print([lane.join(60) for lane in lanes])
    alarm.close(loop)
    alarm.set(0.001)

asyncio.run(main())
signal.sigtimedwait([signal.SIGUSR1], 0.1)
print("alive")
"""


def test_a_lane_that_hangs_on_the_shared_thread_is_left_with_it() -> None:
    """With nothing but the timer to tell of it; and an alarm that comes after the end harms nobody."""
    done = subprocess.run([sys.executable, "-c", _PROGRAM], capture_output=True, text=True, timeout=200, check=False)
    assert (done.stdout, done.stderr, done.returncode) == (
        "the other goes on, released: False\n[True, True]\nalive\n", "", 0,
    )  # fmt: skip
