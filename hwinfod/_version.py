# SPDX-License-Identifier: MIT
"""The version, in a file of its own: importlib.metadata would cost 30 ms at every start."""

VERSION = "0.1.0"
RELEASED = "2026-11-22"
