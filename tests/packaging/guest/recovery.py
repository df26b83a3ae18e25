# SPDX-License-Identifier: MIT
"""What the service comes back from: a freeze, a kill, the end of its memory, a thread that sleeps in the kernel."""

from __future__ import annotations

import contextlib
import os
import signal
from collections.abc import Iterator
from pathlib import Path

from hung_mount import HungMount
from in_guest import sh, wait_for
from system import (
    SERVICE,
    comes_back,
    ctl,
    drop_in,
    expect,
    forget_starts,
    main_pid,
    output,
    scrape,
    state_directory,
    wait_active,
)

_CGROUP = Path("/sys/fs/cgroup/system.slice", SERVICE)
_FROZEN, _HUNG = Path("/srv/frozen"), Path("/srv/hung")
_WRITES_THERE = f"""\
[Service]
ReadWritePaths={_FROZEN}
Environment=HWINFOD_TEXTFILE_DIRECTORY={_FROZEN}
"""


def check_frozen_it_is_killed_by_the_watchdog_and_comes_back(_: object) -> None:
    state = state_directory()
    with drop_in("[Service]\nWatchdogSec=10\n"):
        pid = main_pid()
        os.kill(pid, signal.SIGSTOP)
        comes_back(pid)
        assert "watchdog timeout" in output("journalctl", "--no-pager", "-u", SERVICE, "-n", "60").lower()
    expect(state_directory(), state)


def check_killed_it_comes_back(_: object) -> None:
    state, pid = state_directory(), main_pid()
    os.kill(pid, signal.SIGKILL)
    comes_back(pid)
    expect(state_directory(), state)


def check_out_of_memory_it_is_killed_and_comes_back(_: object) -> None:
    """By the kernel, at the limit of its unit, which is put below what it has; then it is as shipped again."""
    expect(((_CGROUP / "memory.max").read_text(), (_CGROUP / "pids.max").read_text()), (f"{256 << 20}\n", "64\n"))
    forget_starts()
    state, pid = state_directory(), main_pid()
    output("systemctl", "set-property", "--runtime", SERVICE, "MemoryMax=4M")
    wait_for("it is killed", lambda: main_pid() != pid)
    output("systemctl", "set-property", "--runtime", SERVICE, "MemoryMax=256M")
    comes_back(pid)
    assert "oom-kill" in output("journalctl", "--no-pager", "-u", SERVICE, "-n", "60")
    expect(state_directory(), state)


def check_stuck_in_a_frozen_file_system_it_is_replaced(_: object) -> None:
    """The thread that writes the textfile sleeps where no signal wakes it: fs/super.c, sb_wait_write()."""
    with _file_system(), drop_in(_WRITES_THERE):
        wait_for("the textfile", lambda: (_FROZEN / "hwinfod.prom").exists())
        with _frozen():
            old = _is_replaced("percpu_rwsem_wait")
        _is_rid_of(old)


def check_stuck_in_a_lane_it_is_replaced(_: object) -> None:
    """statvfs(2) asks a server that took the question and died over it: fs/fuse/dev.c, request_wait_answer()."""
    _HUNG.mkdir()
    with HungMount.over(_HUNG, hangs=lambda task: True) as hung:
        hung.wait_for_caller()
        wait_for("it is told", lambda: "does not answer" in str(ctl("status")["problems"]))
        old = _is_replaced("request_wait_answer")
    _is_rid_of(old)
    _HUNG.rmdir()


def _is_replaced(call: str) -> int:
    """The process that is left behind: a thread of it is in this call of the kernel's and cannot be ended, and the new
    one answers on the same sockets."""
    old = main_pid()
    wait_for("it is stuck", lambda: call in _calls(old))
    assert ctl("status")["collectors"]["ok"] > 0
    forget_starts()
    output("systemctl", "restart", SERVICE)
    assert main_pid() not in (0, old)
    _answers()
    assert call in _calls(old), "until now"
    return old


def _calls(pid: int) -> set[str]:
    """Where the threads of a process sleep."""
    return {path.read_text() for path in Path(f"/proc/{pid}/task").glob("*/wchan")}


def _is_rid_of(old: int) -> None:
    wait_for("the old one ends", lambda: not Path(f"/proc/{old}").exists())
    _answers()


def _answers() -> None:
    wait_active()
    wait_for("the API answers", lambda: ctl("status")["collectors"]["ok"] > 0)
    wait_for("a sample", lambda: "\nhw_load1 " in scrape())


@contextlib.contextmanager
def _file_system() -> Iterator[None]:
    """The host has made one on the disk (mke2fs(8) is in no minimal Debian 13)."""
    _FROZEN.mkdir()
    sh(f"udevadm settle && mount /dev/nvme0n1 {_FROZEN} && chown hwinfod: {_FROZEN}")
    try:
        yield
    finally:
        sh(f"umount {_FROZEN} && rmdir {_FROZEN}")


@contextlib.contextmanager
def _frozen() -> Iterator[None]:
    sh(f"fsfreeze --freeze {_FROZEN}")
    try:
        yield
    finally:
        sh(f"fsfreeze --unfreeze {_FROZEN}")
