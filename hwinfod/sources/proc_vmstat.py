# SPDX-License-Identifier: MIT
"""/proc/vmstat and a NUMA node's numastat: names and counts.

Source: mm/vmstat.c vmstat_text[], Documentation/admin-guide/numastat.rst.
"""

from __future__ import annotations

import os

from hwinfod.errors import ParseError

PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")


def parse_vmstat(data: bytes) -> dict[bytes, int]:
    """All counts by name, in the unit of each: mostly pages (`PAGE_BYTES`) or events; pgpgin and pgpgout are
    KiB. Raises ParseError.

    The names stay bytes: there are 180, and a reader looks up twenty.
    """
    words = data.split()
    try:
        return dict(zip(words[::2], map(int, words[1::2]), strict=True))
    except ValueError:
        raise ParseError(f"vmstat: not names and numbers: {data[:60]!r}") from None
