# SPDX-License-Identifier: MIT
"""The families that only NVIDIA's GPUs have, and what counts as wrong with them."""

from __future__ import annotations

from hwinfod.collectors._gpu_families import LABELS, counter, gauge
from hwinfod.core.check import Check
from hwinfod.core.event import Severity
from hwinfod.core.metric import Kind, Level, Metric

_FI = "NVML NVML_FI_DEV"
_GPM = "NVML nvmlGpmMetricsGet"

SM_ACTIVE = gauge(
    "hw_gpu_sm_active_ratio", "Share of the multiprocessors at work.", f"{_GPM} (2)", unit="ratio", detailed=True
)
TENSOR_ACTIVE = gauge(
    "hw_gpu_tensor_active_ratio", "Share of the time in which tensor cores worked.", f"{_GPM} (5)", unit="ratio"
)
SM_OCCUPANCY = gauge(
    "hw_gpu_sm_occupancy_ratio",
    "Warps in flight, of the most there can be.",
    f"{_GPM} (3)",
    unit="ratio",
    detailed=True,
)
DRAM_ACTIVE = gauge(
    "hw_gpu_dram_bandwidth_utilization_ratio",
    "Memory bandwidth in use, of what the memory can.",
    f"{_GPM} (10)",
    unit="ratio",
    detailed=True,
)
PIPE_ACTIVE = gauge(
    "hw_gpu_pipe_active_ratio",
    "Share of the time in which the multiprocessors did this kind of arithmetic.",
    f"{_GPM} (4, 6 to 9, 11 to 13)",
    unit="ratio",
    labels=("pipe",),
    detailed=True,
)

MARGIN = gauge(
    "hw_gpu_temperature_margin_celsius",
    "By how much the GPU may get warmer before it slows down, as the driver of Ada and later boards tells it.",
    "NVML nvmlDeviceGetMarginTemperature",
    unit="celsius",
    detailed=True,
)
MARGIN_LIMIT = gauge(
    "hw_gpu_temperature_margin_limit_celsius",
    "Margins (hw_gpu_temperature_margin_celsius) below which the GPU slows down or shuts down.",
    f"{_FI}_TEMPERATURE_SHUTDOWN_TLIMIT, _SLOWDOWN_, _MEM_MAX_, _GPU_MAX_ (193 to 196)",
    unit="celsius",
    labels=("limit",),
    detailed=True,
)
ROW_REMAP = gauge(
    "hw_gpu_row_remap",
    "Whether a remapping of memory rows waits for a reset (pending) or could not be done (failed).",
    f"{_FI}_REMAPPED_PENDING (144), _FAILURE (145)",
    labels=("state",),
)
ROWS_REMAPPED = gauge(
    "hw_gpu_remapped_rows",
    "Memory rows replaced by spare ones, by the errors that they had.",
    f"{_FI}_REMAPPED_COR (142), _UNC (143)",
    labels=("type",),
    detailed=True,
)
RETIREMENT_PENDING = gauge(
    "hw_gpu_page_retirement_pending",
    "Whether memory pages wait for a restart to be taken out of use.",
    f"{_FI}_RETIRED_PENDING (31)",
    detailed=True,
)
RECOVERY_ACTIONS = (
    "none", "gpu reset", "node reboot", "drain p2p", "drain and reset", "recover imex", "bus reset", "system reboot",
)  # fmt: skip
RECOVERY_ACTION = Metric(
    name="hw_gpu_recovery_action",
    kind=Kind.STATE,
    help="What the driver wants done before the GPU can be relied on again.",
    source=f"{_FI}_GET_GPU_RECOVERY_ACTION (230)",
    labels=LABELS,
    level=Level.DETAILED,
    states=RECOVERY_ACTIONS,
)
FABRIC_STATE = Metric(
    name="hw_gpu_fabric_state",
    kind=Kind.STATE,
    help="Whether the GPU has joined the NVLink fabric of its NVSwitches.",
    source="NVML nvmlDeviceGetGpuFabricInfoV state",
    labels=LABELS,
    states=("not supported", "not started", "in progress", "completed"),
)

