# SPDX-License-Identifier: MIT
"""Our decoders against pyroute2's, which decodes by the same table. tests/matrix runs this file again with the
pyroute2 that Debian 12 has."""

from __future__ import annotations

import errno
import importlib.metadata
import os
import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hwinfod.sources.nldev import counters, devices, resources
from hwinfod.sources.nldev.attributes import NAMES, NUMBERS, TYPES
from hwinfod.sources.nldev.enums import COMMAND, message_type
from hwinfod.sources.nldev.family import MarshalRDMA, RDMASocket, nldevmsg
from hwinfod.sources.nldev.messages import build_request, iter_messages
from hwinfod.sources.nldev.tree import decode_message, format_guid
from tests.support import netlink
from tests.support.netlink import CAPTURES, attribute, captured, device, reply, u32

pyroute2_errors = pytest.importorskip("pyroute2.netlink.exceptions")


def test_this_is_the_pyroute2_that_was_asked_for():
    wanted = os.environ.get("EXPECT_PYROUTE2")
    assert wanted in (None, importlib.metadata.version("pyroute2"))


def plain(message) -> dict:
    """A decoded pyroute2 message in the form of our own tree."""
    table = {}
    for slot in message["attrs"]:
        name, value = slot[0], slot[1]
        if isinstance(value, dict):
            value = plain(value)
        elif name.endswith(("_GUID", "SUBNET_PREFIX")):
            value = format_guid(value)
        elif isinstance(value, bytes):
            value = value.hex()
        if name.endswith("_ENTRY"):
            table.setdefault(name, []).append(value)
        else:
            table[name] = value
    return table


def theirs(data: bytes) -> list:
    return [message for message in MarshalRDMA().parse(data) if message["header"]["type"] > 16]


def ours(data: bytes) -> list[dict]:
    return [decode_message(message)["attributes"] for message in iter_messages(data) if message.type > 16]


@pytest.mark.parametrize("path", sorted((CAPTURES / "netlink").glob("*.bin")), ids=lambda path: path.stem)
def test_captured_messages_are_decoded_alike(path):
    data = path.read_bytes()
    assert [plain(message) for message in theirs(data)] == ours(data)


ALL = {short: TYPES[number] for short, number in NUMBERS.items()}
SIZES = {"uint8": ("=B", 8), "uint32": ("=I", 32), "uint64": ("=Q", 64)}


def socket_address(family: int, port: int, rest: bytes) -> bytes:
    return (struct.pack("=H", family) + struct.pack("!H", port) + rest).ljust(128, b"\0")


def simple(name: str):
    kind = ALL[name]
    if kind in SIZES:
        shape, bits = SIZES[kind]
        return st.integers(0, 2**bits - 1).map(lambda v: attribute(NUMBERS[name], struct.pack(shape, v)))
    if kind in ("int32", "int64"):
        shape, bits = ("=i", 32) if kind == "int32" else ("=q", 64)
        values = st.integers(-(2 ** (bits - 1)), 2 ** (bits - 1) - 1)
        return values.map(lambda v: attribute(NUMBERS[name], struct.pack(shape, v)))
    if kind == "asciiz":
        words = st.text("abcdefghijklmnopqrstuvwxyz_0123456789é", min_size=1, max_size=30)
        return words.map(lambda v: netlink.text(name, v))
    if kind == "sockaddr":
        parts = st.tuples(st.sampled_from((2, 10)), st.integers(0, 65535), st.binary(min_size=24, max_size=24))
        return parts.map(lambda v: attribute(NUMBERS[name], socket_address(*v)))
    return st.binary(min_size=1, max_size=40).map(lambda v: attribute(NUMBERS[name], v))


PLAIN_NAMES = sorted(name for name, kind in ALL.items() if kind not in ("none", "recursive"))
TABLE_NAMES = sorted(name for name, kind in ALL.items() if kind == "recursive")
LEAF = st.sampled_from(PLAIN_NAMES).flatmap(lambda name: simple(name).map(lambda data: (name, data)))


def tables(inner):
    def join(drawn):
        name, items, flagged = drawn
        return name, netlink.table(name, *dict(items).values(), flagged=flagged)

    return st.tuples(st.sampled_from(TABLE_NAMES), st.lists(inner, max_size=5), st.booleans()).map(join)


TREES = st.recursive(LEAF, tables, max_leaves=12)


@given(st.lists(TREES, max_size=6).map(dict), st.sampled_from(sorted(COMMAND)))
def test_generated_messages_are_decoded_alike(attributes, command):
    data = reply(command, b"".join(attributes.values()))
    assert [plain(message) for message in theirs(data)] == ours(data)


def values_by_name(message) -> dict:
    """Counter names and values of a message that pyroute2 decoded."""
    found = {}
    for entry in message.get_attr("RDMA_NLDEV_ATTR_STAT_HWCOUNTERS")["attrs"]:
        name = entry[1].get_attr("RDMA_NLDEV_ATTR_STAT_HWCOUNTER_ENTRY_NAME")
        found[name] = entry[1].get_attr("RDMA_NLDEV_ATTR_STAT_HWCOUNTER_ENTRY_VALUE")
    return found


