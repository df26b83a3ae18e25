# SPDX-License-Identifier: MIT
"""A host with RDMA devices: their directories in sysfs, and a kernel that answers for them over netlink."""

from __future__ import annotations

import errno
import shutil
import struct
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace

import pytest

from hwinfod.errors import Absent
from hwinfod.sources.nldev.attributes import NUMBERS
from hwinfod.sources.nldev.enums import COMMANDS
from hwinfod.sources.nldev.fields import iter_attributes
from hwinfod.sources.nldev.messages import Message
from tests.support import netlink
from tests.support.ethtool import Driver
from tests.support.netlink import MULTI, Kernel, done, error, reply, table, text, u8, u32, u64
from tests.support.sysfs import put

KINDS = ("pd", "cq", "qp", "cm_id", "mr", "ctx", "srq")
RES = {f"RES_{kind.upper()}_GET": kind for kind in KINDS}


@dataclass
class FakeDevice:
    """`hw` are the driver's counters, None for a driver that has none; `optional` says of others whether they are on,
    None for a kernel that does not. `objects` by kind: entries as bytes. `netdev` is
    the network interface in sysfs, `told_netdev` in netlink: None for the same, "" for one in another namespace."""

    name: str
    index: int
    guid: int
    netdev: str = ""
    told_netdev: str | None = None
    link_layer: str = "InfiniBand"
    state: int = 4
    physical_state: int = 5
    rate: str = "200 Gb/sec (4X HDR)"
    hw: dict[str, int] | None = None
    optional: dict[str, bool] | None = None
    counters: dict[str, object] = field(default_factory=dict)
    objects: dict[str, list[bytes]] = field(default_factory=dict)
    bound: list[bytes] = field(default_factory=list)
    refuses: dict[str, int] = field(default_factory=dict)  # command: errno
    part: int = 2  # objects or bound counters in one message

    @property
    def guid_text(self) -> str:
        digits = f"{self.guid:016x}"
        return ":".join(digits[at : at + 4] for at in range(0, 16, 4))


