# SPDX-License-Identifier: MIT
"""The errors of the house, and the one place where OS errors become ours.

A message is lower case and says operation, object and cause; what a person can do about it is `hint`.
"""

from __future__ import annotations

import errno
import os


class HwinfodError(Exception):
    """Anything this program reports. `hint` is the remedy, when there is one."""

    def __init__(self, message: str, *, hint: str = "") -> None:
        super().__init__(message)
        self.hint = hint


class Absent(HwinfodError):
    """This host has no such thing. Not a failure: said once, at INFO, and looked for again. `told` says that another
    collector of the same hardware says it."""

    def __init__(self, message: str, *, hint: str = "", told: bool = False) -> None:
        super().__init__(message, hint=hint)
        self.told = told


class ParseError(HwinfodError):
    """Bytes that are not what the kernel or the vendor documents."""


class UserError(HwinfodError):
    """Something a person wrote is wrong: a setting, a flag, a query. Never a traceback."""


class ReadError(HwinfodError):
    """A file could not be read. `errno` is the kernel's number."""

    def __init__(self, path: str, number: int) -> None:
        super().__init__(f"cannot read {path}: {_text(number)}")
        self.path = path
        self.errno = number


def _text(number: int) -> str:
    """What the C library calls an error. A reply of a broken driver may carry a number that is none."""
    try:
        return os.strerror(number)
    except (OverflowError, ValueError):
        return f"error {number}"


class Gone(ReadError):
    """The file or the device behind it does not exist (any more)."""


class Denied(ReadError):
    """The file exists and we may not read it."""


class NotProvided(ReadError):
    """The file exists and this device or driver has no value for it."""


# hwmon, infiniband and cpufreq answer with these errors where the hardware lacks one sensor or counter:
# it costs that value, never the collector.
_CLASS_OF_ERRNO: dict[int, type[ReadError]] = {
    errno.ENOENT: Gone,
    errno.ENOTDIR: Gone,
    errno.ENODEV: Gone,
    errno.ENXIO: Gone,
    errno.ESRCH: Gone,
    errno.EACCES: Denied,
    errno.EPERM: Denied,
    errno.EINVAL: NotProvided,
    errno.EOPNOTSUPP: NotProvided,
    errno.ENODATA: NotProvided,
    errno.EAGAIN: NotProvided,
    errno.EBUSY: NotProvided,
}


def from_os_error(error: OSError, path: str) -> ReadError:
    """The `ReadError` subclass of an OSError raised while `path` was read."""
    number = error.errno or errno.EIO
    return _CLASS_OF_ERRNO.get(number, ReadError)(path, number)
