# SPDX-License-Identifier: MIT
"""Asks the kernel for its own memory and descriptors by the calls that reach those of others: forbidden_calls.py FILE

FILE gets their names with what became of each, {"kcmp": 0, "ptrace": 1}: 0, or the number of an error. To a process
that is not forbidden to call them nothing but a filter says no, for it asks of itself.
"""

from __future__ import annotations

import ctypes
import json
import mmap
import os
import sys
from pathlib import Path

_PTRACE_TRACEME, _MADV_COLD, _KCMP_VM = 0, 20, 1

_libc = ctypes.CDLL(None, use_errno=True)


class _Range(ctypes.Structure):
    """iovec(3type)."""

    _fields_ = (("base", ctypes.c_void_p), ("length", ctypes.c_size_t))


def _error(number: int, *arguments: object) -> int:
    """A number is as wide as a register: half of one on the stack would leave the rest to chance."""
    wide = [ctypes.c_long(argument) if isinstance(argument, int) else argument for argument in (number, *arguments)]
    return ctypes.get_errno() if _libc.syscall(*wide) < 0 else 0


def errors() -> dict[str, int]:
    """Numbers of the calls: arch/x86/entry/syscalls/syscall_64.tbl of the kernel."""
    me = os.getpid()
    page = mmap.mmap(-1, mmap.PAGESIZE)
    memory = ctypes.byref(_Range(ctypes.addressof(ctypes.c_char.from_buffer(page)), mmap.PAGESIZE))
    pidfd = os.pidfd_open(me)
    return {
        "process_vm_readv": _error(310, me, memory, 1, memory, 1, 0),
        "process_vm_writev": _error(311, me, memory, 1, memory, 1, 0),
        "kcmp": _error(312, me, me, _KCMP_VM, 0, 0),
        "pidfd_getfd": _error(438, pidfd, 0, 0),
        "process_madvise": _error(440, pidfd, memory, 1, _MADV_COLD, 0),
        "ptrace": _error(101, _PTRACE_TRACEME, 0, None, None),
    }


Path(sys.argv[1]).write_text(json.dumps(errors()))
