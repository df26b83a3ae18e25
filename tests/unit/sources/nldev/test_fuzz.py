# SPDX-License-Identifier: MIT
"""Any bytes, and captured messages with bytes of theirs changed: every parser ends, and raises ParseError alone."""

from __future__ import annotations

import contextlib
import functools
import json
import sys

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from hwinfod.errors import HwinfodError, ParseError
from hwinfod.sources.nldev import counters, devices, messages, resources, tree
from hwinfod.sources.nldev.client import Client
from tests.support.netlink import CAPTURES, Kernel

PARSERS = {
    "device": devices.parse_device,
    "port": devices.parse_port,
    "system": devices.parse_system,
    "event": devices.parse_event,
    "summary": devices.parse_summary,
    "counters": counters.parse_counters,
    "layout": lambda payload: counters.CounterLayout(payload).read(payload),
    "status": counters.parse_counter_status,
    "mode": counters.parse_counter_mode,
    "bound": counters.parse_bound_counters,
    "error": messages.parse_status,
    "tree": lambda payload: tree.decode_attributes(payload, 0, len(payload)),
    **{name: functools.partial(resources.parse_resources, kind=kind) for name, kind in resources.KINDS.items()},
}
CAPTURED = [path.read_bytes() for path in sorted((CAPTURES / "netlink").glob("*.bin"))]


@st.composite
def mutated(draw) -> bytes:
    """A captured answer with up to eight bytes changed, and perhaps cut off."""
    data = bytearray(draw(st.sampled_from(CAPTURED)))
    for _ in range(draw(st.integers(1, 8))):
        data[draw(st.integers(0, len(data) - 1))] = draw(st.sampled_from((0, 1, 2, 3, 4, 5, 8, 0x7F, 0x80, 0xFF)))
    return bytes(data[: draw(st.integers(0, len(data)))]) if draw(st.booleans()) else bytes(data)


def payloads(data: bytes) -> list[bytes]:
    found = []
    with contextlib.suppress(ParseError):
        found.extend(message.payload for message in messages.iter_messages(data))
    return found


@pytest.mark.parametrize("name", PARSERS)
@given(data=mutated())
def test_changed_messages_raise_nothing_but_parse_errors(name, data):
    for payload in [*payloads(data), data[16:]]:
        with contextlib.suppress(ParseError):
            PARSERS[name](payload)


@pytest.mark.parametrize("name", PARSERS)
@given(data=st.binary(max_size=300))
@example(data=b"\x04\x00\x13\x00" * 50)
@example(data=b"\x00\x00\x00\x00" * 50)
def test_any_bytes_raise_nothing_but_parse_errors(name, data):
    with contextlib.suppress(ParseError):
        PARSERS[name](data)


@given(mutated())
def test_whatever_is_captured_is_json_or_an_error(data):
    with contextlib.suppress(ParseError):
        for message in messages.iter_messages(data):
            json.dumps(tree.decode_message(message))


@given(st.lists(mutated(), max_size=4))
def test_a_client_survives_a_kernel_gone_mad(answers):
    def with_sequence(data: bytes, sequence: int) -> bytes:
        return data[:8] + sequence.to_bytes(4, sys.byteorder) + data[12:] if len(data) >= 12 else data

    client = Client(Kernel(lambda request, sequence: [with_sequence(data, sequence) for data in answers]))
    for ask in (client.ask, client.dump):
        with contextlib.suppress(HwinfodError):
            ask(1)