COUNTERS = st.dictionaries(
    st.text("abcdefghijklmnopqrstuvwxyz_0123456789", min_size=1, max_size=30), st.integers(0, 2**64 - 1), max_size=60
)


@given(COUNTERS, st.booleans())
def test_the_fast_counters_are_pyroute2s(values, padded):
    payload = device(0, "mlx5_0") + u32("PORT_INDEX", 1) + netlink.counters(values, padded=padded)
    (message,) = theirs(reply("STAT_GET", payload))
    layout = counters.CounterLayout(payload)
    assert values_by_name(message) == counters.parse_counters(payload) == dict(zip(layout.names, layout.read(payload)))


@pytest.mark.parametrize("name", ["counters_rxe0", "counters_rxe1", "counters_rxe2"])
def test_the_fast_counters_are_pyroute2s_on_captured_messages(name):
    (message,) = theirs((CAPTURES / "netlink" / f"{name}.bin").read_bytes())
    payload = captured(name)[0].payload
    layout = counters.CounterLayout(payload)
    assert values_by_name(message) == counters.parse_counters(payload) == dict(zip(layout.names, layout.read(payload)))


FIELDS = {
    kind: {slot: NAMES[number] for number, slot in of_kind.slots.items()} for kind, of_kind in resources.KINDS.items()
}


def records_of(message, kind: str) -> list[tuple]:
    """What the fast decoder should say of a message, from pyroute2's decode."""
    of_kind = resources.KINDS[kind]
    index = message.get_attr("RDMA_NLDEV_ATTR_DEV_INDEX")
    records = []
    for slot in message["attrs"]:
        if slot[0] != NAMES[of_kind.table]:
            continue
        for entry in slot[1]["attrs"]:
            found = plain(entry[1])
            records.append((index, *(found.get(FIELDS[kind][at]) for at in range(1, len(FIELDS[kind]) + 1))))
    return records


@pytest.mark.parametrize("name", ["rxe0", "rxe1"])
@pytest.mark.parametrize("kind", list(resources.KINDS))
def test_the_fast_objects_are_pyroute2s_on_captured_messages(kind, name):
    of_kind = resources.KINDS[kind]
    data = (CAPTURES / "netlink" / f"{kind}_{name}.bin").read_bytes()
    wanted = message_type(of_kind.command)
    expected = [r for m in theirs(data) if m["header"]["type"] == wanted for r in records_of(m, kind)]
    found = [r for m in iter_messages(data) if m.type == wanted for r in resources.parse_resources(m.payload, of_kind)]
    assert [tuple(record) for record in found] == expected
    assert found or kind == "srq"


@pytest.mark.parametrize("kind", list(resources.KINDS))
@given(data=st.data())
def test_the_fast_objects_are_pyroute2s_on_generated_messages(kind, data):
    of_kind = resources.KINDS[kind]
    mine = sorted({name for name, number in NUMBERS.items() if number in of_kind.slots})
    leaf = st.sampled_from(mine).flatmap(lambda name: simple(name).map(lambda value: (name, value)))
    entries = data.draw(st.lists(st.lists(leaf | LEAF | tables(LEAF), max_size=12).map(dict), max_size=5))
    short = {number: name for name, number in NUMBERS.items()}
    rows = [netlink.table(short[of_kind.entry], *entry.values()) for entry in entries]
    payload = device(7, "mlx5_7") + netlink.table(short[of_kind.table], *rows)
    (message,) = theirs(reply("RES_QP_GET", payload))
    assert [tuple(record) for record in resources.parse_resources(payload, of_kind)] == records_of(message, kind)


def test_the_totals_are_pyroute2s():
    data = (CAPTURES / "netlink" / "totals.bin").read_bytes()
    found = [devices.parse_summary(m.payload) for m in iter_messages(data) if m.type > 16]
    for message, summary in zip(theirs(data), found):
        entries = message.get_attr("RDMA_NLDEV_ATTR_RES_SUMMARY")["attrs"]
        assert summary.counts == {
            e[1].get_attr("RDMA_NLDEV_ATTR_RES_SUMMARY_ENTRY_NAME"): e[1].get_attr(
                "RDMA_NLDEV_ATTR_RES_SUMMARY_ENTRY_CURR"
            )
            for e in entries
        }


def test_pyroute2_asks_the_question_that_we_ask():
    question = nldevmsg()
    question["attrs"] = [["RDMA_NLDEV_ATTR_DEV_INDEX", 3], ["RDMA_NLDEV_ATTR_PORT_INDEX", 1]]
    question["header"].update({"type": message_type(17), "flags": 1, "sequence_number": 9, "pid": 0})
    question.encode()
    assert bytes(question.data) == build_request(message_type(17), 0, 9, ((1, 3), (3, 1)))


def test_the_socket_asks_and_takes_a_refusal():
    # No kernel of a test machine need have RDMA, but every one has rtnetlink (protocol 0): it takes the same
    # frame and refuses a message type that is none of its own.
    sock = RDMASocket(family=0)
    try:
        sock.bind()
        with pytest.raises(pyroute2_errors.NetlinkError) as caught:
            list(sock.nldev(COMMAND["STAT_GET"], [("RDMA_NLDEV_ATTR_DEV_INDEX", 0)]))
        assert caught.value.code == errno.EOPNOTSUPP
    finally:
        sock.close()
