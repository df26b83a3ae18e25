# SPDX-License-Identifier: MIT
"""Who may speak to a listener at all, before any route is looked at: defence against browsers.

A web page in a browser on this host can make it send requests to a local server. It cannot forge Origin, Referer
or Host, so that a request which carries what only a browser sends is refused where none is expected.
"""

from __future__ import annotations

from collections.abc import Callable

from hwinfod.serve.http import problems
from hwinfod.serve.http.messages import Request
from hwinfod.serve.http.problems import Problem

# Raises Problem for a request that this listener does not serve.
Policy = Callable[[Request], None]

_TAKEN = "GET, HEAD"
LOCAL_HOSTS = frozenset({"", "hwinfod", "localhost"})


def local_policy(request: Request) -> None:
    """The Unix socket: programs of this host only, never a browser (also not by DNS rebinding)."""
    headers = request.headers
    host = headers.get("host", "").partition(":")[0].lower()
    if "origin" in headers or "referer" in headers or host not in LOCAL_HOSTS:
        raise Problem(problems.FORBIDDEN, "this socket does not answer browsers or foreign hosts")


def web_policy(request: Request) -> None:
    """The TCP port: read only, open to a browser's navigation but not to scripts of other sites."""
    if request.method not in ("GET", "HEAD"):
        raise Problem(problems.METHOD_NOT_ALLOWED, headers={"allow": _TAKEN}, hint=f"it takes {_TAKEN}")
    if "origin" in request.headers:
        raise Problem(problems.FORBIDDEN, "this port does not answer scripts of other sites")
