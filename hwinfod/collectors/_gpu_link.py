# SPDX-License-Identifier: MIT
"""The PCI Express link of a GPU, by the registers of both its ends."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hwinfod.collectors import _gpu_families as families
from hwinfod.sources.pci_link import find_ends, narrowest, read_limit, read_link

if TYPE_CHECKING:
    from hwinfod.collectors._gpu_columns import Cells

BUSY_RATIO = 0.05  # below it a desktop's compositor, or nothing: such a link may save power
# Transfer rate in GT/s to what people call it.
GENERATIONS = {2.5: 1, 5.0: 2, 8.0: 3, 16.0: 4, 32.0: 5, 64.0: 6, 128.0: 7}


def link_cells(directory: str, labels: tuple[str, ...], *, with_state: bool = True) -> Cells:
    """The link that leaves the card: the one behind a card's own switch never changes. Nothing for a GPU that hangs on
    none. `with_state` off leaves how it runs now to who knows it better."""
    ends = find_ends(directory)
    if ends is None:
        return {}
    limit = narrowest(read_limit(ends.near), read_limit(ends.far))
    cells: Cells = {
        (families.PCIE_WIDTH_LIMIT, labels): limit.width,
        (families.PCIE_GENERATION_LIMIT, labels): generation(limit.gigatransfers_per_second),
    }
    if with_state:
        link = read_link(ends.near)
        cells[families.PCIE_WIDTH, labels] = link.width
        cells[families.PCIE_GENERATION, labels] = generation(link.gigatransfers_per_second)
    return cells


def generation(gigatransfers_per_second: float | None) -> int | None:
    return None if gigatransfers_per_second is None else GENERATIONS.get(gigatransfers_per_second)
