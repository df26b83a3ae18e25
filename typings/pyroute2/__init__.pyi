# SPDX-License-Identifier: MIT
# What hwinfod uses of pyroute2, which ships no types.
