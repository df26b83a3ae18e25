# SPDX-License-Identifier: MIT
"""hwinfoctl: a client of the daemon's socket. Runs where the daemon's libraries are not: `wire` and the standard
library are all it imports, so that it starts in well under 100 ms."""
