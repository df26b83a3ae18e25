# SPDX-License-Identifier: MIT
"""GPM: what the multiprocessors of Hopper and later do, measured by the GPU between two samples of ours.

Source: nvml.h, nvmlGpmMetricId_t and nvmlGpmMetricsGet_t.
"""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

from hwinfod.sources.nvml_errors import NvmlError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from hwinfod.sources.nvml import Handle, Session

_VERSION = 1


class GpmReader:
    """The metrics (nvmlGpmMetricId_t) of one GPU, or of one of its GPU instances (MIG), since the last `read`."""

    def __init__(self, session: Session, handle: Handle, metrics: Sequence[int], gpu_instance: int | None) -> None:
        """Raises NvmlError."""
        self.metrics = tuple(metrics)
        self._session = session
        self._handle = handle
        self._instance = gpu_instance
        self._samples = [session.call("nvmlGpmSampleAlloc"), session.call("nvmlGpmSampleAlloc")]
        self._request = session.struct("c_nvmlGpmMetricsGet_t")
        self._request.version = _VERSION
        self._request.numMetrics = len(self.metrics)
        for index, metric in enumerate(self.metrics):
            self._request.metrics[index].metricId = metric
        self._has_sample = False

    def read(self) -> list[float | None]:
        """Each metric in its own unit (percent, MiB/s), None where there is none, as after the first sample.

        Raises NvmlError. Two reads must be 100 ms apart.
        """
        before, now = self._samples
        if self._instance is None:
            self._session.call("nvmlGpmSampleGet", self._handle, now)
        else:
            self._session.call("nvmlGpmMigSampleGet", self._handle, self._instance, now)
        self._samples = [now, before]
        if not self._has_sample:
            self._has_sample = True
            return [None] * len(self.metrics)
        self._request.sample1, self._request.sample2 = before, now
        self._session.call("nvmlGpmMetricsGet", self._request)
        answers = self._request.metrics[: len(self.metrics)]
        return [answer.value if answer.nvmlReturn == 0 and abs(answer.value) < 1e15 else None for answer in answers]

    def close(self) -> None:
        """Gives the samples back; NVML does not by itself."""
        for sample in self._samples:
            with contextlib.suppress(NvmlError):
                self._session.call("nvmlGpmSampleFree", sample)
        self._samples = []


def has_gpm(session: Session, handle: Handle) -> bool:
    """Whether the GPU measures itself: Hopper and later. Raises DeviceFailed and LibraryFailed."""
    support = session.optional("nvmlGpmQueryDeviceSupport", handle)
    return support is not None and support.isSupportedDevice == 1
