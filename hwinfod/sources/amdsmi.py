# SPDX-License-Identifier: MIT
"""AMD SMI, the library of ROCm: what amdgpu's files do not tell. Used where it is installed and fits, never needed.

Source: amdsmi_interface.py, amdsmi.h. Importing the bindings binds all symbols at once and fails in many ways where
library and bindings are not of one release; they print to stdout. The library opens every GPU and keeps it open: it
is initialised for one reading and shut down behind it, so that no driver is held.
"""

from __future__ import annotations

import contextlib
import io
import os
import stat
import sys
from dataclasses import dataclass
from importlib import import_module
from typing import TYPE_CHECKING, Any

from hwinfod.errors import Absent

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from types import ModuleType

# ROCm's own copy fits ROCm's library; one from PyPI may not.
PLACES = ("/opt/rocm/share/amd_smi",)

XGMI_STATES = ("none", "one", "several")  # amdsmi_xgmi_status_t
_ECC_TYPES = {
    "correctable_count": "corrected", "uncorrectable_count": "uncorrected", "deferred_count": "deferred"
}  # fmt: skip
_VIOLATIONS = {
    "per_prochot_thrm": "prochot", "per_ppt_pwr": "power", "per_socket_thrm": "thermal", "per_vr_thrm": "vr_thermal",
    "per_hbm_thrm": "memory_thermal", "per_gfx_clk_below_host_limit": "below_host_limit",
}  # fmt: skip
_NO_BLOCKS = frozenset({"INVALID", "RESERVED"})


@dataclass(frozen=True, slots=True)
class BoardReading:
    """What the library tells of one board; what it does not is missing. `errors` by block and type, `violations`
    shares of the time by limit, `xgmi_errors` a place in none, one, several."""

    errors: Mapping[str, Mapping[str, int]]
    violations: Mapping[str, float]
    xgmi_errors: int | None


class Library:
    """The bindings, imported. Raises Absent when made where they are not, or do not fit."""

    def __init__(self, places: Sequence[str] = PLACES) -> None:
        self._module = _import(places)

    def read(self) -> dict[str, BoardReading]:
        """All boards by PCI address. Raises Absent where the library cannot be initialised: no driver, no rights."""
        with _quiet():
            try:
                self._module.amdsmi_init()
            except Exception as error:  # its exceptions have no base of their own but Exception
                raise Absent(f"AMD SMI: {_describe(error)}") from None
            try:
                return dict(self._boards())
            finally:
                self._ask(self._module.amdsmi_shut_down)

    def _boards(self) -> Iterator[tuple[str, BoardReading]]:
        """A partition is a processor of its own under another function number, and has no more to say."""
        for handle in self._ask(self._module.amdsmi_get_processor_handles) or ():
            address = self._ask(self._module.amdsmi_get_gpu_device_bdf, handle)
            if isinstance(address, str):
                yield (
                    address.lower(),
                    BoardReading(self._errors(handle), self._violations(handle), self._xgmi_errors(handle)),
                )

    def _errors(self, handle: object) -> dict[str, dict[str, int]]:
        found = {}
        for name, block in getattr(self._module.AmdSmiGpuBlock, "__members__", {}).items():
            counts = None if name in _NO_BLOCKS else self._ask(self._module.amdsmi_get_gpu_ecc_count, handle, block)
            if isinstance(counts, dict):
                known = {kind: counts.get(key) for key, kind in _ECC_TYPES.items()}
                found[name.lower()] = {kind: n for kind, n in known.items() if isinstance(n, int) and 0 <= n < 1 << 63}
        return found

    def _violations(self, handle: object) -> dict[str, float]:
        status = self._ask(self._module.amdsmi_get_violation_status, handle)
        if not isinstance(status, dict):
            return {}
        shares = {violation: status.get(key) for key, violation in _VIOLATIONS.items()}
        return {name: v / 100 for name, v in shares.items() if isinstance(v, (int, float)) and 0 <= v <= 100}

    def _xgmi_errors(self, handle: object) -> int | None:
        status = self._ask(self._module.amdsmi_gpu_xgmi_error_status, handle)
        return status if isinstance(status, int) and 0 <= status < len(XGMI_STATES) else None

    @staticmethod
    def _ask(call: Callable[..., Any], *arguments: object) -> Any:
        """None for what this board or release does not have."""
        try:
            return call(*arguments)
        except Exception:
            return None


def _import(places: Sequence[str]) -> ModuleType:
    kept = list(sys.path)
    sys.path[:0] = filter(_is_trusted, places)
    try:
        with _quiet():
            return import_module("amdsmi")
    except ModuleNotFoundError:
        raise Absent("the bindings of AMD SMI are not installed") from None
    except (Exception, SystemExit) as error:
        for name in [name for name in sys.modules if name == "amdsmi" or name.startswith("amdsmi.")]:
            del sys.modules[name]
        raise Absent(f"AMD SMI does not fit: {_describe(error)}") from None
    finally:
        sys.path[:] = kept


def _is_trusted(place: str) -> bool:
    """Code is run from there with the daemon's rights: whoever may write it must have them already."""
    try:
        status = os.stat(place)
    except OSError:
        return False
    return status.st_uid in (0, os.geteuid()) and not status.st_mode & (stat.S_IWGRP | stat.S_IWOTH)


def _quiet() -> contextlib.redirect_stdout[io.StringIO]:
    return contextlib.redirect_stdout(io.StringIO())


def _describe(error: BaseException) -> str:
    return f"{type(error).__name__}: {str(error)[:200]}"
