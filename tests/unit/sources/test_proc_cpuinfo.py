# SPDX-License-Identifier: MIT
from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hwinfod.errors import ParseError
from hwinfod.sources.files import Roots
from hwinfod.sources.proc_cpuinfo import CpuInfo, parse_cpuinfo, read_cpuinfo

XEON = b"""\
processor\t: 0
vendor_id\t: GenuineIntel
cpu family\t: 6
model\t\t: 143
model name\t: Intel(R) Xeon(R) Platinum 8480+
stepping\t: 8
microcode\t: 0x2b000590
cpu MHz\t\t: 2000.000
physical id\t: 0
flags\t\t: fpu vme de pse tsc msr pae mce cx8 apic
power management:

processor\t: 1
model name\t: Somebody else
"""

GRACE = b"""\
processor\t: 0
BogoMIPS\t: 2000.00
Features\t: fp asimd evtstrm aes pmull sha1 sha2 crc32 atomics fphp
CPU implementer\t: 0x41
CPU architecture: 8
CPU variant\t: 0x0
CPU part\t: 0xd4f
CPU revision\t: 0

"""

POWER = b"""\
processor\t: 0
cpu\t\t: POWER9, altivec supported
clock\t\t: 3783.000000MHz
revision\t: 2.3 (pvr 004e 1203)

timebase\t: 512000000
"""


def test_x86_reads_the_first_processor_only() -> None:
    assert parse_cpuinfo(XEON) == CpuInfo(
        vendor="GenuineIntel",
        model="Intel(R) Xeon(R) Platinum 8480+",
        family="6",
        stepping="8",
        microcode="0x2b000590",
    )


def test_arm64_numbers_become_names() -> None:
    assert parse_cpuinfo(GRACE) == CpuInfo("ARM", "Neoverse-V2", family="8", stepping="r0p0", microcode="")


def test_arm64_unknown_part_keeps_its_numbers() -> None:
    info = parse_cpuinfo(GRACE.replace(b"0xd4f", b"0xfff").replace(b"0x41", b"0x99"))
    assert (info.vendor, info.model) == ("0x99", "implementer 0x99 part 0xfff")


def test_power() -> None:
    assert parse_cpuinfo(POWER).model == "POWER9, altivec supported"


def test_a_cut_block_is_enough(tmp_path: Path) -> None:
    (tmp_path / "cpuinfo").write_bytes(XEON.partition(b"flags")[0] + b"flags\t\t: " + b"fpu " * 10_000)
    assert read_cpuinfo(Roots(procfs=str(tmp_path))).microcode == "0x2b000590"


def test_empty_is_a_parse_error() -> None:
    with pytest.raises(ParseError):
        parse_cpuinfo(b"\n\n")


@given(st.binary() | st.binary().map(lambda part: b"CPU implementer: " + part + b"\nCPU part: " + part))
def test_arbitrary_bytes(data: bytes) -> None:
    try:
        info = parse_cpuinfo(data)
    except ParseError:
        return
    assert info.model.isprintable()
