# SPDX-License-Identifier: MIT
"""RDMA_NL_NLDEV for pyroute2: message class, marshal and socket, for 0.7.2 as for 0.9.

It leans on nothing of ours but the attribute table and the command numbers beside it, so that the three files
can go to pyroute2 together. Import it late: pyroute2 costs 14 to 24 MiB and a tenth of a second.
Source: drivers/infiniband/core/nldev.c; pyroute2.netlink, "nla_map".
"""

from __future__ import annotations

import socket
import struct
from typing import TYPE_CHECKING, Any, ClassVar

from pyroute2.netlink import NLM_F_DUMP, NLM_F_REQUEST, nla, nla_string, nlmsg
from pyroute2.netlink import nlsocket as _nlsocket

from hwinfod.sources.nldev.attributes import NLDEV_ATTRIBUTES
from hwinfod.sources.nldev.enums import COMMANDS, NETLINK_RDMA, message_type

if TYPE_CHECKING:
    from collections.abc import Iterable


class _sockaddr(nla_string):  # noqa: N801 - as pyroute2 names them
    """A __kernel_sockaddr_storage, as address and port."""

    def decode(self) -> None:
        nla_string.decode(self)
        data = self["value"]
        family = struct.unpack_from("=H", data)[0]
        port = struct.unpack_from("!H", data, 2)[0]
        if family == socket.AF_INET:
            self.value = f"{socket.inet_ntop(family, data[4:8])}:{port}"
        elif family == socket.AF_INET6:
            self.value = f"[{socket.inet_ntop(family, data[8:24])}]:{port}"
        else:
            self.value = ""


class nldev_table(nla):  # noqa: N801 - as pyroute2 names them
    """A nested table: the same attributes again."""

    sockaddr = _sockaddr
    nla_map = NLDEV_ATTRIBUTES


class nldevmsg(nlmsg):  # noqa: N801 - as pyroute2 names them
    """Any NLDEV message. There is no family header: the attributes follow nlmsghdr at once."""

    prefix = "RDMA_NLDEV_"
    sockaddr = _sockaddr
    table = nldev_table
    nla_map = tuple((number, name, "table" if kind == "recursive" else kind) for number, name, kind in NLDEV_ATTRIBUTES)


class MarshalRDMA(_nlsocket.Marshal):
    msg_map: ClassVar = {message_type(command): nldevmsg for command in COMMANDS}


class RDMASocket(_nlsocket.NetlinkSocket):
    """A NETLINK_RDMA socket. No request that reads needs a capability."""

    if hasattr(_nlsocket, "AsyncNetlinkSocket"):  # pyroute2 >= 0.8: a blocking face of an asyncio core

        class async_class(_nlsocket.AsyncNetlinkSocket):  # noqa: N801 - as pyroute2 names them
            marshal_class = MarshalRDMA

    def __init__(self, **options: Any) -> None:
        options.setdefault("family", NETLINK_RDMA)
        super().__init__(**options)
        if not hasattr(_nlsocket, "AsyncNetlinkSocket"):
            self.marshal = MarshalRDMA()

    def nldev(self, command: int, attrs: Iterable[tuple[str, Any]] = (), dump: bool = False) -> Any:
        """The replies to one command: `sock.nldev(COMMAND["GET"], dump=True)`."""
        msg = nldevmsg()
        msg["attrs"] = [list(attr) for attr in attrs]
        flags = NLM_F_REQUEST | (NLM_F_DUMP if dump else 0)
        return self.nlm_request(msg, msg_type=message_type(command), msg_flags=flags)
