# SPDX-License-Identifier: MIT
"""What makes the documents and the machinery of the checkout; not installed."""
