# SPDX-License-Identifier: MIT
"""A stand-in for the kubelet at port 10250: real TLS with a CA of its own, tokens with permissions, recorded answers.

with contextlib.closing(Kubelet(directory)) as kubelet:
    kubelet.answers["/pods"] = pod_list([pod("train-0", uid)])
    Daemon.start(*kubelet.flags)
    kubelet.fault = "hang"

As Go's server it answers HTTP/1.0 with a body that ends with the connection, and refuses by 401 and 403.
"""

from __future__ import annotations

import contextlib
import datetime as dt
import json
import socket
import ssl
import threading
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any
from unittest import mock

import trustme

NAME = "node-1.example"
TOKEN = "eyJhbGciOi.of-hwinfod"
PERMISSIONS = {"/pods": "pods", "/stats/summary": "stats"}
LONG_AGO = dt.datetime(2001, 1, 1, tzinfo=dt.timezone.utc)


def authority(*, expired: bool = False) -> trustme.CA:
    """A cluster's CA."""
    with mock.patch("trustme.DEFAULT_EXPIRY", LONG_AGO) if expired else contextlib.nullcontext():
        return trustme.CA()


class Kubelet:
    """`answers` are bodies by path, `allowed` the subresources of nodes that the token may get, `fault` what is wrong:
    500, hang, drip, garbage, huge, short, plain. `asked` are the requests that came through TLS."""

    def __init__(self, directory: Path, ca: trustme.CA | None = None, *, expired: bool = False) -> None:
        self.answers: dict[str, bytes] = {}
        self.allowed = {"pods", "stats"}
        self.fault = ""
        self.asked: list[bytes] = []
        self.ca_file, self.token_file = directory / "ca.crt", directory / "token"
        self.token_file.write_text(f"{TOKEN}\n")
        ca = ca or authority()
        ca.cert_pem.write_to_path(self.ca_file)
        self._context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        not_after = LONG_AGO if expired else None
        ca.issue_cert(NAME, not_after=not_after).configure_cert(self._context)
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self._over = threading.Event()
        threading.Thread(target=self._serve, daemon=True).start()

    @property
    def flags(self) -> list[str]:
        """The daemon's."""
        address = f"127.0.0.1:{self.port}"
        values = {"token-file": self.token_file, "ca-file": self.ca_file, "server-name": NAME, "address": address}
        return [f"--collector.kubelet.{name}={value}" for name, value in values.items()]

    def close(self) -> None:
        self._over.set()
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()

    def _serve(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            threading.Thread(target=self._talk, args=(connection,), daemon=True).start()

    def _talk(self, connection: socket.socket) -> None:
        with connection, contextlib.suppress(OSError):
            if self.fault == "plain":
                connection.recv(4096)
                connection.sendall(b"HTTP/1.0 400 Bad Request\r\n\r\nClient sent an HTTP request to an HTTPS server.\n")
                return
            with self._context.wrap_socket(connection, server_side=True) as secure:
                request = secure.recv(65536)
                if not request:  # who has waited too long on a busy machine leaves without one
                    return
                self.asked.append(request)
                self._answer(secure, request)

    def _answer(self, secure: ssl.SSLSocket, request: bytes) -> None:
        head, *fields = request.split(b"\r\n")
        path = head.split(b" ")[1].decode()
        if f"Authorization: Bearer {TOKEN}".encode() not in fields:
            secure.sendall(_reply(401, b"Unauthorized"))
        elif PERMISSIONS.get(path) not in self.allowed:
            secure.sendall(_reply(403, b"Forbidden (user=system:serviceaccount:monitoring:hwinfod, verb=get)"))
        elif self.fault == "hang":
            self._over.wait(60)
        elif self.fault == "drip":
            secure.sendall(b"HTTP/1.0 200 OK\r\n\r\n")
            while not self._over.wait(0.01):
                secure.sendall(b" ")
        elif self.fault == "huge":
            secure.sendall(b"HTTP/1.0 200 OK\r\n\r\n")
            while not self._over.is_set():
                secure.sendall(b" " * 65536)
        else:
            faults = {"500": _reply(500, b"boom"), "garbage": b"\xff\x00garbage", "short": _reply(200, b"{}", 1000)}
            secure.sendall(faults.get(self.fault) or _reply(200, self.answers[path]))


def _reply(status: int, body: bytes, length: int | None = None) -> bytes:
    head = f"HTTP/1.0 {status} Words\r\nContent-Type: application/json\r\n"
    return f"{head}Content-Length: {len(body) if length is None else length}\r\n\r\n".encode() + body


def pod(
    name: str, uid: str, containers: Mapping[str, str] | None = None, *, namespace: str = "ml", phase: str = "Running",
    annotations: Mapping[str, str] | None = None,
) -> dict[str, Any]:  # fmt: skip
    """A pod of v1.PodList; `containers` are ids by name."""
    statuses = [
        {"name": container, "containerID": f"containerd://{identifier}", "image": "registry.example/cuda:12"}
        for container, identifier in (containers or {}).items()
    ]
    return {
        "metadata": {"name": name, "namespace": namespace, "uid": uid, "annotations": dict(annotations or {})},
        "spec": {"containers": [{"name": container} for container in containers or {}]},
        "status": {"phase": phase, "containerStatuses": [*statuses, {"name": "waiting", "state": {"waiting": {}}}]},
    }


def pod_list(pods: Iterable[Mapping[str, Any]]) -> bytes:
    return json.dumps({"kind": "PodList", "apiVersion": "v1", "metadata": {}, "items": list(pods)}).encode()


def summary(used: Mapping[tuple[str, str, str], int | None]) -> bytes:
    """Bytes by (uid, namespace, name); the node has 100 GB, of which a third is in use."""
    pods = [
        {"podRef": {"uid": uid, "namespace": namespace, "name": name}, "startTime": "2026-01-01T00:00:00Z",
         "ephemeral-storage": {} if size is None else {"usedBytes": size, "inodes": 1}}
        for (uid, namespace, name), size in used.items()
    ]  # fmt: skip
    storage = {"availableBytes": 66_000_000_000, "capacityBytes": 100_000_000_000, "usedBytes": 34_000_000_000}
    return json.dumps({"node": {"nodeName": NAME, "fs": storage}, "pods": pods}).encode()
