# SPDX-License-Identifier: MIT
"""The grammar of the web configuration file. Source: exporter-toolkit, docs/web-configuration.md.

What differs from exporter-toolkit, each because Python's ssl or a daemon of this kind cannot do otherwise:

* http_server_config.http2 is accepted and has no effect: HTTP/1.1 is spoken.
* client_auth_type RequestClientCert is NoClientCert (the certificate would not be looked at); RequireAnyClientCert
  is refused (ssl cannot require what it does not verify); the two that verify want a client_ca_file.
* min_version below TLS12 is refused. curve_preferences takes one curve. Certificates are files, not inline.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from hwinfod.errors import UserError
from hwinfod.serve.web.section import Section

# IANA names as Go writes them, to OpenSSL's. The suites of TLS 1.3 cannot be chosen, here as in Go.
CIPHERS = {
    "TLS_AES_128_GCM_SHA256": "",
    "TLS_AES_256_GCM_SHA384": "",
    "TLS_CHACHA20_POLY1305_SHA256": "",
    "TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA": "ECDHE-ECDSA-AES128-SHA",
    "TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256": "ECDHE-ECDSA-AES128-GCM-SHA256",
    "TLS_ECDHE_ECDSA_WITH_AES_256_CBC_SHA": "ECDHE-ECDSA-AES256-SHA",
    "TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384": "ECDHE-ECDSA-AES256-GCM-SHA384",
    "TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256": "ECDHE-ECDSA-CHACHA20-POLY1305",
    "TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA": "ECDHE-RSA-AES128-SHA",
    "TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256": "ECDHE-RSA-AES128-GCM-SHA256",
    "TLS_ECDHE_RSA_WITH_AES_256_CBC_SHA": "ECDHE-RSA-AES256-SHA",
    "TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384": "ECDHE-RSA-AES256-GCM-SHA384",
    "TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256": "ECDHE-RSA-CHACHA20-POLY1305",
}
CURVES = {"CurveP256": "prime256v1", "CurveP384": "secp384r1", "CurveP521": "secp521r1", "X25519": "X25519"}
VERSIONS = ("TLS12", "TLS13")
# Client authentication, and whether a certificate is asked for, and whether there must be one.
VERIFYING = {"VerifyClientCertIfGiven": False, "RequireAndVerifyClientCert": True}
_NOT_VERIFYING = ("NoClientCert", "RequestClientCert")
# handler.go: the headers that may be set, and their values where these are an enumeration.
_HEADERS: dict[str, tuple[str, ...]] = {
    "Strict-Transport-Security": (),
    "X-Content-Type-Options": ("nosniff",),
    "X-Frame-Options": ("deny", "sameorigin"),
    "X-XSS-Protection": (),
    "Content-Security-Policy": (),
}
_HEADER_VALUE = re.compile(r"[\x20-\x7e]*")
_BCRYPT_HASH = re.compile(r"\$2[aby]\$(?:0[4-9]|[12][0-9]|3[01])\$[./0-9A-Za-z]{53}")
_DURATION_PART = re.compile(r"([0-9]+(?:\.[0-9]*)?|\.[0-9]+)(ns|us|µs|ms|s|m|h)")
_SECONDS = {"ns": 1e-9, "us": 1e-6, "µs": 1e-6, "ms": 1e-3, "s": 1.0, "m": 60.0, "h": 3600.0}


@dataclass(frozen=True, slots=True)
class TlsConfig:
    """tls_server_config, in the file's own words; paths are absolute."""

    cert_file: str
    key_file: str
    client_auth_type: str
    client_ca_file: str
    client_allowed_sans: tuple[str, ...]
    min_version: str
    max_version: str
    cipher_suites: tuple[str, ...]
    prefer_server_cipher_suites: bool
    curve: str


@dataclass(frozen=True, slots=True)
class RateLimit:
    """One request each `interval_seconds`, and `burst` at once after a pause."""

    interval_seconds: float
    burst: int


@dataclass(frozen=True, slots=True)
class WebConfig:
    """The whole file. `users` maps names to bcrypt hashes, and is not shown where this is printed."""

    tls: TlsConfig | None = None
    headers: Mapping[str, str] = field(default_factory=dict)
    rate_limit: RateLimit | None = None
    users: Mapping[str, str] = field(default_factory=dict, repr=False)


def parse_web_config(data: bytes, directory: str) -> WebConfig:
    """The file's content; relative paths in it start at `directory`.

    Raises UserError, which never carries a value that could be a hash.
    """
    section = Section(_parse_yaml(data))
    config = WebConfig(
        tls=_parse_tls(section.take_section("tls_server_config"), directory),
        headers=_parse_headers(section.take_section("http_server_config")),
        rate_limit=_parse_rate_limit(section.take_section("rate_limit")),
        users=_parse_users(section),
    )
    section.finish()
    return config


