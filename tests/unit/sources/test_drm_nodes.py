# SPDX-License-Identifier: MIT
from __future__ import annotations

from pathlib import Path

from hwinfod.sources.drm_nodes import DrmNodes, read_drm_nodes
from hwinfod.sources.files import Roots
from tests.support.sysfs import link, put, put_pci

ADDRESS = "0000:05:00.0"


def test_nodes_and_the_name_that_lasts(tmp_path: Path) -> None:
    roots = Roots(*(str(tmp_path / name) for name in ("proc", "sys", "root")))
    directory = put_pci(tmp_path / "sys", f"0000:00:01.0/{ADDRESS}", {"vendor": "0x1002"})
    assert read_drm_nodes(roots, str(directory)) == DrmNodes("", "", "")
    put(directory / "drm", {"card1-DP-1/status": "", "card1/dev": "226:1", "renderD129/dev": "226:129"})
    assert read_drm_nodes(roots, str(directory)) == DrmNodes("/dev/dri/card1", "/dev/dri/renderD129", "")
    by_path = f"/dev/dri/by-path/pci-{ADDRESS}-render"
    link(tmp_path / "root" / by_path.lstrip("/"), tmp_path / "root/dev/dri/renderD129")
    assert read_drm_nodes(roots, str(directory)).by_path == by_path
