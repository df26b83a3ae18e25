# SPDX-License-Identifier: MIT
"""One NVIDIA GPU: what it has is found out once, and read at every beat."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hwinfod.collectors import _nvidia_readings as readings
from hwinfod.collectors._gpu_link import BUSY_RATIO
from hwinfod.sources.nvml_errors import DeviceFailed, LibraryFailed, NvmlError, Unsupported
from hwinfod.sources.nvml_fields import find_fields

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from hwinfod.collectors._nvidia_readings import Call, Field
    from hwinfod.core.collector import Skip
    from hwinfod.core.table import Column, Table
    from hwinfod.sources.nvml import Handle, Session


class GpuReader:
    """The columns of one GPU in one table. A value that cannot be read this time is absent and costs only itself."""

    def __init__(
        self,
        session: Session,
        handle: Handle,
        table: Table,
        labels: tuple[str, str],
        calls: Sequence[Call],
        fields: Sequence[Field] = (),
    ) -> None:
        """Tries every call once. Raises DeviceFailed and LibraryFailed."""
        self.unsupported: set[str] = set()
        self.is_busy = False
        self._session = session
        self._handle = handle
        self._labels = labels
        wanted = {(field.id, field.scope): field for field in fields}
        found = find_fields(session, handle, list(wanted))
        self._reader = found.first_of_each(lambda key: (wanted[key].metric, wanted[key].labels))
        self._fields = [wanted[key] for key in self._reader.fields]
        given = {(field.metric, field.labels) for field in self._fields}
        answered = [call for call in calls if self._has(call, given)]
        # Only now, as a try that raises would leave columns behind that nobody gives up.
        self._field_group = table.bind_columns(self._columns((field.metric, field.labels) for field in self._fields))
        self._calls = [(call, table.bind_columns(self._columns(call.columns), level=call.level)) for call in answered]

    def sample(self, skip: Skip) -> bool:
        """Fills this tick's row. False where the GPU gave nothing at all. Raises DeviceFailed and LibraryFailed."""
        answered = self._sample_fields(skip)
        self.is_busy = False
        for call, group in self._calls:
            try:
                values = call.values(self._session.call(call.function, self._handle, *call.arguments))
                group.set(values)
                answered = True
                if call.function == readings.UTILIZATION_CALL:
                    self.is_busy = (values[0] or 0) > BUSY_RATIO
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

    def _sample_fields(self, skip: Skip) -> bool:
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

    def _has(self, call: Call, given: set[Column]) -> bool:
        """Whether this GPU has what nothing before gave. What fails for another reason may work the next time."""
        if given.issuperset(call.columns):
            return False
        try:
            self._session.call(call.function, self._handle, *call.arguments)
        except Unsupported:
            self.unsupported.add(call.function)
            return False
        except (DeviceFailed, LibraryFailed):
            raise
        except NvmlError as error:
            if error.code == 2:  # an argument of another generation of boards
                return False
        given.update(call.columns)
        return True

    def _columns(self, columns: Iterable[Column]) -> list[Column]:
        """With the labels of this GPU before their own."""
        return [(metric, (*self._labels, *labels)) for metric, labels in columns]
