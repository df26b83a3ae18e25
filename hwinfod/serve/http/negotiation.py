# SPDX-License-Identifier: MIT
"""What the client accepts, what it has already, and gzip. Source: RFC 9110 sections 8.8.3, 12.4.2, 12.5.3, 13.1.2."""

from __future__ import annotations

import re
import zlib

_QUALITY = re.compile(r"(?:0(?:\.[0-9]{0,3})?|1(?:\.0{0,3})?)")
_ENTITY_TAG = re.compile(r'(?:W/)?"([\x21\x23-\x7e\x80-\xff]*)"')
_GZIP_WINDOW = 16 + 13  # gzip; text of metrics repeats itself within 8 KiB
_GZIP_MEMORY = 6
# Below one segment a smaller body saves nothing but costs both sides.
_LEAST_BYTES = 1400
_GZIP_TAG_SUFFIX = "-gzip"


def parse_qualities(header: str) -> dict[str, float]:
    """The members of an Accept or Accept-Encoding header with their q-values, in the order given.

    A member keeps its parameters ("text/plain;version=0.0.4"), lower case, without spaces. One whose q-value
    is none is left out, so that nobody gets what they did not ask for.
    """
    qualities: dict[str, float] = {}
    for member in header.lower().split(","):
        name, *parameters = (part.strip() for part in member.split(";"))
        quality = 1.0
        kept = [name]
        for parameter in parameters:
            key, _, value = parameter.partition("=")
            if key.strip() != "q":
                kept.append(parameter.replace(" ", ""))
            elif _QUALITY.fullmatch(value.strip()):
                quality = float(value)
            else:
                break
        else:
            if name:
                qualities[";".join(kept)] = quality
    return qualities


def accepts_gzip(header: str) -> bool:
    """Whether an Accept-Encoding header asks for gzip. No header and `gzip;q=0` do not."""
    if "gzip" not in header.lower() and "*" not in header:
        return False
    qualities = parse_qualities(header)
    wanted = qualities.get("gzip", qualities.get("x-gzip", qualities.get("*", 0.0)))
    return wanted > 0 and wanted >= qualities.get("identity", 0.0)


def compress(body: bytes) -> bytes:
    """`body` as gzip at level 1, the same bytes for the same body (no time stamp in it).

    Level 9 costs six times as much for a tenth less on metrics text. A compressor with zlib's own 256 KiB of memory
    costs three times as much for the same size on a page of it: the memory is cleared, and takes the caches.
    """
    compressor = zlib.compressobj(1, zlib.DEFLATED, _GZIP_WINDOW, _GZIP_MEMORY)
    return compressor.compress(body) + compressor.flush()


def is_worth_compressing(body: bytes) -> bool:
    return len(body) >= _LEAST_BYTES


def entity_tag(etag: str, *, gzip: bool) -> str:
    """The ETag header value: the compressed form of a body is another representation and has another tag."""
    return f'"{etag}{_GZIP_TAG_SUFFIX}"' if gzip else f'"{etag}"'


def etag_matches(if_none_match: str, etag: str) -> bool:
    """Whether the client has the representation `etag` (no quotes) already, compressed or not.

    For handlers too: a match before rendering saves the rendering.
    """
    if not if_none_match or not etag:
        return False
    if if_none_match.strip() == "*":
        return True
    tags = _ENTITY_TAG.findall(if_none_match)
    return etag in tags or etag + _GZIP_TAG_SUFFIX in tags
