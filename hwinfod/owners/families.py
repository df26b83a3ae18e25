# SPDX-License-Identifier: MIT
"""The families of attribution: what owners hold of devices, and what nobody in sight holds."""

from __future__ import annotations

from hwinfod.core.metric import Kind, Level, Metric
from hwinfod.core.owner import LABELS

_SOURCE = "the holdings of the device's collector, /proc/PID/cgroup"
_GPU = (*LABELS, "gpu", "uuid")
_RDMA = (*LABELS, "device")


def _held(name: str, help_: str, labels: tuple[str, ...], unit: str = "") -> Metric:
    return Metric(name, Kind.GAUGE, help_, _SOURCE, unit, labels)


GPU_MEMORY = _held("hw_owner_gpu_memory_usage_bytes", "GPU memory that the owner's processes hold.", _GPU, "bytes")
GPU_UTILIZATION = _held(
    "hw_owner_gpu_utilization_ratio", "Part of the GPU's time in which the owner's processes ran on it.", _GPU, "ratio"
)
GPU_PROCESSES = _held("hw_owner_gpu_processes", "Processes of the owner that work on the GPU.", _GPU)
RDMA = {
    amount: _held(f"hw_owner_rdma_{amount}", help_, _RDMA, unit)
    for amount, help_, unit in (
        ("qps", "Queue pairs that the owner's processes hold.", ""),
        ("cqs", "Completion queues that the owner's processes hold.", ""),
        ("mrs", "Memory regions that the owner's processes have registered.", ""),
        ("cm_ids", "Connection manager ids that the owner's processes hold.", ""),
        ("mr_bytes", "Memory that the owner's processes have registered.", "bytes"),
        ("qp_errors", "Queue pairs in the error state that the owner's processes hold.", ""),
    )
}
RDMA_TRAFFIC = {
    amount: Metric(
        name=f"hw_owner_rdma_{amount}_total",
        kind=Kind.COUNTER,
        unit="bytes",
        help=f"Data that the owner's processes {done} over the device, on queue pairs to which an administrator has"
        " bound counters (rdma statistic qp).",
        source="RDMA netlink STAT_GET with STAT_RES (75) of RES_QP, /proc/PID/cgroup",
        labels=_RDMA,
    )
    for amount, done in (("receive_bytes", "received"), ("transmit_bytes", "sent"))
}
GPU_UNATTRIBUTED = Metric(
    name="hw_gpu_memory_unattributed_bytes",
    kind=Kind.GAUGE,
    unit="bytes",
    help="GPU memory in use that no process in sight holds: the driver's own, or of processes that were not seen.",
    source=_SOURCE,
    labels=("gpu", "uuid"),
)
BLIND = Metric(
    name="hwinfod_attribution_blind",
    kind=Kind.GAUGE,
    help="Reasons for which processes of this host, or names of its containers, may be there that were not seen.",
    source="/proc/self/status, /proc/self/mounts, /proc/self/ns/pid, the runtimes' bundles",
    level=Level.CORE,
)
OWNERS_DROPPED = Metric(
    name="hw_owners_dropped",
    kind=Kind.GAUGE,
    help="Owners beyond the budget, whose series are in the owner `other`; the API has them.",
    source="the setting collector.owners.most_owners",
)
CONFLICTS = Metric(
    name="hwinfod_owner_conflicts",
    kind=Kind.GAUGE,
    help="Contradictions about owners: between the cgroups of a process, and between the sources of a container's"
    " names; the API has them.",
    source="/proc/PID/cgroup; the sources of names",
    level=Level.DETAILED,
)
GPU = (GPU_MEMORY, GPU_UTILIZATION, GPU_PROCESSES)
