# SPDX-License-Identifier: MIT
"""`make bench`: all measurements, or those of `BENCHES` that are named on the command line."""

from __future__ import annotations

import sys
from importlib import import_module

from bench.report import Line, print_table

BENCHES = (
    *("start", "http", "scrape", "sampling", "history", "ring"),
    *("rdma", "nvidia", "amd", "owners", "runtimes", "guest"),
)


def main() -> int:
    wanted = sys.argv[1:] or list(BENCHES)
    unknown = set(wanted) - set(BENCHES)
    if unknown:
        print(f"no such measurement: {', '.join(sorted(unknown))}; there are {', '.join(BENCHES)}", file=sys.stderr)
        return 2
    lines: list[Line] = []
    for name in wanted:
        print(f"{name} ...", file=sys.stderr, flush=True)
        lines += import_module(f"bench.{name}").measure()
    print_table(lines)
    return 1 if any(line.verdict == "OVER" for line in lines) else 0


if __name__ == "__main__":
    sys.exit(main())
