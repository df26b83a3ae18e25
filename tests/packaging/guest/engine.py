# SPDX-License-Identifier: MIT
"""Answers on a Unix socket of root as Docker's engine does that has no container: engine.py PATH

Once it was asked PATH.asked is there.
"""

from __future__ import annotations

import os
import socketserver
import sys
from http.server import BaseHTTPRequestHandler


class _Engine(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        with open(f"{sys.argv[1]}.asked", "w"):
            pass
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.end_headers()
        if self.path.startswith("/events"):
            self.rfile.read()  # nothing happens until the client goes
        else:
            self.wfile.write(b"[]")

    def log_message(self, *_: object) -> None:
        pass

    def address_string(self) -> str:
        return "socket"


os.umask(0o117)
with socketserver.ThreadingUnixStreamServer(sys.argv[1], _Engine) as server:
    server.serve_forever()
