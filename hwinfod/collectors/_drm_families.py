# SPDX-License-Identifier: MIT
"""The families of GPUs that are known by DRM alone: which of the shared ones they have, and one of Intel's."""

from __future__ import annotations

from hwinfod.collectors import _gpu_families as gpu
from hwinfod.collectors._gpu_families import counter

ASLEEP = counter(
    "hw_gpu_asleep_seconds_total",
    "Time for which a part of the GPU was asleep (RC6), its neighbours or not.",
    "i915 rc6_residency_ms; xe gtidle/idle_residency_ms",
    unit="seconds",
    labels=("part",),
)

METRICS = (
    gpu.INFO, gpu.UP, gpu.UTILIZATION, gpu.ENGINE, gpu.MEMORY_LIMIT, gpu.POWER_LIMIT, gpu.ENERGY, gpu.TEMPERATURE,
    gpu.CLOCK, gpu.CLOCK_LIMIT, gpu.THROTTLED, gpu.PCIE_GENERATION, gpu.PCIE_WIDTH, gpu.PCIE_GENERATION_LIMIT,
    gpu.PCIE_WIDTH_LIMIT, gpu.PROCESSES, ASLEEP,
)  # fmt: skip
CHECKS = gpu.CHECKS
