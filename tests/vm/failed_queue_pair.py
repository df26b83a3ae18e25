# SPDX-License-Identifier: MIT
"""Runs in the guest: a process that has a queue pair in the error state, as one whose far end died, and keeps it.

libibverbs by its C interface (infiniband/verbs.h); the numbers are those of enum ibv_qp_state and ibv_qp_attr_mask.
"""

from __future__ import annotations

import ctypes
import signal
import sys
from ctypes import c_int, c_uint, c_void_p

_RC = 2
_INIT, _ERR = 1, 6
_STATE, _OF_INIT = 1, 1 | 8 | 16 | 32  # IBV_QP_STATE; that, ACCESS_FLAGS, PKEY_INDEX, PORT
_ATTR_BYTES, _PORT_OFFSET = 256, 129  # struct ibv_qp_attr: room for all of it, and where its port_num is


class InitAttr(ctypes.Structure):
    """struct ibv_qp_init_attr; `cap` is max_send_wr, max_recv_wr, max_send_sge, max_recv_sge, max_inline_data."""

    _fields_ = (
        *((name, c_void_p) for name in ("qp_context", "send_cq", "recv_cq", "srq")),
        ("cap", c_uint * 5),
        ("qp_type", c_int),
        ("sq_sig_all", c_int),
    )


def main(device: str) -> None:
    verbs = ctypes.CDLL("libibverbs.so.1", use_errno=True)
    for name in ("ibv_get_device_list", "ibv_open_device", "ibv_alloc_pd", "ibv_create_cq", "ibv_create_qp"):
        getattr(verbs, name).restype = c_void_p
    verbs.ibv_get_device_list.restype = ctypes.POINTER(c_void_p)
    verbs.ibv_get_device_name.restype = ctypes.c_char_p
    count = c_int()
    listed = verbs.ibv_get_device_list(ctypes.byref(count))
    (found,) = [
        listed[place]
        for place in range(count.value)
        if verbs.ibv_get_device_name(c_void_p(listed[place])) == device.encode()
    ]
    context = _made(verbs.ibv_open_device(c_void_p(found)))
    queue = _made(verbs.ibv_create_cq(context, 4, None, None, 0))
    domain = _made(verbs.ibv_alloc_pd(context))
    wanted = InitAttr(None, queue, queue, None, (c_uint * 5)(1, 1, 1, 1, 0), _RC, 0)
    pair = _made(verbs.ibv_create_qp(domain, ctypes.byref(wanted)))
    for state, mask in ((_INIT, _OF_INIT), (_ERR, _STATE)):
        attributes = (ctypes.c_ubyte * _ATTR_BYTES)(state)
        attributes[_PORT_OFFSET] = 1
        assert verbs.ibv_modify_qp(pair, attributes, mask) == 0
    signal.pause()


def _made(pointer: int | None) -> c_void_p:
    if pointer is None:
        raise OSError(ctypes.get_errno(), "libibverbs")
    return c_void_p(pointer)


if __name__ == "__main__":
    main(sys.argv[1])
