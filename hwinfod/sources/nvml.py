# SPDX-License-Identifier: MIT
"""NVML: the one place that calls NVIDIA's bindings (nvidia-ml-py, module pynvml).

A call that gives no value raises an `NvmlError`, whatever went wrong in library, bindings or the text that they
decode. NVML counts its initialisations; each `Session` is one, and with the last one all descriptors are closed.
Source: https://docs.nvidia.com/deploy/nvml-api/, nvml.h.
"""

from __future__ import annotations

import contextlib
import ctypes
import threading
from typing import TYPE_CHECKING, Any

from hwinfod.sources.files import clean_text
from hwinfod.sources.nvml_errors import (
    FUNCTION_NOT_FOUND,
    INSUFFICIENT_SIZE,
    INVALID_ARGUMENT,
    UNINITIALIZED,
    DeviceFailed,
    LibraryFailed,
    NotYet,
    NvmlError,
    Unsupported,
    error_of,
)
from hwinfod.sources.nvml_library import map_library
from hwinfod.sources.pci import is_pci_address

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from hwinfod.core.host import RootPaths

Handle = Any  # pynvml's c_nvmlDevice_t, a pointer that only NVML understands

_NO_ATTACH = 2  # nvml.h NVML_INIT_FLAG_NO_ATTACH: sleeping GPUs are not woken by the start
_NO_GPUS = 1  # nvml.h NVML_INIT_FLAG_NO_GPUS: a host whose GPUs all went elsewhere is no error
_RETRIES = 3  # process lists grow between the call that asks for the size and the one that fills
_TEXT_BYTES = 96
_FABRIC_COMPLETED = 3  # nvml.h NVML_GPU_FABRIC_STATE_COMPLETED


def parse_bus_id(bus_id: bytes | str) -> str:
    """NVML's 00000000:1B:00.0 as sysfs has it, 0000:1b:00.0; "" for what is no address."""
    text = bus_id.decode("ascii", "replace") if isinstance(bus_id, bytes) else bus_id
    domain, _, rest = text.lower().partition(":")
    address = f"{domain.lstrip('0'):0>4}:{rest}"
    return address if is_pci_address(address) else ""


