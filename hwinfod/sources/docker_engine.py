# SPDX-License-Identifier: MIT
"""GET /containers/json of a Docker Engine, and of Podman's service that speaks as one: the names of what runs.

Asked in HTTP/1.0, so that the answer ends where the connection does and needs no decoding. The socket is as good as
root: whoever may open it may start a privileged container. Source: Docker Engine API, "List containers".
"""

from __future__ import annotations

import socket
import time
from typing import NamedTuple

from hwinfod.errors import ParseError, from_os_error
from hwinfod.sources.json_document import array, mapping, parse_json, text, texts

SOCKETS = ("/run/docker.sock", "/run/podman/podman.sock")
_REQUEST = b"GET /containers/json HTTP/1.0\r\nHost: docker\r\n\r\n"
_LIMIT = 16 << 20


class EngineContainer(NamedTuple):
    """A running container. The last three are "" but for a pod's container that cri-dockerd started."""

    container_id: str
    name: str
    namespace: str
    pod: str
    pod_uid: str


def read_containers(path: str, timeout_seconds: float = 5.0) -> list[EngineContainer]:
    """Raises a `ReadError` (Gone: no socket; Denied; any other for one that nobody serves in time) or ParseError."""
    deadline = time.monotonic() + timeout_seconds
    data = bytearray()
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_CLOEXEC) as connection:
            connection.settimeout(timeout_seconds)
            connection.connect(path)
            connection.sendall(_REQUEST)
            while len(data) <= _LIMIT:
                connection.settimeout(max(0.001, deadline - time.monotonic()))
                part = connection.recv(65536)
                if not part:
                    return parse_response(bytes(data))
                data += part
    except OSError as error:
        raise from_os_error(error, path) from None
    raise ParseError(f"{path}: more than {_LIMIT} bytes")


def parse_response(data: bytes) -> list[EngineContainer]:
    """An answer with its head. Raises ParseError."""
    head, blank, body = data.partition(b"\r\n\r\n")
    if not blank or not head.startswith(b"HTTP/1.") or head[8:13] != b" 200 ":
        raise ParseError(f"docker: {head[:60]!r}")
    found = []
    for item in array(parse_json(body)):
        record = mapping(item)
        identifier, names, labels = text(record.get("Id")), texts(record.get("Names")), mapping(record, "Labels")
        if identifier and names:
            kubernetes = [text(labels.get(f"io.kubernetes.{key}")) for key in ("pod.namespace", "pod.name", "pod.uid")]
            name = text(labels.get("io.kubernetes.container.name")) if kubernetes[1] else names[0].lstrip("/")
            found.append(EngineContainer(identifier, name, *kubernetes))
    return found
