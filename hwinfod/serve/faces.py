# SPDX-License-Identifier: MIT
"""All faces of the daemon: the Unix socket, the TCP listeners, the textfile; opened, reloaded and closed together."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from hwinfod.serve import api
from hwinfod.serve.activation import take_activated_sockets
from hwinfod.serve.api.context import ApiContext
from hwinfod.serve.http import HttpServer, Router, local_policy, web_policy
from hwinfod.serve.metrics import MetricsFace
from hwinfod.serve.tcp_sockets import open_tcp_sockets
from hwinfod.serve.textfile_thread import TextfileThread
from hwinfod.serve.unix_socket import UnixSocket, open_unix_socket
from hwinfod.settings.daemon import SOCKET, WEB_CONFIG_FILE, WEB_LISTEN_ADDRESS

if TYPE_CHECKING:
    import socket
    from collections.abc import Sequence

    from hwinfod.core.check import Check
    from hwinfod.core.host import Host
    from hwinfod.serve.http.access import WebAccess
    from hwinfod.serve.http.messages import Request, Response
    from hwinfod.serve.web.access import WebConfigFile
    from hwinfod.settings import Settings
    from hwinfod.wire.status import Faces as WireFaces

_TEXTFILE_SECONDS = 0.5
# Everyone may connect: who asks decides what is seen (`viewer`).
_SOCKET_MODE = 0o666


class Faces:
    """What the host is seen through. Everything but `open` and `close` is cheap and never waits."""

    def __init__(self, host: Host, checks: Sequence[Check], settings: Settings) -> None:
        self._host = host
        self._settings = settings
        self._api = ApiContext(host, checks, settings, self.describe, os.geteuid())
        self._metrics = MetricsFace(host, lambda: self._settings)
        self._textfile = TextfileThread(host, settings)
        self._servers: list[HttpServer] = []
        self._socket: UnixSocket | None = None
        self._socket_path = settings[SOCKET]
        self._tcp: list[socket.socket] = []
        self._access: WebConfigFile | None = None

    async def open(self) -> None:
        """Opens every listener. Raises UserError where one cannot be had; `close` then closes the others."""
        activated = take_activated_sockets()
        listeners = activated.api
        if not listeners:
            self._socket = open_unix_socket(self._settings[SOCKET], mode=_SOCKET_MODE)
            listeners = [self._socket.listener]
        else:
            self._socket_path = str(listeners[0].getsockname())
        self._serve(HttpServer(self._api_router(), local_policy), listeners)
        self._tcp = list(activated.metrics)
        for address in self._settings[WEB_LISTEN_ADDRESS]:
            self._tcp += open_tcp_sockets(str(address))
        if self._tcp:
            self._serve(HttpServer(self._web_router(), web_policy, access=self._web_access()), self._tcp)
        self._textfile.apply(self._settings)

    def _serve(self, server: HttpServer, listeners: Sequence[socket.socket]) -> None:
        self._servers.append(server)
        server.start(listeners)

    def _api_router(self) -> Router:
        router = Router()
        api.add_routes(router, self._api)
        router.add("GET", "/metrics", self._local_metrics)
        return router

    def _local_metrics(self, request: Request) -> Response:
        """On the socket who asks decides what is seen, of metrics too. Raises Problem (forbidden)."""
        return self._metrics.metrics(request, owners=self._api.viewer(request).sees_all)

    def _web_router(self) -> Router:
        router = Router()
        self._metrics.add_routes(router)
        return router

    def _web_access(self) -> WebAccess | None:
        path = self._settings[WEB_CONFIG_FILE]
        if path is None:
            return None
        from hwinfod.serve.web.access import WebConfigFile  # brings ssl, bcrypt and a YAML parser

        self._access = WebConfigFile(path)
        return self._access

    def apply(self, settings: Settings) -> None:
        """Takes reloaded settings; listeners take a restart."""
        self._settings = settings
        self._api.settings = settings
        self._textfile.apply(settings)

    def tick(self) -> None:
        """At every tick of the daemon: the figures that the daemon shows of its faces."""
        self._host.own.http_connections = sum(server.connection_count for server in self._servers)
        self._host.own.http_requests = sum(server.request_count for server in self._servers)

    def metrics_urls(self) -> list[str]:
        """Where Prometheus finds /metrics."""
        encrypted = self._access is not None and self._access.tls_context() is not None
        scheme = "https" if encrypted else "http"
        urls = []
        for listener in self._tcp:
            host, port = listener.getsockname()[:2]
            host = {"0.0.0.0": "localhost", "::": "localhost"}.get(host, host)
            urls.append(f"{scheme}://{f'[{host}]' if ':' in host else host}:{port}/metrics")
        return urls

    def describe(self) -> WireFaces:
        """For /v1/status."""
        return {
            "socket": self._socket_path,
            "metrics_urls": self.metrics_urls(),
            "textfile": self._textfile.directory,
            "textfile_trouble": self._textfile.trouble,
        }

    async def close(self) -> None:
        """Closes every listener and connection at once; the socket's file first, for a successor's sake."""
        if self._socket is not None:
            self._socket.remove()
        for server in self._servers:
            await server.close()
        if self._access is not None:
            self._access.close()
        self._api.close()
        self._textfile.stop(_TEXTFILE_SECONDS)
