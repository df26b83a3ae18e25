# SPDX-License-Identifier: MIT
"""What it costs, measured: ratios of paired runs on the same host, medians, against the targets of the design.
Machines differ and are noisy; a ratio to a well-known program in the same minute carries over."""
