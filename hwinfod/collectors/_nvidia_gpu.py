# SPDX-License-Identifier: MIT
"""One NVIDIA GPU: what it has is found out once, and read every second."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hwinfod.collectors import _nvidia_readings as readings
from hwinfod.sources.nvml_errors import DeviceFailed, LibraryFailed, NvmlError, Unsupported
from hwinfod.sources.nvml_fields import find_fields

if TYPE_CHECKING:
    from collections.abc import Callable

    from hwinfod.collectors._nvidia_readings import Call, Field
    from hwinfod.core.metric import Metric
    from hwinfod.core.table import Group, Table
    from hwinfod.sources.nvml import Handle, Session

_BUSY = 0.05  # below it a desktop's compositor, or nothing


class GpuReader:
    """The columns of one GPU in one table. A value that cannot be read this time is absent and costs only itself."""

    def __init__(self, session: Session, handle: Handle, table: Table, labels: tuple[str, str]) -> None:
        """Tries every call once. Raises DeviceFailed and LibraryFailed."""
        self.unsupported: set[str] = set()
        self.is_busy = False
        self._session = session
        self._handle = handle
        self._table = table
        self._labels = labels
        self._bound: set[tuple[Metric, tuple[str, ...]]] = set()
        wanted = {(field.id, field.scope): field for field in readings.FIELDS}
        self._reader = find_fields(session, handle, list(wanted))
        self._fields = [wanted[key] for key in self._reader.fields]
        self._field_group = self._bind_fields(self._fields)
        self._calls = [(call, self._bind(call)) for call in readings.CALLS if self._has(call)]

    def sample(self, skip: Callable[[str, object], None]) -> bool:
        """Fills this tick's row. False where the GPU gave nothing at all. Raises DeviceFailed and LibraryFailed."""
        answered = self._sample_fields(skip)
        self.is_busy = False
        for call, group in self._calls:
            try:
                values = call.values(self._session.call(call.function, self._handle, *call.arguments))
                group.set(values)
                answered = True
                if call.function == readings.UTILIZATION_CALL:
                    self.is_busy = (values[0] or 0) > _BUSY
            except (DeviceFailed, LibraryFailed):
                raise
            except NvmlError as error:
                skip(call.function, error)
        return answered

    def release(self) -> None:
        """The columns are given up: the GPU is gone."""
        self._field_group.release()
        for _, group in self._calls:
            group.release()

    def _sample_fields(self, skip: Callable[[str, object], None]) -> bool:
        try:
            values = self._reader.read()
        except (DeviceFailed, LibraryFailed):
            raise
        except NvmlError as error:
            skip(error.function, error)
            return False
        self._field_group.set(
            [None if value is None else field.value(value) for field, value in zip(self._fields, values)]
        )
        return any(value is not None for value in values)

    def _has(self, call: Call) -> bool:
        """Whether this GPU has what nothing before gave. What fails for another reason may work the next time."""
        if self._bound.issuperset(call.columns):
            return False
        try:
            self._session.call(call.function, self._handle, *call.arguments)
        except Unsupported:
            self.unsupported.add(call.function)
            return False
        except (DeviceFailed, LibraryFailed):
            raise
        except NvmlError as error:
            return error.code != 2  # an argument of another generation of boards
        return True

    def _bind(self, call: Call) -> Group:
        self._bound.update(call.columns)
        columns = [(metric, (*self._labels, *labels)) for metric, labels in call.columns]
        return self._table.bind_columns(columns, level=call.level)

    def _bind_fields(self, fields: list[Field]) -> Group:
        self._bound.update((field.metric, field.labels) for field in fields)
        return self._table.bind_columns([(field.metric, (*self._labels, *field.labels)) for field in fields])
