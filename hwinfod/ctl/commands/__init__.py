# SPDX-License-Identifier: MIT
"""One file a verb: `add_arguments(parser)` and `run(client, options, terminal) -> exit status`."""
