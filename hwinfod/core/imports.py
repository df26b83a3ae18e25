# SPDX-License-Identifier: MIT
"""ssl is 4 MiB that a daemon without TLS never uses; asyncio and grpclib take it along, and do without where its import
fails."""

from __future__ import annotations

import contextlib
import sys
import threading
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

_lock = threading.Lock()


@contextlib.contextmanager
def without_ssl() -> Iterator[None]:
    """What is imported here does without ssl, unless somebody has imported it before. A later `import ssl` works."""
    with _lock:
        if "ssl" in sys.modules:
            yield
            return
        sys.modules["ssl"] = None  # type: ignore[assignment]
        try:
            yield
        finally:
            del sys.modules["ssl"]


@contextlib.contextmanager
def with_ssl() -> Iterator[None]:
    """For what needs ssl and is imported on a lane: it waits while another lane's import does without."""
    with _lock:
        yield