class RdmaHost:
    """`devices` may be changed at will; `show` puts them into sysfs. `questions` is what netlink was asked.
    `cpu_clock` tells a scan how much CPU it took: nothing, however busy this machine is, unless a test says more."""

    def __init__(self, directory: Path, patch: pytest.MonkeyPatch, *, netns_mode: int = 1) -> None:
        self.directory = directory
        self.devices: dict[str, FakeDevice] = {}
        self.netns_mode = netns_mode
        self.monitor = False
        self.questions: list[str] = []
        self.has_netlink = True
        self.notifications = Notifications()
        self.ethtool = Driver({})
        self.cpu_clock: Callable[[], float] = lambda: 0.0
        patch.setattr("hwinfod.collectors._rdma_objects.time", SimpleNamespace(thread_time=lambda: self.cpu_clock()))
        patch.setattr("hwinfod.collectors._rdma_reader.EthtoolSocket", lambda: self.ethtool)
        for module in ("_rdma_reader", "_rdma_devices"):
            patch.setattr(f"hwinfod.collectors.{module}.open_transport", self._open)
        (directory / "proc").mkdir(parents=True, exist_ok=True)

    def _open(self, roots: object, *, notifications: bool = False) -> object:
        if not self.has_netlink:
            raise Absent("no RDMA netlink")
        return self.notifications if notifications else Kernel(self._answer)

    def add(self, device: FakeDevice) -> FakeDevice:
        self.devices[device.name] = device
        self.show()
        return device

    def remove(self, name: str) -> None:
        del self.devices[name]
        shutil.rmtree(self.directory / "sys/class/infiniband" / name)

    def show(self) -> None:
        (self.directory / "sys/class/infiniband").mkdir(parents=True, exist_ok=True)
        for device in self.devices.values():
            port = {
                "link_layer": device.link_layer,
                "state": f"{device.state}: X",
                "phys_state": f"{device.physical_state}: X",
                "rate": device.rate,
                "gids/0": f"fe80:0000:0000:0000:{device.guid_text}",
                **{f"counters/{name}": value for name, value in device.counters.items()},
                **{f"hw_counters/{name}": value for name, value in (device.hw or {}).items()},
            }
            if device.netdev:
                port |= {"gid_attrs/ndevs/0": device.netdev, "gid_attrs/types/0": "RoCE v2"}
            facts = {"node_type": "1: CA", "node_guid": device.guid_text, "fw_ver": "28.43"}
            facts |= {f"ports/1/{name}": value for name, value in port.items()}
            put(self.directory / "sys/class/infiniband" / device.name, facts)

    def process(self, pid: int, *, threads: tuple[int, ...] = (), start: int = 1000) -> None:
        """A process in /proc, with the numbers of its threads."""
        stat = f"{pid} (rank) S 1 1 1 0 -1 4194560 0 0 0 0 0 0 0 0 20 0 1 0 {start} 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0"
        for task in (pid, *threads):
            put(self.directory / "proc" / str(task), {"status": f"Name:\trank\nTgid:\t{pid}\nPid:\t{task}"})
        put(self.directory / "proc" / str(pid), {"stat": stat})

    def _answer(self, request: Message, sequence: int) -> list[bytes | OSError]:
        command = COMMANDS[request.type & 0x3FF]
        asked = {
            number: struct.unpack_from("=I", request.payload, start)[0]
            for number, start, _ in iter_attributes(request.payload, 0, len(request.payload))
        }
        index = asked.get(NUMBERS["DEV_INDEX"])
        self.questions.append(command)
        device = next((d for d in self.devices.values() if d.index == index), None)
        if index is not None and device is None:
            return [self._refuse(request, sequence, errno.EINVAL)]
        if device is not None and command in device.refuses:
            return [self._refuse(request, sequence, device.refuses[command])]
        if request.flags & 0x300:
            parts = self._dump(command, device, asked)
            return [*(reply(command, part, sequence=sequence, flags=MULTI) for part in parts), done(sequence)]
        payload = self._one(command, device, asked)
        if payload is None:
            return [self._refuse(request, sequence, errno.EINVAL)]
        return [reply(command, payload, sequence=sequence)]

    def _refuse(self, request: Message, sequence: int, number: int) -> bytes:
        if request.flags & 0x300:
            return done(sequence, number)
        return error(number, bytes(16), sequence)

    def _one(self, command: str, device: FakeDevice | None, asked: dict[int, int]) -> bytes | None:
        if command == "SYS_GET":
            return u8("NETNS_MODE", self.netns_mode) + (u8("MONITOR_MODE", 1) if self.monitor else b"")
        assert device is not None
        head = netlink.device(device.index, device.name) + u32("PORT_INDEX", 1)
        if command == "PORT_GET":
            told = device.netdev if device.told_netdev is None else device.told_netdev
            netdev = netlink.text("NDEV_NAME", told) if told else b""
            return head + u8("PORT_STATE", device.state) + u8("PORT_PHYS_STATE", device.physical_state) + netdev
        if command == "STAT_GET_STATUS":
            return None if device.optional is None else head + _statuses(device)
        if NUMBERS["STAT_MODE"] in asked:
            return head + u32("STAT_MODE", 2 if device.bound else 0)
        return None if device.hw is None else head + netlink.counters(device.hw)

    def _dump(self, command: str, device: FakeDevice | None, asked: dict[int, int]) -> list[bytes]:
        if command == "GET":
            return [
                netlink.device(d.index, d.name) + u64("NODE_GUID", d.guid) + u32("PORT_INDEX", 1)
                for d in self.devices.values()
            ]
        if command == "RES_GET":
            return [netlink.device(d.index, d.name) + _summary(d) for d in self.devices.values()]
        assert device is not None
        head = netlink.device(device.index, device.name)
        kind = RES.get(command, "")
        entries = device.bound if command == "STAT_GET" else device.objects.get(kind, [])
        name = "STAT_COUNTER" if command == "STAT_GET" else f"RES_{kind.upper()}"
        return [head + table(name, *entries[at : at + device.part]) for at in range(0, len(entries), device.part)]


