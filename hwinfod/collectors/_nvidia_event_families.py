# SPDX-License-Identifier: MIT
"""The families of the nvidia_events collector, and what counts as wrong with them."""

from __future__ import annotations

from hwinfod.collectors._gpu_families import LABELS, counter
from hwinfod.core.check import Check
from hwinfod.core.event import Severity
from hwinfod.core.metric import Kind, Metric

XID_ERRORS = counter(
    "hw_gpu_xid_errors_total",
    "Numbered errors that the driver reported, by whom they speak of: application, driver or hardware; since boot"
    " where the kernel's log may be read, else since the daemon connected.",
    "NVML nvmlEventTypeXidCriticalError; /dev/kmsg, NVRM: Xid",
    labels=("xid", "class"),
)
XID_LAST = Metric(
    name="hw_gpu_xid_last_timestamp_seconds",
    kind=Kind.GAUGE,
    unit="timestamp_seconds",
    help="When the driver last reported this error.",
    source="NVML nvmlEventTypeXidCriticalError; /dev/kmsg, NVRM: Xid",
    labels=(*LABELS, "xid"),
)
EVENTS = counter(
    "hw_gpu_events_total",
    "Events of the driver about the GPU since the daemon connected: memory errors, changes of clocks.",
    "NVML nvmlEventSetWait_v2",
    labels=("event",),
    detailed=True,
)
SXID_ERRORS = Metric(
    name="hw_nvswitch_sxid_errors_total",
    kind=Kind.COUNTER,
    help="Numbered errors of NVSwitches since boot, as the kernel's log remembers them.",
    source="/dev/kmsg, nvidia-nvswitch: SXid",
    labels=("pci", "sxid", "class"),
)
SXID_LAST = Metric(
    name="hw_nvswitch_sxid_last_timestamp_seconds",
    kind=Kind.GAUGE,
    unit="timestamp_seconds",
    help="When the driver last reported this error of an NVSwitch.",
    source="/dev/kmsg, nvidia-nvswitch: SXid",
    labels=SXID_ERRORS.labels,
)

CHECKS = (
    Check(
        name="gpu_hardware_xid",
        metric=XID_ERRORS,
        wrong=lambda errors: errors > 0,
        severity=Severity.CRITICAL,
        text="GPU {gpu}: Xid {xid} ({value:.0f}x), an error of the hardware",
        remedy="hwinfoctl events; drain the node, look the number up in NVIDIA's catalog",
        only={"class": "hardware"},
    ),
    Check(
        name="nvswitch_fatal_sxid",
        metric=SXID_ERRORS,
        wrong=lambda errors: errors > 0,
        severity=Severity.CRITICAL,
        text="NVSwitch {pci}: SXid {sxid} ({value:.0f}x), a fatal error",
        remedy="hwinfoctl events; the log of the Fabric Manager",
        only={"class": "fatal"},
    ),
)

METRICS = (XID_ERRORS, XID_LAST, EVENTS, SXID_ERRORS, SXID_LAST)