def _parse_yaml(data: bytes) -> Any:
    from ruamel.yaml import YAML
    from ruamel.yaml.error import MarkedYAMLError, YAMLError

    try:
        return YAML(typ="safe", pure=True).load(data.decode())
    except MarkedYAMLError as error:
        # Its own text quotes the file, and with it maybe a hash.
        mark = error.problem_mark
        where = f" at line {mark.line + 1}, column {mark.column + 1}" if mark is not None else ""
        raise UserError(f"not YAML{where} (or a key stands there twice)") from None
    except (YAMLError, ValueError, RecursionError):
        raise UserError("not YAML in UTF-8") from None


def _parse_tls(section: Section, directory: str) -> TlsConfig | None:
    for key in ("cert", "key", "client_ca"):
        section.refuse(key, f"write it to a file and name that in {key}_file")
    if not section:
        return None
    paths = {
        key: os.path.join(directory, path) if (path := section.take(key, str, "")) else ""
        for key in ("cert_file", "key_file", "client_ca_file")
    }
    curves = section.take_strings("curve_preferences")
    config = TlsConfig(
        **paths,
        client_auth_type=section.take_choice("client_auth_type", (*_NOT_VERIFYING, *VERIFYING), "NoClientCert"),
        client_allowed_sans=section.take_strings("client_allowed_sans"),
        min_version=section.take_choice("min_version", VERSIONS, "TLS12"),
        max_version=section.take_choice("max_version", VERSIONS, "TLS13"),
        cipher_suites=section.take_strings("cipher_suites"),
        prefer_server_cipher_suites=section.take("prefer_server_cipher_suites", bool, True),
        curve=curves[0] if curves else "",
    )
    section.finish()
    _check_tls(section, config, curves)
    return config


def _check_tls(section: Section, config: TlsConfig, curves: tuple[str, ...]) -> None:
    """Raises UserError for values that do not go together."""
    wrong = ""
    if not config.cert_file or not config.key_file:
        wrong = "cert_file and key_file are both needed"
    elif config.min_version > config.max_version:
        wrong = "min_version is above max_version"
    elif config.client_auth_type in VERIFYING and not config.client_ca_file:
        wrong = f"{config.client_auth_type} needs a client_ca_file"
    elif config.client_auth_type not in VERIFYING and (config.client_ca_file or config.client_allowed_sans):
        wrong = "client_ca_file and client_allowed_sans need client_auth_type RequireAndVerifyClientCert"
    elif len(curves) > 1:
        wrong = "curve_preferences: only one curve can be chosen here"
    if wrong:
        raise UserError(f"{section.path}: {wrong}")
    for key, values, known in (
        ("cipher_suites", config.cipher_suites, CIPHERS),
        ("curve_preferences", curves, CURVES),
    ):
        for value in values:
            if value not in known:
                raise UserError(
                    f"{section.key_path(key)}: unknown value {value}", hint=f"known: {', '.join(sorted(known))}"
                )


def _parse_headers(section: Section) -> dict[str, str]:
    section.take("http2", bool, True)
    headers = section.take_mapping("headers")
    section.finish()
    for name, value in headers.items():
        path = f"{section.key_path('headers')}.{name}"
        if name not in _HEADERS:
            raise UserError(f"unknown key {path}", hint=f"known here: {', '.join(_HEADERS)}")
        if not _HEADER_VALUE.fullmatch(value) or (value and _HEADERS[name] and value not in _HEADERS[name]):
            raise UserError(f"{path}: cannot be {value!r}", hint=f"known: {', '.join(_HEADERS[name]) or 'ASCII text'}")
    return {name: value for name, value in headers.items() if value}


def _parse_users(section: Section) -> dict[str, str]:
    users = section.take_mapping("basic_auth_users")
    for number, value in enumerate(users.values(), 1):
        if not _BCRYPT_HASH.fullmatch(value):
            # A name may be the hash where somebody swapped the two: neither is repeated.
            raise UserError(
                f"basic_auth_users: user {number} has no bcrypt hash", hint="make one with htpasswd -nBC 10 NAME"
            )
    return users


def _parse_rate_limit(section: Section) -> RateLimit | None:
    burst = section.take("burst", int, 0)
    interval = _parse_interval(section)
    section.finish()
    if not interval:
        return None
    if burst < 1:
        raise UserError(f"{section.key_path('burst')}: must be at least 1, or no request would ever pass")
    return RateLimit(interval, burst)


def _parse_interval(section: Section) -> float:
    """Seconds of a Go duration ("500ms", "1m30s"; the number 0 is none). Source: time.ParseDuration."""
    try:
        text = section.take("interval", str, "0")
    except UserError:
        text = str(section.take("interval", int, 0))
    parts = _DURATION_PART.findall(text)
    if text not in ("0", "") and "".join(number + unit for number, unit in parts) != text:
        raise UserError(f"{section.key_path('interval')}: not a duration", hint="write 500ms, 1s or 1m30s")
    return sum(float(number) * _SECONDS[unit] for number, unit in parts)
