# SPDX-License-Identifier: MIT
"""What every route of the API shares: the host, the viewer, and bodies kept until what they show changes."""

from __future__ import annotations

import json
import math
from functools import partial
from typing import TYPE_CHECKING

from hwinfod.errors import UserError
from hwinfod.serve.aside import Aside
from hwinfod.serve.command_lines import command_line_of, untold
from hwinfod.serve.http.messages import Request, Response
from hwinfod.serve.kept_replies import KeptReplies
from hwinfod.serve.viewer import Viewer, viewer_of
from hwinfod.settings.daemon import PRIVACY

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence

    from hwinfod.core.check import Check
    from hwinfod.core.codec import Value
    from hwinfod.core.host import Host
    from hwinfod.core.series import Series
    from hwinfod.serve.command_lines import CommandOf, ProcessKey
    from hwinfod.settings import Settings
    from hwinfod.wire import WireValue
    from hwinfod.wire.status import Faces

_MOST_BODIES = 64
_MOST_BODY_BYTES = 4 << 20
_EXACT = 2**53
COMMAND_LINES = "command_lines"


class ApiContext:
    """The host and the settings in force. `faces` tells where metrics can be had; the daemon runs as `own_uid`."""

    def __init__(
        self, host: Host, checks: Sequence[Check], settings: Settings, faces: Callable[[], Faces], own_uid: int = 0
    ) -> None:
        self.host = host
        self.checks = checks
        self.settings = settings
        self.faces = faces
        self._own_uid = own_uid
        self.aside = Aside(host.clock)
        self._kept = KeptReplies(host.instance, _MOST_BODIES, _MOST_BODY_BYTES)

    def viewer(self, request: Request) -> Viewer:
        """Who asks. Raises Problem (forbidden)."""
        return viewer_of(request.peer, self.settings[PRIVACY], self._own_uid)

    def reply(self, request: Request, viewer: Viewer, make: Callable[[], Mapping[str, object]]) -> Response:
        """The document as JSON. Made once for all viewers of one kind until a table, a device or an event changes."""
        key = (request.path, tuple((k, tuple(v)) for k, v in sorted(request.query.items())), viewer)
        return self._kept.reply(key, self._version(), lambda: json_bytes(make()))

    def reply_of_processes(
        self, request: Request, viewer: Viewer, make: Callable[[CommandOf], Mapping[str, object]]
    ) -> Response | Awaitable[Response]:
        """A document that shows processes: with their command lines where the request asks for them and the viewer may
        see them. `make` may be called twice. Raises UserError."""
        if flag(request, COMMAND_LINES) and viewer.sees_command_lines:
            return self._reply_with_command_lines(make)
        return self.reply(request, viewer, lambda: make(untold))

    async def _reply_with_command_lines(self, make: Callable[[CommandOf], Mapping[str, object]]) -> Response:
        """What is read is what the document shows, and is not kept."""
        shown: dict[ProcessKey, None] = {}

        def note(pid: int, start_time_ticks: int) -> str | None:
            shown[(pid, start_time_ticks)] = None
            return None

        make(note)
        body = json_bytes(make(await self._read_command_lines(shown)))
        return Response(200, body, compressible=True)

    async def command_lines(self, request: Request, viewer: Viewer, processes: Iterable[ProcessKey]) -> CommandOf:
        """Those of the processes, where the request asks for them and the viewer may see them. Raises UserError."""
        asked = flag(request, COMMAND_LINES) and viewer.sees_command_lines
        return await self._read_command_lines(processes) if asked else untold

    async def _read_command_lines(self, processes: Iterable[ProcessKey]) -> CommandOf:
        found = await self.aside.read(processes, partial(command_line_of, self.host.roots))
        return lambda pid, start_time_ticks: found.get((pid, start_time_ticks))

    def close(self) -> None:
        """Nothing more is asked."""
        self.aside.close()

    def _version(self) -> object:
        host = self.host
        fresh = tuple((table.name, table.latest.sequence) for table in host.fresh_tables() if table.latest)
        return (fresh, host.devices.version, host.events.version, id(self.settings))


def json_bytes(document: Mapping[str, object]) -> bytes:
    """Compact JSON with an end of line, so that curl leaves the prompt where it belongs."""
    return json.dumps(document, separators=(",", ":"), ensure_ascii=False, allow_nan=False).encode() + b"\n"


def wire_value(value: Value) -> WireValue:
    """A value as `wire` defines it."""
    if value is None:
        return None
    if isinstance(value, int):
        return value if -_EXACT <= value <= _EXACT else str(value)
    if math.isfinite(value):
        return value
    return "NaN" if math.isnan(value) else "Infinity" if value > 0 else "-Infinity"


def labels_of(series: Series) -> dict[str, str]:
    return dict(zip(series.metric.labels, series.labels))


def one(request: Request, name: str, default: str = "") -> str:
    """A query parameter that may be given once. Raises UserError."""
    values = request.query.get(name, [])
    if len(values) > 1:
        raise UserError(f"parameter {name} may be given once")
    return values[0] if values else default


def number(request: Request, name: str, default: float) -> float:
    """A finite number out of the query. Raises UserError."""
    text = one(request, name)
    if not text:
        return default
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not math.isfinite(value):
        raise UserError(f"parameter {name} must be a number", hint="times are seconds since 1970")
    return value


def flag(request: Request, name: str) -> bool:
    """A parameter that is true or false, and false where it is not given. Raises UserError."""
    text = one(request, name, "false")
    if text not in ("true", "false"):
        raise UserError(f"parameter {name} must be true or false")
    return text == "true"


def allow_only(request: Request, names: Iterable[str]) -> None:
    """A misspelt parameter must not be ignored. Raises UserError."""
    known = sorted(names)
    if set(request.query) - set(known):
        raise UserError("unknown parameter", hint=f"known here: {', '.join(known) or 'none'}")
