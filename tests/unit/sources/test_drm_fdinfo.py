# SPDX-License-Identifier: MIT
"""Samples of three drivers, what the specification allows, arbitrary bytes."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hwinfod.errors import ParseError
from hwinfod.sources.drm_fdinfo import is_drm_node, parse_client, read_client
from hwinfod.sources.files import Roots
from tests.fixtures.host.gpus import GpuHost

HEAD = b"pos:\t0\nflags:\t02100002\nmnt_id:\t26\nino:\t284\n"
I915 = HEAD + (
    b"drm-driver: i915\ndrm-client-id: 7\ndrm-pdev: 0000:00:02.0\ndrm-total-system0: 125 MiB\n"
    b"drm-shared-system0: 16 MiB\ndrm-active-system0: 0\ndrm-resident-system0: 125 MiB\ndrm-purgeable-system0: 2 MiB\n"
    b"drm-engine-render: 9288864723 ns\ndrm-engine-copy: 2035071108 ns\ndrm-engine-video: 0 ns\n"
    b"drm-engine-capacity-video: 2\n"
)
XE = HEAD + (
    b"drm-driver:\txe\ndrm-client-id:\t51\ndrm-pdev:\t0000:29:00.0\ndrm-total-vram0:\t1 GiB\n"
    b"drm-resident-vram0:\t512 MiB\ndrm-resident-system:\t0\ndrm-cycles-rcs:\t28257900\n"
    b"drm-total-cycles-rcs:\t7655183225\ndrm-engine-capacity-vcs:\t2\n"
)
AMDGPU = HEAD + (
    b"drm-driver:\tamdgpu\ndrm-client-id:\t2131\ndrm-pdev:\t0000:63:00.0\npasid:\t32770\n"
    b"drm-memory-vram:\t65132 KiB\ndrm-memory-gtt: \t4096 KiB\ndrm-memory-cpu: \t9 KiB\n"
    b"amd-evicted-vram:\t0 KiB\ndrm-engine-gfx:\t162873293 ns\n"
)


def test_i915():
    client = parse_client(I915)
    assert client is not None
    assert (client.driver, client.pci_address, client.id) == ("i915", "0000:00:02.0", 7)
    assert client.engine_nanoseconds == {"render": 9288864723, "copy": 2035071108, "video": 0}
    assert client.capacities == {"video": 2}
    assert client.regions == {"system0": 125 << 20}
    assert (client.used_bytes(unified=True), client.used_bytes(unified=False)) == (125 << 20, 0)


def test_xe():
    client = parse_client(XE)
    assert client is not None
    assert (client.cycles, client.total_cycles) == ({"rcs": 28257900}, {"rcs": 7655183225})
    assert client.used_bytes(unified=False) == 512 << 20
    assert client.engine_nanoseconds == {}


def test_amdgpu():
    client = parse_client(AMDGPU)
    assert client is not None
    assert client.engine_nanoseconds == {"gfx": 162873293}
    assert client.used_bytes(unified=False) == 65132 << 10
    assert client.used_bytes(unified=True) == (65132 + 4096) << 10


def test_what_is_resident_wins_over_the_older_name():
    client = parse_client(b"drm-driver: amdgpu\ndrm-memory-vram: 10 KiB\ndrm-resident-vram: 11 KiB\n")
    assert client is not None
    assert client.regions == {"vram": 11 << 10}
    assert (client.id, client.pci_address) == (None, "")


@pytest.mark.parametrize("data", [b"", HEAD, b"drm-driver:\n", b"drm-pdev: 0000:00:02.0\n"])
def test_a_descriptor_of_which_nobody_tells(data):
    assert parse_client(data) is None


@pytest.mark.parametrize(
    "line",
    [b"drm-engine-render: -1 ns", b"drm-memory-vram: 1 PiB", b"drm-client-id: x", b"drm-cycles-rcs: " + b"9" * 21],
)
def test_what_is_not_documented_is_refused(line):
    with pytest.raises(ParseError):
        parse_client(b"drm-driver: i915\n" + line)


@given(st.binary(max_size=300))
def test_arbitrary_bytes(data):
    try:
        client = parse_client(b"drm-driver: x\ndrm-engine-" + data)
    except ParseError:
        return
    assert client is not None
    assert client.used_bytes(unified=True) >= client.used_bytes(unified=False) >= 0


@given(st.text("drm-engiycl:0129 KMBns\n", max_size=200))
def test_arbitrary_lines(text):
    try:
        client = parse_client(b"drm-driver: x\n" + text.encode())
    except ParseError:
        return
    assert client is not None


@pytest.mark.parametrize(
    ("target", "is_node"),
    [
        ("/dev/dri/renderD128", True),
        ("/dri/renderD129", True),
        ("socket:[/dri/]", False),
        ("/dev/null", False),
    ],
)
def test_nodes_below_dev_dri(target: str, is_node: bool) -> None:
    assert is_drm_node(target) is is_node


def test_a_client_is_read_by_its_descriptor(tmp_path: Path) -> None:
    host = GpuHost(tmp_path)
    host.open_drm(4711, 5, "drm-driver: xe\n")
    client = read_client(Roots(str(host.proc), str(host.sys)), 4711, "5")
    assert client is not None
    assert client.driver == "xe"
