# SPDX-License-Identifier: MIT
"""How directories below /sys/fs/cgroup are named, and by whom. Each rule is a function of the segments of a
path and a position, and returns the `Owner` that this one directory announces, or None."""
