# SPDX-License-Identifier: MIT
"""The kubelet's own API at port 10250: GET over TLS, with the token of a service account.

A token with `nodes/proxy` may start commands in every pod; since Kubernetes 1.33 (KEP-2862) `nodes/pods` and
`nodes/stats` suffice for what is read here. The kubelet's certificate is verified before the token leaves: against the
cluster's CA where the kubelet has a certificate of it (serverTLSBootstrap), else against the one that it made itself,
/var/lib/kubelet/pki/kubelet.crt. Importing this module imports ssl, which takes 4 MiB.
"""

from __future__ import annotations

import os
import socket
import ssl
import time
from typing import NamedTuple

from hwinfod.errors import HwinfodError, ParseError, ReadError
from hwinfod.sources.files import clean_text, read_regular
from hwinfod.sources.http_reply import exchange, parse_reply

_TOKEN_LIMIT = 64 << 10
LIMIT = 64 << 20
_LONGEST_REASON = 200


class KubeletError(HwinfodError):
    """Why the kubelet gave no answer, and what to do about it, in one line."""


class Endpoint(NamedTuple):
    """Where the kubelet is, the name that its certificate must have, and the files to prove who is who."""

    host: str
    port: int
    server_name: str
    ca_file: str
    token_file: str

    @property
    def address(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


class Resource(NamedTuple):
    """A path of the API and the permission that it takes, as a role names it."""

    path: str
    permission: str


PODS = Resource("/pods", "nodes/pods")
SUMMARY = Resource("/stats/summary", "nodes/stats")


def get(endpoint: Endpoint, resource: Resource, timeout_seconds: float = 10.0) -> bytes:
    """The body of an answer 200. The files are read each time: a projected token is good for an hour. Raises
    KubeletError."""
    deadline = time.monotonic() + timeout_seconds
    token = _read_token(endpoint.token_file)
    context = _context(endpoint.ca_file)
    request = (
        f"GET {resource.path} HTTP/1.0\r\nHost: {endpoint.address}\r\nAuthorization: Bearer {token}\r\n"
        "Accept: application/json\r\n\r\n"
    )
    try:
        with (
            socket.create_connection((endpoint.host, endpoint.port), timeout_seconds) as plain,
            context.wrap_socket(plain, server_hostname=endpoint.server_name) as connection,
        ):
            reply = parse_reply(exchange(connection, request.encode("ascii"), deadline, LIMIT))
    except (OSError, ParseError) as error:
        raise KubeletError(f"the kubelet at {endpoint.address}: {_reason(error, endpoint, timeout_seconds)}") from None
    if reply.status != 200:
        raise KubeletError(_refusal(reply.status, reply.body, endpoint, resource))
    return reply.body


def _read_token(path: str) -> str:
    try:
        data = read_regular(path, _TOKEN_LIMIT).strip()
    except ReadError as error:
        raise KubeletError(f"the token: {error}") from None
    token = data.decode("ascii", "replace")
    if not token or not token.isascii() or not token.isprintable() or " " in token:
        raise KubeletError(f"the token: {path} has none in it")
    return token


def _context(ca_file: str) -> ssl.SSLContext:
    """Not of create_default_context(): from Python 3.13 that wants extensions which kubeadm's CA does not have."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    try:
        context.load_verify_locations(ca_file)
    except OSError as error:
        # of ssl too: its texts begin with where in OpenSSL it was
        text = "no certificate in it" if isinstance(error, ssl.SSLError) else os.strerror(error.errno or 0)
        raise KubeletError(f"cannot use the CA file {ca_file}: {text}") from None
    return context


def _reason(error: OSError | ParseError, endpoint: Endpoint, timeout_seconds: float) -> str:
    if isinstance(error, ssl.SSLCertVerificationError):
        return (
            f"its certificate is not accepted: {error.verify_message.rstrip('.')}; "
            f"look at the CA file {endpoint.ca_file} and the name {endpoint.server_name}"
        )
    if isinstance(error, ssl.SSLError):
        return f"no TLS: {clean_text((error.reason or str(error)).encode())}"
    if isinstance(error, TimeoutError):
        return f"no answer within {timeout_seconds:g} s"
    if isinstance(error, OSError):
        return error.strerror or str(error)
    return str(error)


def _refusal(status: int, body: bytes, endpoint: Endpoint, resource: Resource) -> str:
    if status == 401:
        return (
            f"the kubelet does not know the token in {endpoint.token_file} (401): is it of this cluster, and in date?"
        )
    if status == 403:
        return (
            f"the token may not get {resource.permission} (403): give its role the verb get on {resource.permission}, "
            "before Kubernetes 1.33 on nodes/proxy"
        )
    return f"the kubelet answers GET {resource.path} with {status}: {clean_text(body[:_LONGEST_REASON])}"
