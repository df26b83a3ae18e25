# SPDX-License-Identifier: MIT
"""The path of a cgroup as a list of directory names, made safe, and what those names are made of.

A tenant who may create cgroups chooses their names: any byte but "/" and newline, 255 bytes each, as deep as
PATH_MAX. A name that is not printable cannot announce anything, nor can what lies below the limits here; the
directories above them still count, so that nobody hides from his owner behind a funny name.
Source: kernel/cgroup/cgroup.c, cgroup_mkdir() and proc_cgroup_show().
"""

from __future__ import annotations

MAX_PATH = 4096
MAX_DEPTH = 64

_HEX = "0123456789abcdef"
_HEX_BYTES = b"0123456789abcdef"
_DIGITS = "0123456789"
_NOT_NAMES = ("", ".", "..")


def split(path: str) -> list[str]:
    """The directory names of a cgroup path. Empty names, "." and ".." (the reader is in another cgroup
    namespace) are left out; a name that is not printable is "".

    runc takes `slice:prefix:name` for its systemd driver; given to the cgroupfs driver by a kubelet of the
    other opinion it becomes one directory of that name. It is spelled out here as the systemd driver does.
    """
    if len(path) > MAX_PATH:
        path = path[:MAX_PATH].rpartition("/")[0]  # the last name may be cut
    names = [name for name in path.split("/", MAX_DEPTH + 1)[: MAX_DEPTH + 1] if name not in _NOT_NAMES]
    if not path.isprintable():
        names = [name if name.isprintable() else "" for name in names]
    if ":" in path:
        names = [part for name in names for part in _spell_out(name)]
    return names


def _spell_out(name: str) -> tuple[str, ...]:
    parts = name.split(":")
    if len(parts) == 3 and (not parts[0] or parts[0].endswith(".slice")):
        return parts[0], f"{parts[1]}-{parts[2]}.scope"
    return (name,)


def above(path: str, position: int) -> str:
    """The cgroup above the one whose name is, or begins, the segment at a position of `split`."""
    names = [name for name in path.split("/") if name not in _NOT_NAMES]
    count = 0
    for depth, name in enumerate(names):
        count += len(_spell_out(name))
        if count > position:
            return "".join(f"/{name}" for name in names[:depth])
    return ""


def unescape(name: str) -> str:
    r"""A name as it was before systemd escaped it: `\x2d` is "-". A name whose unescaped form would not be
    printable UTF-8 stays escaped. Source: systemd.unit(5), "String escaping for inclusion in unit names"."""
    if "\\x" not in name:
        return name
    head, *rest = name.encode("utf-8", "surrogatepass").split(b"\\x")
    plain = bytearray(head)
    for part in rest:
        code = part[:2]
        if len(code) < 2 or code.lower().strip(_HEX_BYTES):
            return name
        plain.append(int(code, 16))
        plain += part[2:]
    try:
        text = plain.decode("utf-8")
    except UnicodeDecodeError:
        return name
    return text if text.isprintable() and "/" not in text else name


def is_hex(text: str) -> bool:
    """Whether there are only lower-case hexadecimal digits in `text`, at least one."""
    return bool(text) and not text.strip(_HEX)


def is_number(text: str) -> bool:
    """Whether `text` is a decimal number of at most 20 ASCII digits."""
    return 0 < len(text) <= 20 and not text.strip(_DIGITS)


def is_uuid(text: str) -> bool:
    """Whether `text` is a lower-case UUID with dashes."""
    if len(text) != 36:
        return False
    parts = text.split("-")
    return [len(part) for part in parts] == [8, 4, 4, 4, 12] and not "".join(parts).strip(_HEX)


def before(segments: list[str], position: int, distance: int = 1) -> str:
    """The name `distance` directories above, or ""."""
    position -= distance
    return segments[position] if position >= 0 else ""