class _Library:
    """The library of this process: NVML has one state a process, whoever uses it."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.path = ""
        self.sessions: set[Session] = set()

    def end_all(self) -> None:
        """The connection is gone: every session learns that it has to close. A new one begins when all have."""
        for session in tuple(self.sessions):
            session.is_stale = True


LIBRARY = _Library()


class Session:
    """One initialisation of NVML. `step` is told the name of each call before it is made. `is_stale`: the library
    failed, and nothing but `close` makes sense."""

    def __init__(self, roots: RootPaths, places: Sequence[str], step: Callable[[str], None]) -> None:
        """Raises LibraryFailed where there is no library, no driver, or one of another version, and while sessions
        are open that must close first."""
        self._step = step
        self.is_stale = False
        with LIBRARY.lock:
            if any(session.is_stale for session in LIBRARY.sessions):
                raise NotYet("nvmlInitWithFlags", UNINITIALIZED, "waiting for another collector to let go")
            if not LIBRARY.sessions:
                step("dlopen libnvidia-ml.so.1")
                LIBRARY.path = map_library(roots, places)
            import pynvml

            self._pynvml = pynvml
            try:
                self.call("nvmlInitWithFlags", _NO_GPUS | _NO_ATTACH)
            except NvmlError as error:  # whatever the code: without it there is no library
                raise LibraryFailed(error.function, error.code) from None
            LIBRARY.sessions.add(self)

    @property
    def library_path(self) -> str:
        return LIBRARY.path

    def close(self) -> None:
        """Gives the initialisation back. The library stays mapped; the first session after the last one looks for
        it anew, because it may be another one by then."""
        with LIBRARY.lock:
            if self in LIBRARY.sessions:
                LIBRARY.sessions.discard(self)
                with contextlib.suppress(NvmlError):  # the driver is gone, and with it what was to be given back
                    self.call("nvmlShutdown")

    def call(self, function: str, *arguments: Any) -> Any:
        """What the binding returns. Raises an NvmlError for any return code but success."""
        self._step(function)
        binding = getattr(self._pynvml, function, None)
        if binding is None:  # these bindings are older than the function
            raise Unsupported(function, FUNCTION_NOT_FOUND)
        for attempt in range(_RETRIES):
            try:
                return binding(*arguments)
            except self._pynvml.NVMLError as error:
                code = getattr(error, "value", 999)
                if code != INSUFFICIENT_SIZE or attempt == _RETRIES - 1:
                    raise self._judge(function, code, arguments) from None
            except (UnicodeDecodeError, ValueError, ctypes.ArgumentError) as error:
                raise NvmlError(function, 999, f"not what nvml.h says: {type(error).__name__}") from None
            except self._pynvml.NVMLLibraryMismatchError:
                raise Unsupported(function, FUNCTION_NOT_FOUND) from None
        raise AssertionError("not reached")

    def _judge(self, function: str, code: int, arguments: tuple[Any, ...]) -> NvmlError:
        """An invalid argument is a handle that is no longer good, if NVML does not know its UUID any more. Only a
        handle is asked for that: NVML follows whatever else it is given as a pointer."""
        of_device = bool(arguments) and isinstance(arguments[0], self._pynvml.c_nvmlDevice_t)
        if code == INVALID_ARGUMENT and of_device and function != "nvmlDeviceGetUUID":
            try:
                self.call("nvmlDeviceGetUUID", arguments[0])
            except DeviceFailed as error:
                return error
            except NvmlError as error:
                if error.code == INVALID_ARGUMENT:
                    return DeviceFailed(function, code, "the handle is no longer good")
        judged = error_of(function, code)
        if isinstance(judged, LibraryFailed):
            LIBRARY.end_all()
        return judged

    def text(self, function: str, *arguments: Any) -> str:
        """A string without what a terminal or a label must not have. Raises NvmlError."""
        value = self.call(function, *arguments)
        return clean_text(value if isinstance(value, bytes) else str(value).encode("utf-8", "replace"))[:_TEXT_BYTES]

    def optional_text(self, function: str, *arguments: Any) -> str:
        """The same, "" where there is none. Raises DeviceFailed and LibraryFailed."""
        try:
            return self.text(function, *arguments)
        except (DeviceFailed, LibraryFailed):
            raise
        except NvmlError:
            return ""

    def optional(self, function: str, *arguments: Any) -> Any:
        """A value, None where there is none. Raises DeviceFailed and LibraryFailed."""
        try:
            return self.call(function, *arguments)
        except (DeviceFailed, LibraryFailed):
            raise
        except NvmlError:
            return None

    def pci_address(self, function: str, *arguments: Any) -> str:
        """Out of the nvmlPciInfo_t that a call gives, as sysfs has it; "" where there is none. Raises DeviceFailed and
        LibraryFailed."""
        info = self.optional(function, *arguments)
        return "" if info is None else parse_bus_id(info.busId)

    def supported(self, function: str, *arguments: Any) -> Any:
        """A value, None where this GPU or driver have no such thing. Raises NvmlError for what may work next time."""
        try:
            return self.call(function, *arguments)
        except Unsupported:
            return None

    def invoke(self, function: str, *arguments: Any) -> None:
        """The library's own function, for what is read every second into a kept buffer. Raises NvmlError."""
        self._step(function)
        try:
            code = self._pynvml._nvmlGetFunctionPointer(function)(*arguments)
        except self._pynvml.NVMLError as error:
            raise error_of(function, error.value) from None
        if code:
            raise self._judge(function, code, arguments)

    def struct(self, name: str) -> Any:
        """A structure of the bindings, for calls that fill one. Raises Unsupported where they are older than it."""
        kind = getattr(self._pynvml, name, None)
        if kind is None:
            raise Unsupported(name, FUNCTION_NOT_FOUND)
        return kind()

    def fabric_state(self, handle: Handle) -> int | None:
        """nvmlGpuFabricState_t; None where the GPU is in no fabric. Raises DeviceFailed and LibraryFailed."""
        try:
            info = self.struct("c_nvmlGpuFabricInfo_v2_t")
            self.call("nvmlDeviceGetGpuFabricInfoV", handle, ctypes.byref(info))
        except (DeviceFailed, LibraryFailed):
            raise
        except NvmlError:
            return None
        state = int(info.state) & 0xFF  # an unsigned char in nvml.h, wider in the bindings
        return state if 0 < state <= _FABRIC_COMPLETED else None
