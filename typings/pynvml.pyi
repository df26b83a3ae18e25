# SPDX-License-Identifier: MIT
# The calls are made by name, and what they give is a ctypes structure of NVIDIA's.
from typing import Any

class NVMLError(Exception):
    value: int

class NVMLLibraryMismatchError(Exception): ...

nvmlLib: Any
_nvmlGetFunctionPointer_cache: dict[str, Any]
_nvmlLib_refcount: int

def __getattr__(name: str) -> Any: ...
