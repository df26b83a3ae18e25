# SPDX-License-Identifier: MIT
"""Threads take their memory from one arena, where there would be one for each."""

from __future__ import annotations

import re
import sys

import pytest

from tests.support.processes import run

# glibc tells of its arenas by malloc_info(3), in XML.
_PROGRAM = """
import ctypes, sys, threading
from hwinfod.allocator import use_one_arena
if sys.argv[1] == "one":
    assert use_one_arena()
libc = ctypes.CDLL(None)
libc.malloc.restype = ctypes.c_void_p
together = threading.Barrier(3)
def allocate():
    together.wait()
    libc.malloc(100_000)
    together.wait()
threads = [threading.Thread(target=allocate) for _ in range(2)]
[thread.start() for thread in threads]
together.wait()
together.wait()
[thread.join() for thread in threads]
libc.malloc_info(0, ctypes.c_void_p.in_dll(libc, "stdout"))
libc.fflush(None)
"""


@pytest.mark.parametrize("arenas", ["one", "many"])
def test_threads_share_an_arena(arenas: str) -> None:
    done = run(sys.executable, "-c", _PROGRAM, arenas)
    assert done.returncode == 0, done.stderr.decode()
    heaps = len(re.findall(rb"<heap nr=", done.stdout))
    assert (heaps == 1) == (arenas == "one"), done.stdout.decode()
