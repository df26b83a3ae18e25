# SPDX-License-Identifier: MIT
"""One RDMA port, read every second: state, rate and all its counters, laid out once and then only filled."""

from __future__ import annotations

import contextlib
import logging
import os
from operator import itemgetter
from typing import TYPE_CHECKING, NamedTuple

from hwinfod.collectors._rdma_families import HW_COUNTER, LABELLED, SINGLE
from hwinfod.errors import HwinfodError, NotProvided
from hwinfod.sources.files import Attribute
from hwinfod.sources.infiniband import PortFiles
from hwinfod.sources.infiniband_counters import CounterFiles, in_base_unit, saturation
from hwinfod.sources.nldev.attributes import NUMBERS
from hwinfod.sources.nldev.counters import CounterLayout, parse_counter_status
from hwinfod.sources.nldev.devices import parse_port
from hwinfod.sources.nldev.enums import COMMAND
from hwinfod.sources.nldev.messages import ReplyTooBig

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from hwinfod.core.codec import Value
    from hwinfod.core.host import RootPaths
    from hwinfod.core.table import Column
    from hwinfod.sources.infiniband import PortFacts, RdmaDevice
    from hwinfod.sources.nldev.client import Client

log = logging.getLogger("hwinfod.rdma")

_DEV_INDEX, _PORT_INDEX = NUMBERS["DEV_INDEX"], NUMBERS["PORT_INDEX"]
_PORT_GET, _STAT_GET, _STAT_GET_STATUS = COMMAND["PORT_GET"], COMMAND["STAT_GET"], COMMAND["STAT_GET_STATUS"]
_PMA = "counters/"


class Link(NamedTuple):
    """State and physical state as numbers, rate in bytes a second, and how often the link was lost."""

    state: int | None
    physical_state: int | None
    rate_bytes: float | None
    losses: int | None


