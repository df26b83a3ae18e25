# SPDX-License-Identifier: MIT
"""The C library's allocator: one arena for all threads.

glibc gives threads arenas of their own, so that they need not wait for each other; ours do that anyway, for Python's
lock. What one thread frees in its arena another one's blocks do not use, and an hour of history took 5 MiB more.
"""

from __future__ import annotations

import ctypes

_M_ARENA_MAX = -8  # malloc.h


def use_one_arena() -> bool:
    """To be called before there are threads: mallopt(3). False where the C library has no such option."""
    try:
        return bool(ctypes.CDLL(None).mallopt(_M_ARENA_MAX, 1))
    except (OSError, AttributeError):
        return False
