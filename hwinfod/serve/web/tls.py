# SPDX-License-Identifier: MIT
"""The TLS context of a web configuration, and who its client certificates name."""

from __future__ import annotations

import ipaddress
import ssl
from collections.abc import Iterator, Mapping
from typing import Any

from hwinfod.errors import UserError
from hwinfod.serve.web.config import CIPHERS, CURVES, VERIFYING, TlsConfig

_VERSIONS = {"TLS12": ssl.TLSVersion.TLSv1_2, "TLS13": ssl.TLSVersion.TLSv1_3}


def make_context(config: TlsConfig) -> ssl.SSLContext:
    """A server's context with the certificates as they are now. Raises UserError naming the file."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = _VERSIONS[config.min_version]
    context.maximum_version = _VERSIONS[config.max_version]
    context.options |= ssl.OP_NO_RENEGOTIATION
    context.set_alpn_protocols(["http/1.1"])
    if config.prefer_server_cipher_suites:
        context.options |= ssl.OP_CIPHER_SERVER_PREFERENCE
    else:
        context.options &= ~ssl.OP_CIPHER_SERVER_PREFERENCE
    _choose_ciphers(context, config)
    if config.curve:
        context.set_ecdh_curve(CURVES[config.curve])
    _load_files(context, config)
    return context


def _choose_ciphers(context: ssl.SSLContext, config: TlsConfig) -> None:
    if not config.cipher_suites:
        return
    names = [CIPHERS[suite] for suite in config.cipher_suites if CIPHERS[suite]]
    try:
        if names:
            context.set_ciphers(":".join(names))
        elif config.max_version == "TLS12":
            raise UserError("tls_server_config.cipher_suites: none of them is for TLS 1.2")
        else:
            context.minimum_version = ssl.TLSVersion.TLSv1_3
    except ssl.SSLError:
        raise UserError("tls_server_config.cipher_suites: OpenSSL has none of them") from None


def _load_files(context: ssl.SSLContext, config: TlsConfig) -> None:
    try:
        # An encrypted key must not make a daemon ask a terminal for its passphrase.
        context.load_cert_chain(config.cert_file, config.key_file, password=_no_passphrase)
    except OSError as error:
        files = f"{config.cert_file} and {config.key_file}"
        raise UserError(f"cannot use certificate and key, {files}: {_reason(error)}") from None
    if config.client_auth_type not in VERIFYING:
        return
    context.verify_mode = ssl.CERT_REQUIRED if VERIFYING[config.client_auth_type] else ssl.CERT_OPTIONAL
    try:
        context.load_verify_locations(config.client_ca_file)
    except OSError as error:
        raise UserError(f"cannot use client_ca_file, {config.client_ca_file}: {_reason(error)}") from None


def _no_passphrase() -> str:
    raise UserError("the key is encrypted", hint="store it without a passphrase, readable by the daemon alone")


def _reason(error: OSError) -> str:
    """What the operating system or OpenSSL says, without OpenSSL's source line."""
    if isinstance(error, ssl.SSLError):
        return (error.reason or "no PEM data").lower().replace("_", " ")
    return error.strerror or str(error)


def is_allowed(certificate: Mapping[str, Any] | None, allowed: tuple[str, ...]) -> bool:
    """Whether a verified certificate has one of the allowed alternative names; everybody where none is listed.

    A client without a certificate is not asked: whether it needs one is the context's affair.
    """
    return not allowed or not certificate or any(name in allowed for name in _alternative_names(certificate))


def _alternative_names(certificate: Mapping[str, Any]) -> Iterator[str]:
    for kind, value in certificate.get("subjectAltName", ()):
        if kind in ("DNS", "email", "URI"):
            yield value
        elif kind == "IP Address":
            # OpenSSL writes IPv6 without "::"; operators, and Go, write it with.
            yield str(ipaddress.ip_address(value.strip()))
