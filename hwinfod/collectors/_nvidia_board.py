# SPDX-License-Identifier: MIT
"""Everything that is read of one GPU of a session, and given back together."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hwinfod.collectors._nvidia_gpu import GpuReader
from hwinfod.collectors._nvidia_links import Links
from hwinfod.collectors._nvidia_readings import CALLS, FIELDS, SELDOM, SELDOM_FIELDS
from hwinfod.sources.nvml_errors import DeviceFailed, LibraryFailed, NvmlError
from hwinfod.sources.nvml_gpm import has_gpm

if TYPE_CHECKING:
    from hwinfod.collectors._nvidia_inventory import Gpu
    from hwinfod.core.collector import Skip
    from hwinfod.core.table import Table
    from hwinfod.sources.nvml import Session


class Board:
    """One GPU: its values every second, its links and what changes seldom every few seconds. `links_up`: which links
    ever were up, in this session or before."""

    def __init__(self, session: Session, gpu: Gpu, table: Table, links_up: set[int]) -> None:
        """Tries what the GPU has. Raises DeviceFailed and LibraryFailed."""
        self.gpu = gpu
        self.has_gpm = has_gpm(session, gpu.handle)
        self.values = GpuReader(session, gpu.handle, table, gpu.labels, CALLS, FIELDS)
        self.unsupported = set(self.values.unsupported)
        self._session = session
        self._links_up = links_up
        self._links: Links | None = None
        self._seldom: GpuReader | None = None

    def sample_links(self, table: Table, skip: Skip) -> None:
        """Raises DeviceFailed and LibraryFailed."""
        try:
            if self._seldom is None:
                self._seldom = GpuReader(self._session, self.gpu.handle, table, self.gpu.labels, SELDOM, SELDOM_FIELDS)
                self.unsupported |= self._seldom.unsupported
            self._seldom.sample(skip)
            if self._links is None:
                self._links = Links(self._session, self.gpu, table, self._links_up)
            self._links.sample()
        except (DeviceFailed, LibraryFailed):
            raise
        except NvmlError as error:
            skip(error.function, error)

    def release(self) -> None:
        """Gives the columns up."""
        self.values.release()
        for read in (self._links, self._seldom):
            if read is not None:
                read.release()
