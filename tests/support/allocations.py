# SPDX-License-Identifier: MIT
"""A node with GPUs of all kinds, and what a kubelet gave of it: for tests of allocations."""

from __future__ import annotations

from typing import Any

from hwinfod.core.allocation import Allocation
from hwinfod.core.device import Device

UID = "5f2c1f0e-1111-2222-3333-444455556666"
CID = "c0ffee" + "0" * 58
NVIDIA = [f"GPU-7d8429d5-531d-d6a6-6510-3b662081a7{n:02x}" for n in range(8)]
MIG = "MIG-41b36db6-9b84-5d9d-9bf5-3d1d25f5ab5f"
AMD, INTEL, NIC = "GPU-a9af7d9f2ad7e041", "pci-0000:03:00.0", "rdma:506b:4b03:00c1:3d22"


def devices() -> list[Device]:
    """Eight GPUs of NVIDIA, of which number 7 is cut into MIG instances and minors run against indexes; one of AMD in
    partitions, one of Intel, each vendor's counted from 0; a network card."""
    gpus = [
        Device(uuid, "gpu", f"{n} H100", {
            "gpu": str(n), "uuid": uuid, "vendor": "NVIDIA", "model": "H100 80GB HBM3",
            "pci": f"0000:{16 + n:02x}:00.0", "device_node": f"/dev/nvidia{7 - n}",
        })
        for n, uuid in enumerate(NVIDIA)
    ]  # fmt: skip
    facts = {"gpu": "7", "uuid": NVIDIA[7], "profile": "3g.40gb", "gpu_instance": "2", "compute_instance": "0"}
    return [
        *gpus,
        Device(MIG, "gpu partition", "7:1 3g.40gb", facts, parent=NVIDIA[7]),
        Device(AMD, "gpu", "0 MI300X", {
            "gpu": "0", "uuid": AMD, "vendor": "AMD", "pci": "0000:c1:00.0", "render_node": "/dev/dri/renderD136",
            "card_node": "/dev/dri/card9", "compute_units": "304",
        }),
        Device(f"{AMD}:1", "gpu partition", "0/1 MI300X", {
            "partition": "1", "compute_units": "38", "render_node": "/dev/dri/renderD137",
        }, parent=AMD),
        Device(INTEL, "gpu", "0 Intel 56c0", {
            "gpu": "0", "vendor": "Intel", "pci": "0000:03:00.0", "card_node": "/dev/dri/card0",
            "render_node": "/dev/dri/renderD128",
        }),
        Device(NIC, "rdma", "mlx5_0", {"pci": "0000:1a:00.0", "nodes": "uverbs0 umad0 issm0"}),
    ]  # fmt: skip


def allocation(*ids: str, **fields: Any) -> Allocation:
    """Of container `cuda` of pod ml/train-0, as the pod-resources socket tells."""
    values: dict[str, Any] = {
        "namespace": "ml", "pod": "train-0", "container": "cuda", "resource": "nvidia.com/gpu", "device_ids": ids,
        "devices": ids, "source": "pod-resources", **fields,
    }  # fmt: skip
    return Allocation(**values)
