# SPDX-License-Identifier: MIT
from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hwinfod.errors import ParseError
from hwinfod.sources.pci_aer import SEVERITIES, AerErrors, parse_aer, read_aer
from tests.support.sysfs import put

CORRECTABLE = (
    b"RxErr 41\nBadTLP 3\nBadDLLP 0\nRollover 0\nTimeout 0\nNonFatalErr 0\nCorrIntErr 0\nHeaderOF 0\nTOTAL_ERR_COR 43\n"
)
FATAL = b"Undefined 0\nDLP 0\nSDES 0\nTLP 0\nCmpltTO 2\nPoisonTLPBlocked 0\nTOTAL_ERR_FATAL 2\n"
NONFATAL = b"CmpltTO 0\nUnsupReq 7\nuncor_bit[3] 1\nTOTAL_ERR_NONFATAL 8\n"


def test_errors_that_happened() -> None:
    assert parse_aer(CORRECTABLE) == AerErrors(43, {"RxErr": 41, "BadTLP": 3})
    assert parse_aer(NONFATAL) == AerErrors(8, {"UnsupReq": 7, "uncor_bit[3]": 1})


@pytest.mark.parametrize("data", [b"", b"RxErr 0\n", b"RxErr\nTOTAL_ERR_COR 0\n", b"TOTAL_ERR_COR x\n",
                                  b"TOTAL_ERR_COR 0\nTOTAL_ERR_FATAL 0\n"])  # fmt: skip
def test_garbage_is_a_parse_error(data: bytes) -> None:
    with pytest.raises(ParseError):
        parse_aer(data)


@given(st.binary() | st.text("RxEr0123 \nTOAL_").map(str.encode), st.sampled_from([b"", CORRECTABLE, FATAL]))
def test_arbitrary_bytes(data: bytes, before: bytes) -> None:
    try:
        errors = parse_aer(before + data)
    except ParseError:
        return
    assert isinstance(errors.total, int)
    assert all(errors.by_name.values())


def test_a_device(tmp_path: Path) -> None:
    assert read_aer(str(tmp_path)) is None  # no AER
    put(tmp_path, {"aer_dev_correctable": CORRECTABLE, "aer_dev_nonfatal": NONFATAL, "aer_dev_fatal": FATAL})
    read = read_aer(str(tmp_path))
    assert read is not None
    assert dict(zip(SEVERITIES, [errors.total for errors in read], strict=True)) == {
        "correctable": 43,
        "nonfatal": 8,
        "fatal": 2,
    }
    put(tmp_path, {"aer_dev_fatal": b"\xff"})
    with pytest.raises(ParseError):
        read_aer(str(tmp_path))
