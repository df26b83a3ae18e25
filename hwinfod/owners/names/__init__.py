# SPDX-License-Identifier: MIT
"""What people call an owner. Each source of names is optional and has a lane of its own; what it learns is
handed to one `NameBook`, which remembers names after their owner is gone."""