NVLINKS = gauge(
    "hw_gpu_nvlinks",
    "NVLinks, by whether they are up.",
    f"{_FI}_NVLINK_LINK_COUNT (91), _NVLINK_GET_STATE (165)",
    labels=("state",),
    aside={"state": frozenset({"unused"})},
)
NVLINK_RECEIVE = counter(
    "hw_gpu_nvlink_receive_bytes_total",
    "Data that came over all NVLinks, without the links' own overhead up to NVLink 4.",
    f"{_FI}_NVLINK_THROUGHPUT_DATA_RX (139), NVLink 5: _COUNT_RCV_BYTES (204)",
    unit="bytes",
    detailed=True,
)
NVLINK_TRANSMIT = counter(
    "hw_gpu_nvlink_transmit_bytes_total",
    "Data sent over all NVLinks, without the links' own overhead up to NVLink 4.",
    f"{_FI}_NVLINK_THROUGHPUT_DATA_TX (138), NVLink 5: _COUNT_XMIT_BYTES (202)",
    unit="bytes",
    detailed=True,
)
NVLINK_ERRORS = counter(
    "hw_gpu_nvlink_errors_total",
    "Errors on all NVLinks: transfers replayed, links recovered, checksums that were wrong; link_recovery is the sum of"
    " those that succeeded and failed.",
    f"{_FI}_NVLINK_ERROR_DL_REPLAY, _RECOVERY, _CRC (161 to 163), NVLink 5: _COUNT_* (206 to 215)",
    labels=("error",),
)
LINK_UP = gauge(
    "hw_gpu_nvlink_up",
    "Whether one NVLink is up (1) or not (0).",
    f"{_FI}_NVLINK_GET_STATE (165)",
    labels=("link",),
    detailed=True,
)
LINK_RECEIVE = counter(
    "hw_gpu_nvlink_link_receive_bytes_total",
    "Data that came over one NVLink.",
    f"{_FI}_NVLINK_THROUGHPUT_DATA_RX (139), NVLink 5: _COUNT_RCV_BYTES (204), of one link",
    unit="bytes",
    labels=("link",),
    detailed=True,
)
LINK_TRANSMIT = counter(
    "hw_gpu_nvlink_link_transmit_bytes_total",
    "Data sent over one NVLink.",
    f"{_FI}_NVLINK_THROUGHPUT_DATA_TX (138), NVLink 5: _COUNT_XMIT_BYTES (202), of one link",
    unit="bytes",
    labels=("link",),
    detailed=True,
)
LINK_ERRORS = counter(
    "hw_gpu_nvlink_link_errors_total",
    "Errors on one NVLink.",
    NVLINK_ERRORS.source,
    labels=("link", "error"),
    detailed=True,
)

MIG = ("mig_uuid", "profile")
MIG_INFO = Metric(
    name="hw_gpu_mig_info",
    kind=Kind.INFO,
    help="MIG instances: parts of a GPU that are GPUs to those who use them.",
    source="NVML nvmlDeviceGetMigDeviceHandleByIndex, nvmlDeviceGetAttributes_v2",
    labels=(*LABELS, *MIG, "gpu_instance", "compute_instance", "multiprocessors"),
)
MIG_USAGE = gauge(
    "hw_gpu_mig_memory_usage_bytes",
    "Memory of a MIG instance in use; part of its GPU's.",
    "NVML nvmlDeviceGetMemoryInfo_v2 used, of the instance",
    unit="bytes",
    labels=MIG,
)
MIG_LIMIT = gauge(
    "hw_gpu_mig_memory_limit_bytes",
    "Memory that a MIG instance has.",
    "NVML nvmlDeviceGetMemoryInfo_v2 total, of the instance",
    unit="bytes",
    labels=MIG,
    detailed=True,
)
MIG_SM_ACTIVE = gauge(
    "hw_gpu_mig_sm_active_ratio",
    "Share of a MIG instance's multiprocessors at work.",
    f"{_GPM} (2), of the GPU instance",
    unit="ratio",
    labels=MIG,
    detailed=True,
)

RELEASED = Metric(
    name="hwinfod_gpu_released",
    kind=Kind.GAUGE,
    help="Whether the daemon has let go of NVIDIA's driver (1), so that others can reset or reconfigure it.",
    source="POST /v1/gpus/release; a pending MIG mode",
)

METRICS = tuple(value for value in list(globals().values()) if isinstance(value, Metric))

CHECKS = (
    Check(
        name="gpu_row_remap",
        metric=ROW_REMAP,
        wrong=lambda held: held == 1,
        severity=Severity.WARNING,
        text="GPU {gpu}: a remapping of memory rows is {state}",
        remedy="pending: reset the GPU when it is free; failed: have the board replaced",
    ),
    Check(
        name="gpu_recovery_action",
        metric=RECOVERY_ACTION,
        wrong=lambda action: action > 0,
        severity=Severity.WARNING,
        text="GPU {gpu}: the driver wants a recovery",
        remedy="hwinfoctl show nvidia; nvidia-smi -q",
    ),
    Check(
        name="gpu_nvlink_down",
        metric=NVLINKS,
        wrong=lambda links: links > 0,
        severity=Severity.WARNING,
        text="GPU {gpu}: {value:.0f} NVLinks are down",
        remedy="hwinfoctl show nvidia; nvidia-smi nvlink -s",
        only={"state": "down"},
    ),
    Check(
        name="gpu_released",
        metric=RELEASED,
        wrong=lambda released: released == 1,
        severity=Severity.INFO,
        text="the daemon has let go of the GPUs; their values are absent",
        remedy="hwinfoctl gpu resume",
    ),
)
