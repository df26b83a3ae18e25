# SPDX-License-Identifier: MIT
"""The JSON API on the Unix socket: `/v1/...`. One file a subject; each adds its routes to the router."""
