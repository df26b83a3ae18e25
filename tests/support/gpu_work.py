# SPDX-License-Identifier: MIT
"""A process that has memory of the first GPU, by the driver's library alone: CUDA's for NVIDIA, HIP's for AMD.

    python -m tests.support.gpu_work nvidia

prints the PCI address of the GPU when it has it, and keeps it until its standard input ends.
"""

from __future__ import annotations

import ctypes
import sys

MIB = 1 << 20
BYTES = 512 * MIB


def _do(function: ctypes._CFuncPtr, *arguments: object) -> None:
    code = function(*arguments)
    if code:
        sys.exit(f"{function.__name__}: error {code}")


def take(vendor: str) -> str:
    """The PCI address of the GPU that the memory is of."""
    place, pointer, device, context = (
        ctypes.create_string_buffer(32),
        ctypes.c_void_p(),
        ctypes.c_int(),
        ctypes.c_void_p(),
    )
    size = ctypes.c_size_t(BYTES)
    if vendor == "nvidia":
        cuda = ctypes.CDLL("libcuda.so.1")
        _do(cuda.cuInit, 0)
        _do(cuda.cuDeviceGet, ctypes.byref(device), 0)
        _do(cuda.cuDevicePrimaryCtxRetain, ctypes.byref(context), device)
        _do(cuda.cuCtxSetCurrent, context)
        _do(cuda.cuMemAlloc_v2, ctypes.byref(pointer), size)
        _do(cuda.cuDeviceGetPCIBusId, place, len(place), device)
    else:
        hip = ctypes.CDLL("libamdhip64.so")
        _do(hip.hipSetDevice, 0)
        _do(hip.hipMalloc, ctypes.byref(pointer), size)
        _do(hip.hipDeviceGetPCIBusId, place, len(place), 0)
    return place.value.decode().lower()


if __name__ == "__main__":
    print(take(sys.argv[1]), flush=True)
    sys.stdin.read()
