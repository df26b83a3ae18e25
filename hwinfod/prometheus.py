# SPDX-License-Identifier: MIT
"""The host's hardware in another Python program's own registry.

    from prometheus_client import REGISTRY
    from hwinfod.prometheus import Collector

    REGISTRY.register(Collector())                      # reads the daemon's socket at every scrape
    REGISTRY.register(Collector("/run/other.sock"))
    REGISTRY.register(Collector(host))                  # a Host that samples in this very process

The families are those of /metrics, taken through the same text, so that both show the same samples; without
`process_*`, which the program has of itself.
"""

from __future__ import annotations

import http.client
import socket
from typing import TYPE_CHECKING

from prometheus_client.parser import text_string_to_metric_families

from hwinfod.core.metric import Level
from hwinfod.errors import HwinfodError
from hwinfod.serve.exposition import Renderer, Selection, is_of_process
from hwinfod.serve.exposition_lines import Format

if TYPE_CHECKING:
    from collections.abc import Iterable

    from prometheus_client import Metric

    from hwinfod.core.host import Host

DEFAULT_SOCKET = "/run/hwinfod/hwinfod.sock"
_TIMEOUT_SECONDS = 5.0


class Collector:
    """A custom collector for prometheus_client. Where the daemon does not answer it gives no families: a scrape
    of the program must not fail because the host's daemon restarts."""

    def __init__(self, source: str | Host = DEFAULT_SOCKET, *, level: Level = Level.STANDARD) -> None:
        self._source = source
        self._selection = Selection(level)
        self._renderer = None if isinstance(source, str) else Renderer(source)

    def describe(self) -> Iterable[Metric]:
        """Nothing is known before the first scrape: the registry must not scrape at registration."""
        return []

    def collect(self) -> Iterable[Metric]:
        try:
            text = self._text()
        except (OSError, http.client.HTTPException, HwinfodError):
            return []
        return [family for family in text_string_to_metric_families(text) if not is_of_process(family.name)]

    def _text(self) -> str:
        if self._renderer is not None:
            return self._renderer.render(Format.TEXT, self._selection).decode()
        connection = _UnixConnection(str(self._source))
        try:
            connection.request("GET", f"/metrics?level={self._selection.level.name.lower()}")
            response = connection.getresponse()
            body = response.read()
        finally:
            connection.close()
        if response.status != 200:
            raise HwinfodError(f"{self._source} answered {response.status}")
        return body.decode()


class _UnixConnection(http.client.HTTPConnection):
    """HTTP over a Unix socket."""

    def __init__(self, path: str) -> None:
        super().__init__("hwinfod", timeout=_TIMEOUT_SECONDS)
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self._path)
