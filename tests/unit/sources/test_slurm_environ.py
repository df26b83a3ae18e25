# SPDX-License-Identifier: MIT
from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hwinfod.sources.slurm_environ import JobEnvironment, parse_environ

# Of a task of a job in Slurm 23.11, with what does not concern us.
BATCH = (
    b"SHELL=/bin/bash\0SLURM_JOB_USER=alice\0SLURM_JOB_UID=1000\0SLURM_JOB_ID=4711\0SLURM_JOB_NAME=train llama\0"
    b"SLURM_JOB_GPUS=0,2-3\0SLURM_JOB_PARTITION=gpu\0SLURM_JOB_ACCOUNT=physics\0CUDA_VISIBLE_DEVICES=0,1,2\0"
    b"AWS_SECRET_ACCESS_KEY=hush\0SLURM_NNODES=2\0"
)


def test_a_batch_script() -> None:
    assert parse_environ(BATCH) == JobEnvironment(
        "4711", "alice", "gpu", "physics", "train llama", ("0", "2", "3"), (), ("0", "1", "2")
    )


def test_a_step_with_uuids() -> None:
    found = parse_environ(b"SLURM_JOB_ID=1\0SLURM_STEP_GPUS=5\0CUDA_VISIBLE_DEVICES=GPU-1,MIG-2")
    assert (found.step_gpus, found.visible_gpus) == (("5",), ("GPU-1", "MIG-2"))


def test_parts_of_a_heterogeneous_job() -> None:
    data = b"SLURM_JOB_ID_HET_GROUP_0=1\0SLURM_JOB_ID=1\0SLURM_JOB_ID_HET_GROUP_1=2\0SLURM_JOB_ID_PACK_GROUP_1=2\0"
    assert parse_environ(data) == JobEnvironment("1", components=("1", "2"))
    many = b"\0".join(b"SLURM_JOB_ID_HET_GROUP_%d=%d" % (n, n) for n in range(200))
    assert len(parse_environ(many).components) == 128


def test_nothing_else_of_the_environment_is_taken() -> None:
    assert "hush" not in repr(parse_environ(BATCH))


@pytest.mark.parametrize(
    ("data", "name"),
    [
        (b"SLURM_JOB_NAME=a\0SLURM_JOB_NAME=b\0", "a"),
        (b"SLURM_JOB_NAME=a\nb\x1b[31m\0", "a b [31m"),
        (b"SLURM_JOB_NAME=\xff\0", "\ufffd"),
        (b"SLURM_JOB_NAME=" + b"x" * 10_000 + b"\0", "x" * 128),
        (b"SLURM_JOB_NAME\0", ""),
        (b"SLURM_JOB_NAMES=x\0 SLURM_JOB_NAME=x\0", ""),
    ],
)
def test_what_a_user_wrote_there_himself(data: bytes, name: str) -> None:
    assert parse_environ(data).name == name


@pytest.mark.parametrize(
    ("text", "gpus"),
    [
        ("", ()), (",", ()), ("0", ("0",)), ("0,0", ("0",)), ("3-1", ()), ("0-99999", ("0-99999",)), ("a-b", ("a-b",)),
        ("0-9999", tuple(map(str, range(128)))), ("-1", ("-1",)), ("\u0661-\u0662", ("\u0661-\u0662",)),
    ],
)  # fmt: skip
def test_lists_of_gpus(text: str, gpus: tuple[str, ...]) -> None:
    assert parse_environ(f"SLURM_JOB_GPUS={text}".encode()).job_gpus == gpus


NAMES = st.sampled_from(["SLURM_JOB_GPUS", "SLURM_JOB_ID", "SLURM_JOB_ID_HET_GROUP_", "X"])


@given(st.binary() | st.lists(st.tuples(NAMES, st.text())).map(
    lambda pairs: "\0".join("=".join(pair) for pair in pairs).encode("utf-8", "replace")))  # fmt: skip
def test_anything_is_bounded_and_printable(data: bytes) -> None:
    found = parse_environ(data)
    for value in found:
        for text in [value] if isinstance(value, str) else value:
            assert text.isprintable()
        assert len(value) <= 128
