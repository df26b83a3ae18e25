# SPDX-License-Identifier: MIT
"""What the NVLinks of a GPU lead to: other GPUs, or switches that lead to all of them."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from hwinfod.collectors._gpu_peers import SWITCH, write_peers
from hwinfod.collectors._nvidia_links import count_links
from hwinfod.sources.nvml_errors import DeviceFailed, LibraryFailed, NvmlError

if TYPE_CHECKING:
    from hwinfod.sources.nvml import Handle, Session

_TO_SWITCH = 2  # nvml.h NVML_NVLINK_DEVICE_TYPE_SWITCH


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
