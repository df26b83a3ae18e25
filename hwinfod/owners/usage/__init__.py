# SPDX-License-Identifier: MIT
"""What owners use of the host: processor, memory, io, network, by the kernel's own accounting of their cgroups."""
