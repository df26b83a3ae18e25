# SPDX-License-Identifier: MIT
"""Reading kernel files: bytes in, `ReadError` out, never a text-mode open.

A kept descriptor and pread(2) is ten times cheaper than open, read and close on sysfs, so that what is read
every tick is an `Attribute` (sysfs, kernfs: one value, one page) or a `SeqFile` (procfs: many records).
"""

from __future__ import annotations

import contextlib
import os
import stat
from dataclasses import dataclass

from hwinfod.errors import ParseError, ReadError, from_os_error

PAGE = 4096
_CHUNK = 65536
_LIMIT = 16 << 20
_FLAGS = os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK


@dataclass(frozen=True, slots=True)
class Roots:
    """Where the kernel's file systems and the host's root are: settings `path.*`."""

    procfs: str = "/proc"
    sysfs: str = "/sys"
    rootfs: str = "/"

    def proc(self, *parts: str) -> str:
        return os.path.join(self.procfs, *parts)

    def sys(self, *parts: str) -> str:
        return os.path.join(self.sysfs, *parts)

    def root(self, path: str) -> str:
        """An absolute path of the host, below its root as we see it."""
        return path if self.rootfs == "/" else os.path.join(self.rootfs, path.lstrip("/"))


class Attribute:
    """One sysfs, kernfs or cgroup file, read again and again: one pread of a page, and more where that is full.

    The descriptor is kept while the file is the kernel's own (it has no blocks); a file on a real disk, as
    in a fixture tree, may be replaced by rename and is opened each time.
    Source: Documentation/filesystems/sysfs.rst (a value is made anew at offset 0 and fits a page, which on some
    architectures is larger); Documentation/admin-guide/cgroup-v2.rst (io.stat has a line a device).
    """

    __slots__ = ("_fd", "path")

    def __init__(self, path: str) -> None:
        self.path = path
        self._fd = -1

    def read(self) -> bytes:
        """The whole content. Raises a `ReadError` (Gone, Denied, NotProvided)."""
        if self._fd >= 0:
            try:
                return self._content(self._fd)
            except OSError:
                self.close()  # a device that left and came back under the same name has a new file
        try:
            fd = os.open(self.path, _FLAGS)
        except OSError as error:
            raise from_os_error(error, self.path) from None
        keep = False
        try:
            data = self._content(fd)
            keep = os.fstat(fd).st_blocks == 0
        except OSError as error:
            raise from_os_error(error, self.path) from None
        finally:
            if keep:
                self._fd = fd
            else:
                os.close(fd)
        return data

    def read_int(self) -> int | None:
        """The content as a decimal or 0x number; None where it cannot be read or is no number."""
        try:
            return parse_int(self.read())
        except (ReadError, ParseError):
            return None

    def _content(self, fd: int) -> bytes:
        data = os.pread(fd, PAGE, 0)
        return data if len(data) < PAGE else read_on(fd, data)

    def close(self) -> None:
        if self._fd >= 0:
            fd, self._fd = self._fd, -1
            with contextlib.suppress(OSError):
                os.close(fd)

    def __del__(self) -> None:
        self.close()


class SeqFile(Attribute):
    """One procfs file of many records. A seq_file returns as many whole records as fit its page, so that a
    short read is not the end: only an empty one is. Source: fs/seq_file.c, seq_read_iter()."""

    __slots__ = ()

    def _content(self, fd: int) -> bytes:
        return read_on(fd)


def read_on(fd: int, data: bytes = b"") -> bytes:
    """What begins with `data`, until nothing comes: a read may end with any record. The kernel keeps what it made at
    offset 0 of a cgroup's file until all of it is read, so that no line is of another moment. Source: fs/seq_file.c,
    seq_read_iter(). Raises OSError."""
    parts = [data] if data else []
    offset = len(data)
    while offset < _LIMIT:
        part = os.pread(fd, _CHUNK, offset)
        if not part:
            break
        parts.append(part)
        offset += len(part)
    return parts[0] if len(parts) == 1 else b"".join(parts)


def read_file(path: str, limit: int = _LIMIT) -> bytes:
    """A file read once, at most `limit` bytes. Raises a `ReadError`."""
    try:
        fd = os.open(path, _FLAGS)
        try:
            parts = []
            left = limit
            while left > 0:
                part = os.read(fd, min(left, _CHUNK))
                if not part:
                    break
                parts.append(part)
                left -= len(part)
            return b"".join(parts)
        finally:
            os.close(fd)
    except OSError as error:
        raise from_os_error(error, path) from None


def read_optional(path: str, limit: int = 65536) -> bytes | None:
    """A small file that may be missing or refuse: stripped content, or None."""
    try:
        return read_file(path, limit).strip()
    except ReadError:
        return None


def read_text(path: str, limit: int = 4096) -> str:
    """A fact for a label: decoded, control characters and outer space removed; "" where there is none."""
    data = read_optional(path, limit)
    return "" if data is None else clean_text(data)


def read_int(path: str) -> int | None:
    """A number read once; None where it cannot be read or is no number."""
    data = read_optional(path, 256)
    try:
        return None if data is None else parse_int(data)
    except ParseError:
        return None


def read_regular(path: str, limit: int) -> bytes:
    """A file out of a directory that others may write to: regular files only, so that a FIFO or a device
    planted there neither blocks nor floods us. Raises a `ReadError`, EFBIG above `limit`."""
    try:
        fd = os.open(path, _FLAGS | os.O_NOCTTY)
        try:
            status = os.fstat(fd)
            if not stat.S_ISREG(status.st_mode):
                raise OSError(22, "not a regular file")
            if status.st_size > limit:
                raise OSError(27, "file too large")
            return os.read(fd, limit)
        finally:
            os.close(fd)
    except OSError as error:
        raise from_os_error(error, path) from None


def list_directory(path: str) -> list[str]:
    """The sorted names in a directory; none where it does not exist or may not be read."""
    try:
        return sorted(os.listdir(path))
    except OSError:
        return []


def list_inodes(path: str) -> dict[str, int]:
    """The sorted names in a directory of sysfs with their inodes, which are given anew to what is registered anew: a
    name that another device got shows. Empty where it does not exist."""
    try:
        with os.scandir(path) as entries:
            return dict(sorted((entry.name, entry.inode()) for entry in entries))
    except OSError:
        return {}


def link_name(path: str) -> str:
    """The last component of what a symbolic link points to (a driver, a subsystem), or ""."""
    try:
        return os.path.basename(os.readlink(path))
    except OSError:
        return ""


def parse_int(data: bytes) -> int:
    """A sysfs number: decimal or 0x. Raises ParseError."""
    text = data.strip()
    try:
        return int(text, 16) if text[:2] in (b"0x", b"0X") else int(text)
    except ValueError:
        raise ParseError(f"not a number: {data[:40]!r}") from None


def clean_text(data: bytes) -> str:
    """Bytes of the kernel, of firmware or of a tenant as one printable line."""
    text = data.decode("utf-8", "replace")
    if not text.isprintable():
        text = "".join(c if c.isprintable() else " " for c in text)
    return text.strip()
