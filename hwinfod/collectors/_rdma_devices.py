# SPDX-License-Identifier: MIT
"""Which RDMA devices and ports there are: sysfs lists them, netlink is matched to them by name and GUID."""

from __future__ import annotations

import errno
import logging
import os
from typing import TYPE_CHECKING

from hwinfod.collectors._rdma_families import PORT_INFO, SYSTEM_INFO
from hwinfod.collectors._rdma_port import Port
from hwinfod.core.device import Device
from hwinfod.errors import Absent, HwinfodError, ParseError
from hwinfod.sources.infiniband import is_interface_of, list_devices, list_nodes, read_device, read_port_facts
from hwinfod.sources.infiniband_counters import CounterFiles
from hwinfod.sources.nldev.attributes import NUMBERS
from hwinfod.sources.nldev.devices import parse_device, parse_event, parse_port, parse_system
from hwinfod.sources.nldev.enums import COMMAND, EVENTS, NETNS_MODES, word
from hwinfod.sources.nldev.messages import iter_messages
from hwinfod.sources.nldev.transport import open_transport
from hwinfod.sources.nldev.tree import format_guid

if TYPE_CHECKING:
    from hwinfod.core.host import Host, RootPaths
    from hwinfod.sources.infiniband import PortFacts, RdmaDevice
    from hwinfod.sources.nldev.client import Client
    from hwinfod.sources.nldev.devices import System
    from hwinfod.sources.nldev.transport import SocketTransport

log = logging.getLogger("hwinfod.rdma")

_GET, _PORT_GET, _SYS_GET = COMMAND["GET"], COMMAND["PORT_GET"], COMMAND["SYS_GET"]
_NO_GUID = "0000:0000:0000:0000"


