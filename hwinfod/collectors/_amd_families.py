# SPDX-License-Identifier: MIT
"""The families of AMD GPUs: which of the shared ones they have, and those that are AMD's alone."""

from __future__ import annotations

from hwinfod.collectors import _gpu_families as gpu
from hwinfod.collectors._gpu_families import counter, gauge
from hwinfod.core.check import Check
from hwinfod.core.event import Severity

HOST_MEMORY_USAGE = gauge(
    "hw_gpu_host_memory_usage_bytes",
    "Memory of the host that is mapped for the GPU.",
    "amdgpu sysfs mem_info_gtt_used",
    unit="bytes",
    detailed=True,
)
HOST_MEMORY_LIMIT = gauge(
    "hw_gpu_host_memory_limit_bytes",
    "Memory of the host that can be mapped for the GPU.",
    "amdgpu sysfs mem_info_gtt_total",
    unit="bytes",
    detailed=True,
)
XGMI_RECEIVE = counter(
    "hw_gpu_xgmi_receive_bytes_total",
    "Data read over the links to other AMD GPUs.",
    "amdgpu gpu_metrics xgmi_read_data_acc",
    unit="bytes",
    labels=("link",),
    detailed=True,
)
XGMI_TRANSMIT = counter(
    "hw_gpu_xgmi_transmit_bytes_total",
    "Data written over the links to other AMD GPUs.",
    "amdgpu gpu_metrics xgmi_write_data_acc",
    unit="bytes",
    labels=("link",),
    detailed=True,
)
XGMI_LINKS = gauge(
    "hw_gpu_xgmi_links",
    "Links to other AMD GPUs, by whether they are trained.",
    "amdgpu gpu_metrics xgmi_link_status",
    labels=("state",),
)
PCIE_ERRORS = counter(
    "hw_gpu_pcie_link_errors_total",
    "What went wrong on the PCI Express link, as the GPU counts it: packets sent again (replay, and each overflow of"
    " their number), refused (nak), and retrained links (recovery).",
    "amdgpu gpu_metrics pcie_*_count_acc",
    labels=("error",),
    detailed=True,
)
PARTITION_UTILIZATION = gauge(
    "hw_gpu_partition_utilization_ratio",
    "Share of the time in which the processors of a partition worked.",
    "amdgpu gpu_metrics xcp_stats gfx_busy_inst",
    unit="ratio",
    labels=("partition",),
)
PARTITION_MEMORY_USAGE = gauge(
    "hw_gpu_partition_memory_usage_bytes",
    "Memory of a partition that processes hold; the driver does not tell the partition's own figure.",
    "/sys/class/kfd/kfd/proc/PID/vram_*",
    unit="bytes",
    labels=("partition",),
)
PARTITION_MEMORY_LIMIT = gauge(
    "hw_gpu_partition_memory_limit_bytes",
    "Memory that a partition has.",
    "/sys/class/kfd/kfd/topology/nodes/*/mem_banks",
    unit="bytes",
    labels=("partition",),
    detailed=True,
)

METRICS = (
    gpu.INFO, gpu.UP, gpu.UTILIZATION, gpu.MEMORY_CONTROLLER, gpu.ENGINE, gpu.MEMORY_USAGE, gpu.MEMORY_LIMIT,
    gpu.APERTURE_USAGE, gpu.APERTURE_LIMIT, HOST_MEMORY_USAGE, HOST_MEMORY_LIMIT, gpu.POWER, gpu.POWER_AVERAGE,
    gpu.POWER_LIMIT, gpu.POWER_LIMITS, gpu.ENERGY, gpu.TEMPERATURE, gpu.TEMPERATURE_LIMIT, gpu.CLOCK, gpu.CLOCK_LIMIT,
    gpu.FAN, gpu.THROTTLED, gpu.THROTTLE_SECONDS, gpu.PCIE_GENERATION, gpu.PCIE_WIDTH, gpu.PCIE_GENERATION_LIMIT,
    gpu.PCIE_WIDTH_LIMIT, gpu.PCIE_REPLAYS, PCIE_ERRORS, XGMI_RECEIVE, XGMI_TRANSMIT, XGMI_LINKS, gpu.ECC,
    gpu.PAGES_RETIRED, gpu.PROCESSES, PARTITION_UTILIZATION, PARTITION_MEMORY_USAGE, PARTITION_MEMORY_LIMIT,
)  # fmt: skip

CHECKS = (
    *gpu.CHECKS,
    *(
        Check(
            name=f"gpu_{reason}_throttle",
            metric=gpu.THROTTLED,
            wrong=lambda throttled: throttled == 1,
            severity=Severity.WARNING,
            text="GPU {gpu} has been slowed down ({reason}) for more than a minute",
            remedy="hwinfoctl gpus; look at cooling and power supplies",
            for_seconds=60,
            only={"reason": reason},
        )
        for reason in ("thermal", "vr_thermal", "memory_thermal", "prochot")
    ),
)
