# SPDX-License-Identifier: MIT
"""What is a node of a GPU or an RDMA device, by its path alone."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hwinfod.sources.device_nodes import CLASSES, class_of, has_nodes, is_node, node_of
from hwinfod.sources.files import Roots


@pytest.mark.parametrize(
    ("node", "name"),
    [
        ("/dev/nvidia0", "nvidia"),
        ("/dev/nvidia255", "nvidia"),
        ("/dev/nvidiactl", "nvidia"),
        ("/dev/nvidia-uvm", "nvidia"),
        ("/dev/nvidia-uvm-tools", "nvidia"),
        ("/dev/nvidia-caps/nvidia-cap12", "nvidia"),
        ("/dev/nvidia0 (deleted)", "nvidia"),
        ("/dev/dri/card0", "dri"),
        ("/dev/dri/renderD128", "dri"),
        ("/dev/kfd", "kfd"),
        ("/dev/infiniband/uverbs0", "infiniband"),
        ("/dev/infiniband/rdma_cm", "infiniband"),
        ("/dev/vfio/vfio", "vfio"),
        ("/dev/vfio/12", "vfio"),
        ("/dev/vfio/devices/vfio0", "vfio"),
        ("/dev/null", ""),
        ("/dev/nvidia", ""),
        ("/dev/nvidiafoo", ""),
        ("/dev/nvidia.log", ""),
        ("/dev/kfd/x", ""),
        ("/dev/dri", ""),
        ("/dev/dri/", ""),
        ("/dev/shm/nvidia0", ""),
        ("/home/me/dev/nvidia0", ""),
        ("socket:[12]", ""),
        ("anon_inode:[uverbs]", ""),
        ("", ""),
    ],
)
def test_classes(node: str, name: str) -> None:
    if node.endswith("(deleted)"):
        node = node_of(node)
    assert class_of(node) == name
    assert is_node(node) == bool(name)


def test_a_removed_node_is_the_node_that_it_was() -> None:
    assert node_of("/dev/nvidia0 (deleted)") == "/dev/nvidia0"
    assert node_of("/dev/nvidia0") == "/dev/nvidia0"
    assert is_node("/dev/nvidiactl (deleted)")


@given(st.text() | st.builds("/dev/{}".format, st.text()))
def test_any_path_has_a_class_or_none(path: str) -> None:
    assert class_of(path) in ("", *CLASSES)


@pytest.mark.parametrize(
    ("nodes", "has"),
    [
        (["null", "shm/nvidia0"], False),
        (["nvidia0"], True),
        (["kfd"], True),
        (["dri/card0"], True),
        (["dri/by-path/pci-0000:00:02.0-card"], False),
        (["infiniband/by-ibdev/uverbs-mlx5_0"], False),
        (["vfio/vfio"], True),
    ],
)
def test_hosts_with_and_without(tmp_path: Path, nodes: list[str], has: bool) -> None:
    for node in nodes:
        path = tmp_path / "dev" / node
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    assert has_nodes(Roots(rootfs=str(tmp_path))) is has