class Inventory:
    """`devices` by name, `ids` their stable ids, `indexes` their numbers in netlink for those that it shows,
    `ports` by "device/port", `device_counters` of drivers that count by device; `errors` are the parts of the last
    look that failed."""

    def __init__(self, roots: RootPaths, client: Client | None, host: Host) -> None:
        self.devices: dict[str, RdmaDevice] = {}
        self.ids: dict[str, str] = {}
        self.indexes: dict[str, int] = {}
        self.ports: dict[str, Port] = {}
        self.device_counters: dict[str, CounterFiles] = {}
        self.errors: dict[str, str] = {}
        self._roots = roots
        self._client = client
        self._host = host
        self._listed: list[str] = []
        self._system = self._read_system()
        self._notifications = self._open_notifications()

    def close(self) -> None:
        if self._notifications is not None:
            self._notifications.close()

    def has_changed(self) -> bool:
        """Whether devices came, went or were renamed since `refresh`: the kernel says so from Linux 6.12 on, and
        the directory always."""
        notified = self._notifications is not None and self._drain(self._notifications)
        return notified or list_devices(self._roots) != self._listed

    def refresh(self, reporter: str) -> None:
        """Looks at everything anew. A port that is as it was stays the same object."""
        self.errors = {}
        self._listed = list_devices(self._roots)
        self._system = self._read_system()  # `rdma system set netns` may have come since
        nodes = list_nodes(self._roots)
        found = [device for name in self._listed if (device := read_device(self._roots, name, nodes)) is not None]
        self.devices = {device.name: device for device in found}
        self.ids = _ids(found)
        self.indexes = self._match(self._read_indexes())
        self._find_device_counters()
        ports = {}
        for device in found:
            for number in device.ports:
                port = self._port(device, number, read_port_facts(device, number))
                ports[port.title] = port
        self.ports = ports
        self._host.devices.reconcile(reporter, self._records())

    def _find_device_counters(self) -> None:
        for name in [name for name in self.device_counters if name not in self.devices]:
            del self.device_counters[name]
        for name, device in self.devices.items():
            if name not in self.device_counters:
                files = CounterFiles(os.path.join(device.directory, "hw_counters"))
                if files.names:
                    self.device_counters[name] = files

    def _port(self, device: RdmaDevice, number: int, facts: PortFacts) -> Port:
        index = self.indexes.get(device.name)
        reach = None if index is None or self._client is None else (self._client, index)
        if reach is not None and facts.link_layer == "Ethernet":
            facts = facts._replace(interface=self._interface(reach, device, number, facts.interface))
        port = Port(self._roots, device, number, facts, reach)
        before = self.ports.get(port.title)
        if before is not None and before.identity == port.identity:
            before.facts = facts
            port = before
        port.follow()
        return port

    def _interface(self, reach: tuple[Client, int], device: RdmaDevice, number: int, in_sysfs: str) -> str:
        """Of a port, as netlink says it of our network namespace, "" for none. sysfs names an interface in whatever
        namespace it is, where the host may have another one of that name; it must do for kernels before 4.18."""
        client, index = reach
        try:
            port = parse_port(client.ask(_PORT_GET, (NUMBERS["DEV_INDEX"], index), (NUMBERS["PORT_INDEX"], number)))
        except HwinfodError:  # the port's next sample meets that too, and says it
            before = self.ports.get(f"{device.name}/{number}")
            return before.facts.interface if before is not None else ""
        if port.interface:
            return port.interface
        return in_sysfs if is_interface_of(self._roots, in_sysfs, device) else ""

    def _read_indexes(self) -> dict[str, tuple[int, str]]:
        """Netlink's number and GUID of each device that it shows us."""
        if self._client is None:
            return {}
        try:
            devices = [parse_device(payload) for payload in self._client.dump(_GET)]
        except HwinfodError as error:
            self.errors["netlink"] = str(error)
            return {}
        return {device.name: (device.device_index, format_guid(device.guid or 0)) for device in devices}

    def _match(self, shown: dict[str, tuple[int, str]]) -> dict[str, int]:
        """Only what has the same GUID in both: the sysfs that we are told to read may be of another place."""
        return {
            name: shown[name][0]
            for name, device in self.devices.items()
            if name in shown and shown[name][1] == device.guid
        }

    def _read_system(self) -> System | None:
        if self._client is None:
            return None
        try:
            return parse_system(self._client.ask(_SYS_GET))
        except HwinfodError:
            return None  # before Linux 5.1; shared is all there was

    def _open_notifications(self) -> SocketTransport | None:
        if self._system is None or not self._system.monitor:
            return None
        try:
            return open_transport(self._roots, notifications=True)
        except Absent:
            return None

    def _drain(self, notifications: SocketTransport) -> bool:
        """Whether anything was said; after an overrun we must assume so."""
        said = False
        try:
            while (data := notifications.receive_waiting()) is not None:
                said = True
                for message in iter_messages(data):
                    event = parse_event(message.payload)
                    log.debug("rdma: %s %s", word(EVENTS, event.kind), event.device)
        except ParseError as error:
            log.debug("rdma: notification: %s", error)
        except OSError as error:
            if error.errno != errno.ENOBUFS:
                raise
            return True
        return said

    def _records(self) -> list[Device]:
        records = [self._device_record(device) for device in self.devices.values()]
        records += [self._port_record(port) for port in self.ports.values()]
        if self._system is not None and self._system.netns_mode is not None:
            mode = word(NETNS_MODES, self._system.netns_mode)
            records.append(Device("rdma", "rdma system", "rdma", {"netns_mode": mode}, SYSTEM_INFO))
        return records

    def _device_record(self, device: RdmaDevice) -> Device:
        facts = {
            "device": device.name,
            "node_type": device.node_type,
            "guid": device.guid,
            "system_image_guid": device.system_image_guid,
            "description": device.description,
            "firmware": device.firmware,
            "hca_type": device.hca_type,
            "board_id": device.board_id,
            "pci": device.pci_address,
            "driver": device.driver,
            "numa_node": "" if device.numa_node is None else str(device.numa_node),
            "virtual_function": str(int(device.is_virtual_function)),
            "nodes": " ".join(device.nodes),
        }
        return Device(self.ids[device.name], "rdma", device.name, facts, parent=device.pci_address)

    def _port_record(self, port: Port) -> Device:
        device, facts = port.device, port.facts
        labels = {
            "device": device.name,
            "port": str(port.number),
            "link_layer": facts.link_layer,
            "guid": facts.guid,
            "lid": "" if facts.lid is None else str(facts.lid),
            "sm_lid": "" if facts.sm_lid is None else str(facts.sm_lid),
            "netdev": facts.interface,
            "pci": device.pci_address,
            "numa_node": "" if device.numa_node is None else str(device.numa_node),
            "firmware": device.firmware,
            "gids": " ".join(f"{gid.position}:{gid.address}" for gid in facts.gids[:8]),
            "counters_off": " ".join(port.counters_off),
        }
        id_ = self.ids[device.name]
        return Device(f"{id_}/{port.number}", "rdma port", port.title, labels, PORT_INFO, parent=id_)


def _ids(devices: list[RdmaDevice]) -> dict[str, str]:
    """By GUID, which a renamed or moved card keeps. Where it is missing or not unique: by address, else by name."""
    guids = [device.guid for device in devices]
    return {
        device.name: f"rdma:{device.guid}"
        if device.guid not in ("", _NO_GUID) and guids.count(device.guid) == 1
        else f"rdma:{device.pci_address or device.name}"
        for device in devices
    }
