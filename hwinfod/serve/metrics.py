# SPDX-License-Identifier: MIT
"""What Prometheus asks for: /metrics, and beside it /, /healthz and /readyz."""

from __future__ import annotations

import html
from dataclasses import replace
from typing import TYPE_CHECKING

from hwinfod._version import VERSION
from hwinfod.core.metric import Level
from hwinfod.core.supervisor import busy_seconds
from hwinfod.errors import UserError
from hwinfod.serve.exposition import Renderer, Selection, choose_format
from hwinfod.serve.http.messages import Response
from hwinfod.serve.kept_replies import KeptReplies
from hwinfod.settings.daemon import EXPORT_LEVEL

if TYPE_CHECKING:
    from collections.abc import Callable

    from hwinfod.core.host import Host
    from hwinfod.serve.http.messages import Request
    from hwinfod.serve.http.router import Router
    from hwinfod.settings import Settings

_MOST_BODIES = 16
_MOST_BODY_BYTES = 32 << 20  # more than so many of the largest hosts have
_TEXT = "text/plain; charset=utf-8"
_PAGE = """<!doctype html>
<html lang="en">
<head><meta charset="utf-8"><title>hwinfod</title>
<style>body {{ font: 16px/1.5 sans-serif; max-width: 40em; margin: 3em auto; padding: 0 1em }}</style></head>
<body>
<h1>hwinfod</h1>
<p>The hardware of this host and who uses it. Version {version}.</p>
<ul>
<li><a href="/metrics">/metrics</a>: for Prometheus; also
<a href="/metrics?level=core">?level=core</a>, <a href="/metrics?level=detailed">?level=detailed</a>,
<code>?collect[]=NAME</code></li>
<li><a href="/healthz">/healthz</a>: the daemon is alive</li>
<li><a href="/readyz">/readyz</a>: there are fresh samples</li>
</ul>
<p>The JSON API is on the Unix socket of the host: <code>hwinfoctl status</code>.</p>
</body>
</html>
"""
_PAGE_POLICY = "default-src 'none'; style-src 'unsafe-inline'"


class MetricsFace:
    """The routes for scrapers. N scrapers of one sample cost one rendering and one compression."""

    def __init__(self, host: Host, settings: Callable[[], Settings]) -> None:
        self._host = host
        self._settings = settings
        self._renderer = Renderer(host)
        self._kept = KeptReplies(host.instance, _MOST_BODIES, _MOST_BODY_BYTES)

    def add_routes(self, router: Router) -> None:
        """What a TCP port answers."""
        router.add("GET", "/metrics", self.metrics)
        router.add("GET", "/", self.landing)
        router.add("GET", "/healthz", self.healthz)
        router.add("GET", "/readyz", self.readyz)

    def metrics(self, request: Request, *, owners: bool = True) -> Response:
        """The exposition in the format that Accept prefers, with series that name owners or without. Raises
        UserError for a parameter that means nothing."""
        selection = replace(self._selection(request), owners=owners)
        key = (choose_format(request.headers.get("accept", "")), selection)
        return self._kept.reply(
            key, self._renderer.version(), lambda: self._renderer.render(*key), content_type=key[0].value
        )

    def _selection(self, request: Request) -> Selection:
        if not request.query:
            return Selection(Level.parse(self._settings()[EXPORT_LEVEL]))
        if set(request.query) - {"level", "collect[]"}:
            raise UserError("unknown parameter", hint="known here: level, collect[]")
        names = request.query.get("collect[]", [])
        if set(names) - set(self._host.runners):
            raise UserError("unknown collector in collect[]", hint=f"known: {', '.join(self._host.runners)}")
        level = request.query.get("level", [self._settings()[EXPORT_LEVEL]])[-1]
        try:
            return Selection(Level.parse(level), frozenset(names) if names else None)
        except ValueError as error:
            raise UserError(f"parameter level: {error}") from None

    def landing(self, _request: Request) -> Response:
        page = _PAGE.format(version=html.escape(VERSION)).encode()
        return Response(
            200, page, content_type="text/html; charset=utf-8", headers={"content-security-policy": _PAGE_POLICY}
        )

    def healthz(self, _request: Request) -> Response:
        """The loop turns: that this is answered says so."""
        return Response(200, b"ok\n", content_type=_TEXT)

    def readyz(self, _request: Request) -> Response:
        """503 only when nothing fresh is left: a node whose one driver hangs must stay visible."""
        host = self._host
        fresh = {table.collector for table in host.fresh_tables()} - {"daemon"}
        now = host.clock.monotonic()
        lines = ["ready" if fresh else "not ready: no fresh samples"]
        for runner in host.runners.values():
            health = runner.health
            if health.stuck:
                lines.append(f"{health.name}: hangs in {health.step} for {busy_seconds(runner, now):.0f} s")
            elif health.reason and health.state.value == "failing":
                lines.append(f"{health.name}: failing")
        return Response(200 if fresh else 503, ("\n".join(lines) + "\n").encode(), content_type=_TEXT)