class Port:
    """`client` and `index` say how netlink reaches the device; without them all comes from sysfs.

    `names` are the counters in the order in which `read_counters` gives them: "counters/NAME" for those of the
    port's management agent, NAME for the driver's. It is a new tuple when the driver's list has changed.
    `saturated` is how many counters stood at their register's limit at the last two readings, `counters_off` the
    driver's optional counters that nobody has turned on, as of the last `follow`.
    """

    def __init__(
        self,
        roots: RootPaths,
        device: RdmaDevice,
        number: int,
        facts: PortFacts,
        reach: tuple[Client, int] | None,
    ) -> None:
        self.device = device
        self.number = number
        self.facts = facts
        self.labels = (device.name, str(number))
        self.title = f"{device.name}/{number}"
        self.names: tuple[str, ...] = ()
        self.saturated = 0
        self.counters_off: tuple[str, ...] = ()
        self._reach = reach
        self._files = PortFiles(device, number)
        directory = os.path.join(device.directory, "ports", str(number))
        self._pma = CounterFiles(os.path.join(directory, "counters"))
        self._hw_directory = os.path.join(directory, "hw_counters")
        self._hw_files = CounterFiles(self._hw_directory) if reach is None else None
        self._is_refused = False
        self._hw_names: tuple[str, ...] | None = None
        self._layout: CounterLayout | None = None
        limits = ((place, saturation(name)) for place, name in enumerate(self._pma.names))
        self._limits = [(place, most) for place, most in limits if most is not None]
        self._standing: frozenset[int] = frozenset()
        self._losses = self._find_losses(roots)

    @property
    def identity(self) -> tuple[object, ...]:
        """What makes it this port: another number in netlink is a device that left and came back."""
        index = self._reach[1] if self._reach else None
        return (self.device.directory, self.number, index, self.facts.link_layer, self.facts.interface)

    @property
    def attributes(self) -> tuple[tuple[int, int], tuple[int, int]]:
        """What names this port in a question."""
        index = self._reach[1] if self._reach else 0
        return (_DEV_INDEX, index), (_PORT_INDEX, self.number)

    def read_link(self) -> Link:
        """One question to the driver where netlink has it, three files otherwise. Raises ReadError, ParseError."""
        losses = None if self._losses is None else self._losses.read_int()
        if self._reach is None:
            state, physical_state, rate = self._files.read()
        else:
            port = parse_port(self._reach[0].ask(_PORT_GET, *self.attributes))
            state, physical_state, rate = port.state, port.physical_state, self._files.read_rate()
        return Link(state, physical_state, None if rate is None else rate.bits_per_second / 8, losses)

    def read_counters(self) -> list[Value]:
        """All counters in the order of `names`, data in bytes. Raises ReadError, ParseError."""
        hw_names, hw_values = self._read_hw()
        if hw_names is not self._hw_names:
            self._hw_names = hw_names
            self.names = (*(_PMA + name for name in self._pma.names), *hw_names)
        raw = self._pma.read()
        standing = frozenset(place for place, most in self._limits if raw[place] == most)
        self.saturated = len(standing & self._standing)
        self._standing = standing
        return [*(None if v is None else in_base_unit(n, v) for n, v in zip(self._pma.names, raw)), *hw_values]

    def follow(self) -> None:
        """Asks what may have changed since it was found. Counters come over netlink again, where it had refused them
        for the moment."""
        if self._is_refused:
            self._is_refused, self._hw_files = False, None
        if self._reach is not None:
            with contextlib.suppress(HwinfodError):  # before Linux 5.16, and of a port without counters
                known = parse_counter_status(self._reach[0].ask(_STAT_GET_STATUS, *self.attributes))
                self.counters_off = tuple(counter.name for counter in known if counter.enabled is False)

    def _read_hw(self) -> tuple[tuple[str, ...], Sequence[Value]]:
        """The driver's counters over netlink; from files where it has too many for one message, or none at all, and
        until `follow` where it refuses: EINVAL is any trouble of the driver too."""
        if self._reach is not None and self._hw_files is None:
            try:
                payload = self._reach[0].ask(_STAT_GET, *self.attributes)
            except (ReplyTooBig, NotProvided) as error:
                self._hw_files = CounterFiles(self._hw_directory)
                count = len(self._hw_files.names)
                self._is_refused = count > 0 and not isinstance(error, ReplyTooBig)
                log.log(
                    logging.DEBUG if self._is_refused else logging.INFO,
                    "%s: %d counters, from sysfs: %s",
                    self.title,
                    count,
                    error,
                )
            else:
                return self._read_layout(payload)
        files = self._hw_files
        return (files.names, files.read()) if files is not None else ((), ())

    def _read_layout(self, payload: bytes) -> tuple[tuple[str, ...], Sequence[int]]:
        layout = self._layout
        values = layout.read(payload) if layout else None
        if layout is None or values is None:
            layout = self._layout = CounterLayout(payload)
            values = layout.read(payload)
        return layout.names, values or ()

    def _find_losses(self, roots: RootPaths) -> Attribute | None:
        """RoCE: the network interface counts; InfiniBand: the port's management agent does."""
        if self.facts.link_layer == "Ethernet":
            if not self.facts.interface:
                return None
            return Attribute(roots.sys("class/net", self.facts.interface, "carrier_down_count"))
        return Attribute(os.path.join(self.device.directory, "ports", str(self.number), "counters", "link_downed"))


def plan(
    labels: tuple[str, str], names: tuple[str, ...]
) -> tuple[list[Column], Callable[[Sequence[Value]], tuple[Value, ...]]]:
    """The columns that counters of these names fill, and what picks their values out of a reading. Where both
    directories have a name, the driver's own counter has it: soft-RoCE's link_downed."""
    place_of = {name: place for place, name in enumerate(names)}
    chosen: dict[Column, int] = {}
    for metric, sources in SINGLE:
        for source in sources:
            if source in place_of:
                chosen.setdefault((metric, labels), place_of[source])
    for metric, values in LABELLED:
        for source, value in values.items():
            if source in place_of:
                chosen.setdefault((metric, (*labels, value)), place_of[source])
    for name, place in sorted(place_of.items(), key=lambda item: item[0].startswith(_PMA)):
        chosen.setdefault((HW_COUNTER, (*labels, name.removeprefix(_PMA))), place)
    places = tuple(chosen.values())
    if len(places) < 2:  # itemgetter gives no tuple then
        return list(chosen), lambda values: tuple(values[place] for place in places)
    return list(chosen), itemgetter(*places)
