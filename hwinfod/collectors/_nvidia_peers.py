# SPDX-License-Identifier: MIT
"""How many NVLinks a GPU has, and what they lead to: other GPUs, or switches that lead to all of them."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from hwinfod.collectors._gpu_peers import SWITCH, write_peers
from hwinfod.sources.nvml_errors import DeviceFailed, LibraryFailed, NvmlError
from hwinfod.sources.nvml_fields import FieldReader

if TYPE_CHECKING:
    from hwinfod.sources.nvml import Handle, Session

_COUNT = 91  # nvml.h NVML_FI_DEV_NVLINK_LINK_COUNT
_MOST_LINKS = 36  # nvml.h NVML_NVLINK_MAX_LINKS is 18 up to generation 5, 36 from then on
_TO_SWITCH = 2  # nvml.h NVML_NVLINK_DEVICE_TYPE_SWITCH


def count_links(session: Session, handle: Handle) -> int:
    """How many the board has, whether they lead anywhere or not. Raises NvmlError."""
    ((_, count),) = FieldReader(session, handle, [(_COUNT, 0)]).read_all()
    return min(int(count or 0), _MOST_LINKS)


def read_peers(session: Session, handle: Handle) -> str:
    """As `write_peers` writes it; a link that is not up leads nowhere. Raises DeviceFailed and LibraryFailed."""
    try:
        count = count_links(session, handle)
    except (DeviceFailed, LibraryFailed):
        raise
    except NvmlError:
        return ""
    found = (_peer(session, handle, link) for link in range(count))
    return write_peers(Counter(filter(None, found)))


def _peer(session: Session, handle: Handle, link: int) -> str:
    """A driver that does not tell what stands at the other end tells at least where."""
    if session.optional("nvmlDeviceGetNvLinkRemoteDeviceType", handle, link) == _TO_SWITCH:
        return SWITCH
    return session.pci_address("nvmlDeviceGetNvLinkRemotePciInfo", handle, link)
