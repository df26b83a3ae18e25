# SPDX-License-Identifier: MIT
"""/v1/stream: every event and, four times a second, the latest row of each table that has a new one; one JSON record a
line, a snapshot first.

    {"type":"columns","table":"load","series":[{"metric":"hw_load1","labels":{}}, ...]}
    {"type":"row","table":"load","sequence":7,"time_seconds":1700000000.0,"values":[0.2, ...]}
    {"type":"event", ...}

`values` follow the order of the table's last `columns` record, which comes before the first row and again whenever
the columns change. A table whose row expires is told by {"type":"expired","table":...}.
"""

from __future__ import annotations

import asyncio
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING

from hwinfod.serve.api.context import allow_only, json_bytes, labels_of, number, one, wire_value
from hwinfod.serve.api.events import event_record
from hwinfod.serve.api.samples import may_see
from hwinfod.serve.http.messages import Request, Response

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

    from hwinfod.core.host import Host
    from hwinfod.core.series import Layout
    from hwinfod.core.table import Table
    from hwinfod.serve.api.context import ApiContext
    from hwinfod.serve.http.router import Router
    from hwinfod.serve.viewer import Viewer

_POLL_SECONDS = 0.25
_HEARTBEAT_SECONDS = 30.0


def add_routes(router: Router, api: ApiContext) -> None:
    def stream(request: Request) -> Response:
        allow_only(request, ("name", "collector", "since"))
        since = int(number(request, "since", api.host.events.version))
        follower = Follower(api.host, api.viewer(request), one(request, "name", "*"), one(request, "collector"), since)
        return Response(200, content_type="application/x-ndjson", stream=_records(follower))

    router.add("GET", "/v1/stream", stream)


async def _records(follower: Follower) -> AsyncIterator[bytes]:
    silent = 0.0
    while True:
        chunk = b"".join(follower.news())
        if not chunk and silent >= _HEARTBEAT_SECONDS:
            chunk = json_bytes({"type": "heartbeat"})
        if chunk:
            silent = 0.0
            yield chunk
        await asyncio.sleep(_POLL_SECONDS)
        silent += _POLL_SECONDS


class Follower:
    """What one client of the stream has been told; of events, those up to version `since`."""

    def __init__(self, host: Host, viewer: Viewer, pattern: str, collector: str, since: int) -> None:
        self._host = host
        self._viewer = viewer
        self._pattern = pattern
        self._collector = collector
        self._told: dict[str, tuple[Layout, int]] = {}
        self._columns: dict[str, list[int]] = {}
        self._events = min(since, host.events.version)  # it may be of an earlier daemon

    def news(self) -> Iterator[bytes]:
        """The records since the last call; at the first one, the latest row of every table."""
        fresh = {table.name: table for table in self._host.fresh_tables() if self._collector in ("", table.collector)}
        for name in [name for name in self._told if name not in fresh]:
            del self._told[name]
            yield json_bytes({"type": "expired", "table": name})
        for table in fresh.values():
            yield from self._row(table)
        for event in self._host.events.since(self._events):
            self._events = max(self._events, event.version)
            yield json_bytes({"type": "event", **event_record(event, self._viewer)})

    def _row(self, table: Table) -> Iterator[bytes]:
        row = table.latest
        if row is None:
            return
        layout, sequence = self._told.get(table.name, (None, 0))
        if sequence == row.sequence and layout is row.layout:
            return
        self._told[table.name] = (row.layout, row.sequence)
        if layout is not row.layout:
            columns = [
                (index, series)
                for index, series in enumerate(row.layout.columns)
                if series is not None
                and fnmatchcase(series.metric.name, self._pattern)
                and may_see(self._viewer, series.metric)
            ]
            self._columns[table.name] = [index for index, _ in columns]
            names = [{"metric": series.metric.name, "labels": labels_of(series)} for _, series in columns]
            if names:
                yield json_bytes({"type": "columns", "table": table.name, "series": names})
        if self._columns[table.name]:
            yield json_bytes(
                {
                    "type": "row",
                    "table": table.name,
                    "sequence": row.sequence,
                    "time_seconds": round((row.boottime_ns + self._host.clock.wall_offset_ns()) / 1e9, 3),
                    "values": [wire_value(row.values[index]) for index in self._columns[table.name]],
                }
            )
