# SPDX-License-Identifier: MIT
"""The web configuration file in force: read again when it, a certificate or a key changed. No restart, no signal.

A file that is wrong, half written or gone leaves the old one in force whole, and so does one that would open what
was closed: taking TLS or the passwords away needs a restart.
"""

from __future__ import annotations

import logging
import os
import time
from collections.abc import Awaitable, Callable, Mapping
from typing import TYPE_CHECKING, Any

from hwinfod.errors import HwinfodError, UserError
from hwinfod.serve.http.messages import Request
from hwinfod.serve.web.config import WebConfig, parse_web_config
from hwinfod.serve.web.rate import TokenBucket
from hwinfod.sources.files import read_regular

if TYPE_CHECKING:
    import ssl

    from hwinfod.serve.web.passwords import PasswordCheck

_LOG = logging.getLogger(__name__)
_CHECK_SECONDS = 1.0
_FILE_BYTES = 1 << 20
# Of each file: what a rename, a symlink switched or an edit changes.
_Signature = tuple[int, int, int, int] | None


class WebConfigFile:
    """A `WebAccess` (serve/http/access.py) from a file. Raises UserError where the file cannot be used at the start."""

    def __init__(self, path: str, clock: Callable[[], float] = time.monotonic) -> None:
        self.path = os.path.abspath(path)
        self._clock = clock
        self._passwords: PasswordCheck | None = None
        self._bucket: TokenBucket | None = None
        self._context: ssl.SSLContext | None = None
        self._config = WebConfig()
        self._watched: tuple[str, ...] = (self.path,)
        self._signatures = self._take_signatures()
        self._checked_at = clock()
        self._take_over(*self._load())

    # What listeners ask

    def tls_context(self) -> ssl.SSLContext | None:
        self._refresh()
        return self._context

    def accepts_certificate(self, certificate: Mapping[str, Any] | None) -> bool:
        tls = self._config.tls
        if tls is None:
            return True
        from hwinfod.serve.web.tls import is_allowed

        return is_allowed(certificate, tls.client_allowed_sans)

    def common_headers(self) -> Mapping[str, str]:
        self._refresh()
        return self._config.headers

    def admit(self, request: Request) -> Awaitable[None] | None:
        self._refresh()
        if self._bucket is not None:
            self._bucket.take()
        if self._passwords is None:
            return None
        return self._passwords.admit(request.headers.get("authorization", ""))

    def close(self) -> None:
        """End the thread that computes hashes."""
        if self._passwords is not None:
            self._passwords.close()

    # The file

    def _refresh(self) -> None:
        now = self._clock()
        if now - self._checked_at < _CHECK_SECONDS:
            return
        self._checked_at = now
        signatures = self._take_signatures()
        if signatures == self._signatures:
            return
        self._signatures = signatures
        try:
            config, context = self._load()
            self._check_still_closed(config)
        except HwinfodError as error:
            _LOG.error("web config file not taken over, the old one stays in force: %s", error)
            return
        self._take_over(config, context)
        _LOG.info("web config file taken over: %s", self.path)

    def _load(self) -> tuple[WebConfig, ssl.SSLContext | None]:
        """Raises UserError naming the file."""
        try:
            config = parse_web_config(read_regular(self.path, _FILE_BYTES), os.path.dirname(self.path))
            context = None
            if config.tls is not None:
                from hwinfod.serve.web.tls import make_context

                self._watch(config.tls.cert_file, config.tls.key_file, config.tls.client_ca_file)
                context = make_context(config.tls)
        except UserError as error:
            raise UserError(f"{self.path}: {error}", hint=error.hint) from None
        except HwinfodError as error:
            raise UserError(str(error), hint="name a file that the daemon may read with --web.config.file") from None
        return config, context

    def _check_still_closed(self, config: WebConfig) -> None:
        old = self._config
        if (config.tls is None) != (old.tls is None):
            raise UserError(f"{self.path}: TLS is turned on or off by a restart only")
        if old.users and not config.users:
            raise UserError(f"{self.path}: the last user is removed by a restart only")

    def _take_over(self, config: WebConfig, context: ssl.SSLContext | None) -> None:
        if config.users and self._passwords is None:
            from hwinfod.serve.web.passwords import PasswordCheck

            self._passwords = PasswordCheck()
        if self._passwords is not None:
            self._passwords.set_users(config.users)
        if config.rate_limit is None:
            self._bucket = None
        elif self._bucket is None or self._bucket.limit != config.rate_limit:
            self._bucket = TokenBucket(config.rate_limit, self._clock)
        self._config = config
        self._context = context

    def _watch(self, *certificates: str) -> None:
        """The files to look at from now on. Said before they are read: what changes meanwhile is seen as a change,
        and one that is missing is tried again when it is there."""
        self._watched = (self.path, *certificates)
        self._signatures = self._signatures[:1] + self._take_signatures()[1:]

    def _take_signatures(self) -> tuple[_Signature, ...]:
        return tuple(_signature_of(path) for path in self._watched)


def _signature_of(path: str) -> _Signature:
    try:
        status = os.stat(path)
    except OSError:
        return None
    return status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns
