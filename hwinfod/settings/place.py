# SPDX-License-Identifier: MIT
"""Places: paths and addresses to listen on."""

from __future__ import annotations

import os
from typing import NamedTuple

from hwinfod.settings.form import Form
from hwinfod.settings.toml import Toml

_HOST = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-_")
_IPV6 = frozenset("0123456789abcdefABCDEF:.")


class FilePath(Form[str]):
    """An absolute path. In a flag or a variable it may be relative to the working directory of the start."""

    metavar = "PATH"

    def __init__(self, *, longest: int = 4095) -> None:
        self.longest = longest
        self.expects = f"an absolute path of at most {longest} bytes"

    def from_text(self, text: str) -> str:
        try:
            return self.from_toml(os.path.join(os.getcwd(), text) if text else text)
        except OSError:
            return self.from_toml(text)

    def from_toml(self, value: object) -> str:
        if not isinstance(value, str) or not value.startswith("/") or "\0" in value:
            raise self.refusal(value)
        try:
            size = len(value.encode())
        except UnicodeEncodeError:  # TOML, and with it --print-config, could not say it
            raise ValueError("a path must be UTF-8") from None
        if size > self.longest:
            raise self.refusal(value)
        return value

    def to_toml(self, value: str) -> Toml:
        return value


class Address(NamedTuple):
    """Where to listen. `host` is "" for every address of the machine; port 0 lets the kernel choose."""

    host: str
    port: int

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


class ListenAddress(Form[Address]):
    """HOST:PORT, [IPV6]:PORT, or :PORT, as every Prometheus exporter takes it."""

    expects = 'an address such as "127.0.0.1:10049", "[::1]:10049" or ":10049"'
    metavar = "HOST:PORT"

    def from_text(self, text: str) -> Address:
        host, colon, port = text.rpartition(":")
        number = int(port) if port.isascii() and port.isdigit() and len(port) <= 5 else -1
        if not colon or not 0 <= number <= 65535:
            raise self.refusal(text)
        if host.startswith("[") and host.endswith("]"):
            host = host[1:-1]
            if not _is_ipv6(host):
                raise self.refusal(text)
        elif not _HOST.issuperset(host) or not _is_plausible(host):
            raise self.refusal(text)
        return Address(host, number)

    def to_toml(self, value: Address) -> Toml:
        return str(value)


class ConnectAddress(ListenAddress):
    """HOST:PORT or [IPV6]:PORT of another program."""

    expects = 'an address such as "127.0.0.1:10250" or "[::1]:10250"'

    def from_text(self, text: str) -> Address:
        address = super().from_text(text)
        if not address.host or not address.port:
            raise self.refusal(text)
        return address


def _is_ipv6(host: str) -> bool:
    """Hexadecimal digits and colons, and the zone of a link-local address (RFC 4007) behind a percent sign."""
    address, percent, zone = host.partition("%")
    return ":" in address and _IPV6.issuperset(address) and _HOST.issuperset(zone) and bool(percent) == bool(zone)


def _is_plausible(host: str) -> bool:
    """A name, or four octets: 10.0.0 and 300.1.1.1 are slips of the finger, not names."""
    parts = host.split(".")
    if not all(part.isdigit() for part in parts):
        return True
    return len(parts) == 4 and all(len(part) <= 3 and int(part) <= 255 for part in parts)
