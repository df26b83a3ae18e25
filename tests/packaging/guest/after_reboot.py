# SPDX-License-Identifier: MIT
"""The machine comes up, and the service with it."""

from __future__ import annotations

import journal
from before_reboot import boot_id, remembered
from in_guest import wait_for
from system import collectors, expect, is_active, note, scrape, seconds_to_ready, state_directory, wait_active


def check_it_comes_back_by_itself(_: object) -> None:
    assert boot_id() != remembered()["boot"]
    wait_active()
    expect(is_active("hwinfod.socket"), True)
    note("seconds from exec to READY in the boot, in emulation", round(seconds_to_ready(), 1))
    wait_for("a sample", lambda: "\nhw_load1 " in scrape())
    assert set(collectors().values()) <= {"ok", "absent"}


def check_its_state_is_untouched(_: object) -> None:
    expect({name: list(facts) for name, facts in state_directory().items()}, remembered()["state"])


def check_its_first_words_are_in_order(_: object) -> None:
    journal.check_each_line_has_its_priority(None)
    journal.check_there_is_no_traceback(None)
