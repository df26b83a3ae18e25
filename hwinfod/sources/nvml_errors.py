# SPDX-License-Identifier: MIT
"""What an NVML return code means for us: it costs a value, a GPU, or the connection to the driver.

Source: nvml.h, enum nvmlReturn_t.
"""

from __future__ import annotations

from hwinfod.errors import HwinfodError

UNINITIALIZED = 1
INVALID_ARGUMENT = 2
NOT_SUPPORTED = 3
NOT_FOUND = 6
INSUFFICIENT_SIZE = 7
DRIVER_NOT_LOADED = 9
LIBRARY_NOT_FOUND = 12
FUNCTION_NOT_FOUND = 13
GPU_IS_LOST = 15
RESET_REQUIRED = 16
VERSION_MISMATCH = 18
GPU_NOT_FOUND = 28
UNKNOWN = 999

_MEANINGS = {
    0: "success",
    1: "not initialised",
    2: "invalid argument",
    3: "not supported",
    4: "no permission",
    5: "already initialised",
    6: "not found",
    7: "insufficient size",
    8: "external power cables are not attached",
    9: "the driver is not loaded",
    10: "timeout",
    11: "interrupt problem",
    12: "library not found",
    13: "function not found in this driver",
    14: "the infoROM is corrupted",
    15: "the GPU is lost",
    16: "the GPU needs a reset",
    17: "blocked by the operating system (device cgroup?)",
    18: "driver and library are of different versions",
    19: "in use",
    20: "insufficient memory",
    21: "no data",
    22: "not available while ECC is enabled",
    23: "insufficient resources",
    24: "frequency not supported",
    25: "argument version mismatch",
    26: "deprecated",
    27: "not ready",
    28: "GPU not found",
    29: "invalid state",
    30: "reset type not supported",
    999: "unknown error",
}
_NEVER_HERE = frozenset({3, 13, 24, 25, 26, 30})
_OF_DEVICE = frozenset({GPU_IS_LOST, RESET_REQUIRED, GPU_NOT_FOUND})
_OF_LIBRARY = frozenset({UNINITIALIZED, DRIVER_NOT_LOADED, LIBRARY_NOT_FOUND, VERSION_MISMATCH})


class NvmlError(HwinfodError):
    """A call gave no value this time. `code` is NVML's, `function` the call."""

    def __init__(self, function: str, code: int, meaning: str = "") -> None:
        super().__init__(f"{function}: {meaning or _MEANINGS.get(code, f'error {code}')}")
        self.function = function
        self.code = code


class Unsupported(NvmlError):
    """This GPU or this driver has no such thing: absent, and not asked for again soon."""


class DeviceFailed(NvmlError):
    """The GPU is lost, needs a reset, or its handle is no longer good: costs this GPU."""


class LibraryFailed(NvmlError):
    """The connection to the driver is gone: everything begins anew with another nvmlInit."""


class NotYet(LibraryFailed):
    """Another collector has to close its session first: it will at its next tick."""


def meaning(code: int) -> str:
    return _MEANINGS.get(code, f"error {code}")


def error_of(function: str, code: int) -> NvmlError:
    """The exception for a return code other than 0."""
    kind: type[NvmlError] = NvmlError
    if code in _NEVER_HERE:
        kind = Unsupported
    elif code in _OF_DEVICE:
        kind = DeviceFailed
    elif code in _OF_LIBRARY:
        kind = LibraryFailed
    return kind(function, code)