def _statuses(device: FakeDevice) -> bytes:
    names = {**dict.fromkeys(device.hw or {}), **(device.optional or {})}
    entries = [
        table(
            "STAT_HWCOUNTER_ENTRY",
            text("STAT_HWCOUNTER_ENTRY_NAME", name) + u32("STAT_HWCOUNTER_INDEX", position),
            b"" if is_on is None else u8("STAT_HWCOUNTER_DYNAMIC", is_on),
        )
        for position, (name, is_on) in enumerate(names.items())
    ]
    return table("STAT_HWCOUNTERS", *entries)


def _summary(device: FakeDevice) -> bytes:
    entries = [
        table(
            "RES_SUMMARY_ENTRY",
            text("RES_SUMMARY_ENTRY_NAME", kind),
            u64("RES_SUMMARY_ENTRY_CURR", len(device.objects.get(kind, []))),
        )
        for kind in KINDS
    ]
    return table("RES_SUMMARY", *entries)


def owner(who: int | str) -> bytes:
    """A process's number, a kernel user's name; 0 for one that the reader may not see."""
    if isinstance(who, str):
        return text("RES_KERN_NAME", who)
    return u32("RES_PID", who) if who else b""


def qp(number: int, who: int | str, *, state: int = 3, kind: int = 2) -> bytes:
    fields = (u32("RES_LQPN", number), owner(who), u8("RES_TYPE", kind), u8("RES_STATE", state))
    return table("RES_QP_ENTRY", u32("PORT_INDEX", 1), *fields)


def mr(number: int, who: int | str, length: int) -> bytes:
    return table("RES_MR_ENTRY", u32("RES_MRN", number), u64("RES_MRLEN", length), owner(who))


def cm_id(number: int, who: int, peer: str, *, state: int = 5) -> bytes:
    host, _, port = peer.rpartition(":")
    address = struct.pack("=H", 2) + struct.pack("!H", int(port)) + bytes(map(int, host.split(".")))
    destination = netlink.attribute(NUMBERS["RES_DST_ADDR"], address.ljust(128, b"\0"))
    return table("RES_CM_ID_ENTRY", u32("RES_CM_IDN", number), u8("RES_STATE", state), destination, owner(who))


def plain(kind: str, number: int, who: int | str) -> bytes:
    """An object of which only the owner matters: cq, pd, ctx, srq."""
    names = {"cq": "RES_CQN", "pd": "RES_PDN", "ctx": "RES_CTXN", "srq": "RES_SRQN"}
    return table(f"RES_{kind.upper()}_ENTRY", u32(names[kind], number), owner(who))


def bound(number: int, values: dict[str, int], *, qps: tuple[int, ...] = (), who: int | str = 0) -> bytes:
    lines = [table("RES_QP_ENTRY", u32("RES_LQPN", qp_number)) for qp_number in qps]
    fields = (u32("STAT_COUNTER_ID", number), u32("STAT_MODE", 2), owner(who), table("RES_QP", *lines))
    return table("STAT_COUNTER_ENTRY", u32("PORT_INDEX", 1), *fields, netlink.counters(values))


class Notifications:
    """The socket of MONITOR events. `queue` holds datagrams, or errors to raise in their place."""

    def __init__(self) -> None:
        self.queue: list[bytes | OSError] = []
        self.closed = False

    def receive_waiting(self) -> bytes | None:
        if not self.queue:
            return None
        data = self.queue.pop(0)
        if isinstance(data, OSError):
            raise data
        return data

    def close(self) -> None:
        self.closed = True
