# SPDX-License-Identifier: MIT
from __future__ import annotations

import contextlib
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hwinfod.errors import ParseError
from hwinfod.sources.kubelet_pods import (
    MOST_PODS,
    NodeStorage,
    Pod,
    PodContainer,
    PodStorage,
    parse_pods,
    parse_summary,
)
from tests.support.kubelet import pod, pod_list, summary

UID = "5f2c1f0e-1111-2222-3333-444455556666"
HASH = "0123456789abcdef0123456789abcdef"
ID = "1f" * 32


def test_a_pod_with_a_container_that_waits() -> None:
    (found,) = parse_pods(pod_list([pod("train-0", UID, {"cuda": ID})]))
    assert found == Pod(UID, "", "ml", "train-0", "Running", (PodContainer("cuda", ID, "registry.example/cuda:12"),))


def test_init_and_ephemeral_containers() -> None:
    record = pod("train-0", UID, {"cuda": ID})
    record["status"]["initContainerStatuses"] = [{"name": "fetch", "containerID": "cri-o://" + "2e" * 32}]
    record["status"]["ephemeralContainerStatuses"] = [{"name": "debug", "containerID": "docker://" + "3d" * 32}]
    (found,) = parse_pods(pod_list([record]))
    assert [(each.name, each.container_id[:2]) for each in found.containers] == [
        ("fetch", "2e"), ("cuda", "1f"), ("debug", "3d"),
    ]  # fmt: skip


@pytest.mark.parametrize("annotation", ["kubernetes.io/config.hash", "kubernetes.io/config.mirror"])
def test_a_static_pod_has_the_hash_of_its_configuration(annotation: str) -> None:
    annotations = {annotation: HASH, "kubernetes.io/config.source": "file"}
    (found,) = parse_pods(pod_list([pod("etcd-node-1", UID, annotations=annotations)]))
    assert (found.pod_uid, found.config_hash) == (UID, HASH)


@pytest.mark.parametrize(
    ("source", "claimed"), [("api", HASH), ("", HASH), ("file", UID), ("file", HASH.upper()), ("file", HASH[1:])]
)
def test_a_tenant_does_not_choose_his_own_hash(source: str, claimed: str) -> None:
    annotations = {"kubernetes.io/config.hash": claimed, "kubernetes.io/config.source": source}
    (found,) = parse_pods(pod_list([pod("train-0", UID, annotations=annotations)]))
    assert found.config_hash == ""


def test_a_pod_of_no_known_source_has_no_hash() -> None:
    (found,) = parse_pods(pod_list([pod("train-0", UID, annotations={"kubernetes.io/config.hash": HASH})]))
    assert found.config_hash == ""


def test_storage_of_node_and_pods() -> None:
    data = summary({(UID, "ml", "train-0"): 4096, ("u2", "ml", "new"): None})
    assert parse_summary(data) == (
        NodeStorage(34_000_000_000, 66_000_000_000, 100_000_000_000),
        (PodStorage(UID, "ml", "train-0", 4096), PodStorage("u2", "ml", "new", None)),
    )


def test_storage_that_is_not_told_is_absent() -> None:
    assert parse_summary(b'{"node": {"fs": {"usedBytes": -1, "capacityBytes": "9"}}}').node == (None, None, None)


def test_no_more_pods_than_a_node_can_have() -> None:
    assert len(parse_pods(pod_list(pod(f"p{n}", f"u{n}") for n in range(MOST_PODS + 1)))) == MOST_PODS


@pytest.mark.parametrize("data", [b"", b"{", b"[]", b"{}", b'{"kind":"Status","status":"Failure"}', b"\xff"])
def test_what_is_no_answer(data: bytes) -> None:
    for parse in (parse_pods, parse_summary):
        with pytest.raises(ParseError):
            parse(data)


KEYS = st.sampled_from(
    "kind items metadata uid name namespace annotations status containerStatuses containerID phase node fs usedBytes "
    "pods podRef ephemeral-storage kubernetes.io/config.hash "
    "kubernetes.io/config.source".split()
)
SCALARS = st.none() | st.booleans() | st.integers() | st.text(max_size=8) | st.just("PodList")
VALUES = st.recursive(SCALARS, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(KEYS, inner, max_size=5))


LISTS = VALUES.map(lambda value: {"kind": "PodList", "items": [value], "node": value})


@given(st.binary() | (VALUES | LISTS).map(lambda value: json.dumps(value).encode()))
def test_anything_is_parsed_or_refused(data: bytes) -> None:
    with contextlib.suppress(ParseError):
        for found in parse_pods(data):
            assert found.pod_uid
            assert found.name.isprintable()
    with contextlib.suppress(ParseError):
        for each in parse_summary(data).pods:
            assert each.used_bytes is None or each.used_bytes >= 0
