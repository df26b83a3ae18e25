# SPDX-License-Identifier: MIT
"""Basic authentication against bcrypt hashes, off the event loop. Source: RFC 7617; exporter-toolkit, web/handler.go.

A hash costs 70 ms by design: it is computed on one thread, one at a time, and its result is kept. The key of what
is kept is a keyed digest of user, hash and password with their lengths, so that no two triples share one
(CVE-2022-46146) and no password stays in memory. Who is unknown is compared with a hash that nobody has, so that
the time does not tell which names exist.
"""

from __future__ import annotations

import asyncio
import base64
import binascii
import hashlib
import os
import queue
import threading
from collections.abc import Awaitable, Mapping
from typing import NamedTuple

import bcrypt

from hwinfod.serve.http import problems
from hwinfod.serve.http.problems import Problem

_CHALLENGE = {"www-authenticate": 'Basic realm="hwinfod", charset="UTF-8"'}
# A well-formed hash; that any password gives its 31 last characters is as likely as guessing one.
_NOBODYS_SALT_AND_DIGEST = "QOauhQNbBCuQDKes6eFzPeMqBSjb7Mr5DUmpZ/VcEd00UAV/LDeSi"
_DEFAULT_COST = 10
# bcrypt looks at no more; crypt_blowfish.
_PASSWORD_BYTES = 72
_KEPT_SUCCESSES = 64
_KEPT_FAILURES = 256
_PENDING = 64


class _Job(NamedTuple):
    password: bytes
    hashed: bytes
    loop: asyncio.AbstractEventLoop
    done: asyncio.Future[bool]


class PasswordCheck:
    """Checks Authorization headers. Belongs to one event loop; `close` ends its thread."""

    def __init__(self) -> None:
        self._users: dict[bytes, bytes] = {}
        self._nobody = b""
        self._secret = os.urandom(32)
        # Apart, so that wrong passwords cannot push out right ones.
        self._successes: dict[bytes, None] = {}
        self._failures: dict[bytes, None] = {}
        self._pending: dict[bytes, asyncio.Future[bool]] = {}
        self._jobs: queue.SimpleQueue[_Job | None] = queue.SimpleQueue()
        self._thread: threading.Thread | None = None

    def set_users(self, users: Mapping[str, str]) -> None:
        """Names and hashes from now on. What is kept of others is worth nothing: their hash is in the key."""
        self._users = {name.encode(): hashed.encode() for name, hashed in users.items()}
        # As dear as the dearest of them, or the difference would tell.
        cost = max((int(hashed.split("$")[2]) for hashed in users.values()), default=_DEFAULT_COST)
        self._nobody = f"$2b${cost:02}${_NOBODYS_SALT_AND_DIGEST}".encode()

    def admit(self, authorization: str) -> Awaitable[None] | None:
        """None when the password is known to be right, an awaitable that may raise while that is computed.

        Raises Problem: authentication-required, or unavailable with too many unknown ones waiting.
        """
        user, password = _parse_basic(authorization)
        hashed = self._users.get(user)
        key = self._key(user, hashed or self._nobody, password)
        if key in self._successes:
            return None
        if key in self._failures:
            raise _refusal()
        return self._compute(key, hashed, password)

    def close(self) -> None:
        """End the thread after the hash it is at. It is a daemon thread: nobody waits for it."""
        self._jobs.put(None)
        self._thread = None

    async def _compute(self, key: bytes, hashed: bytes | None, password: bytes) -> None:
        pending = self._pending.get(key)
        if pending is None:
            if len(self._pending) >= _PENDING:
                raise Problem(problems.UNAVAILABLE, "too many logins at once")
            pending = self._pending[key] = self._start(hashed or self._nobody, password)
            pending.add_done_callback(lambda done: self._keep(key, done, hashed is not None, password))
        # Several requests may wait for one hash: one that leaves must not cancel it for the others.
        await asyncio.shield(pending)
        if key not in self._successes:
            raise _refusal()

    def _start(self, hashed: bytes, password: bytes) -> asyncio.Future[bool]:
        loop = asyncio.get_running_loop()
        done: asyncio.Future[bool] = loop.create_future()
        # Too long or with a NUL it cannot be right, and costs as much as any other to be found wrong.
        self._jobs.put(_Job(password.replace(b"\x00", b"")[:_PASSWORD_BYTES], hashed, loop, done))
        if self._thread is None:
            self._thread = threading.Thread(target=_work, args=(self._jobs,), name="bcrypt", daemon=True)
            self._thread.start()
        return done

    def _keep(self, key: bytes, done: asyncio.Future[bool], is_known: bool, password: bytes) -> None:
        del self._pending[key]
        possible = len(password) <= _PASSWORD_BYTES and b"\x00" not in password
        right = not done.cancelled() and done.result() and is_known and possible
        kept, limit = (self._successes, _KEPT_SUCCESSES) if right else (self._failures, _KEPT_FAILURES)
        while len(kept) >= limit:
            del kept[next(iter(kept))]
        kept[key] = None

    def _key(self, *parts: bytes) -> bytes:
        digest = hashlib.blake2b(key=self._secret, digest_size=32)
        for part in parts:
            digest.update(len(part).to_bytes(8, "big"))
            digest.update(part)
        return digest.digest()


def _work(jobs: queue.SimpleQueue[_Job | None]) -> None:
    """The thread: bcrypt lets go of the interpreter lock while it computes."""
    while (job := jobs.get()) is not None:
        try:
            right = bcrypt.checkpw(job.password, job.hashed)
        except ValueError:
            right = False  # a salt that is none: the hash is nobody's
        try:
            job.loop.call_soon_threadsafe(_resolve, job.done, right)
        except RuntimeError:
            return  # the loop is closed: nobody asks any more


def _resolve(done: asyncio.Future[bool], right: bool) -> None:
    if not done.done():
        done.set_result(right)


def _parse_basic(authorization: str) -> tuple[bytes, bytes]:
    """User and password; the user ends at the first colon (RFC 7617 section 2). Raises Problem."""
    scheme, _, encoded = authorization.partition(" ")
    try:
        decoded = base64.b64decode(encoded.strip(), validate=True)
    except (binascii.Error, ValueError):
        raise _refusal() from None
    user, colon, password = decoded.partition(b":")
    if scheme.lower() != "basic" or not colon:
        raise _refusal()
    return user, password


def _refusal() -> Problem:
    return Problem(problems.AUTHENTICATION_REQUIRED, headers=_CHALLENGE)
