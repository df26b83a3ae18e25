# SPDX-License-Identifier: MIT
"""HTTP/1.1 for a daemon: a small server that knows nothing of what it serves.

router = Router()
router.add("GET", "/healthz", lambda request: Response(200, b"{}"))
server = HttpServer(router, web_policy)
server.start(open_tcp_sockets("127.0.0.1:10049"))
"""

from __future__ import annotations

from hwinfod.serve.http.limits import Limits
from hwinfod.serve.http.messages import Peer, Request, Response
from hwinfod.serve.http.negotiation import etag_matches, parse_qualities
from hwinfod.serve.http.policy import Policy, local_policy, web_policy
from hwinfod.serve.http.problems import Kind, Problem
from hwinfod.serve.http.router import Handler, Route, Router
from hwinfod.serve.http.server import HttpServer

__all__ = [
    "Handler",
    "HttpServer",
    "Kind",
    "Limits",
    "Peer",
    "Policy",
    "Problem",
    "Request",
    "Response",
    "Route",
    "Router",
    "etag_matches",
    "local_policy",
    "parse_qualities",
    "web_policy",
]
