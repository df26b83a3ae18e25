# SPDX-License-Identifier: MIT
"""What tests/conftest.py uses of pytest-xdist, which ships no types."""
