# SPDX-License-Identifier: MIT
from __future__ import annotations

import contextlib
import json
import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hwinfod.errors import Gone, ParseError, ReadError
from hwinfod.sources import oci_bundle
from hwinfod.sources.files import Roots
from hwinfod.sources.oci_bundle import (
    STORAGE_NAMES,
    Bundle,
    list_bundles,
    parse_storage_names,
    read_bundle,
    read_storage_names,
)

A, B, C = "1f" * 32, "2e" * 32, "3d" * 32
TASKS = "io.containerd.runtime.v2.task"


@pytest.fixture
def roots(tmp_path: Path) -> Roots:
    return Roots(rootfs=str(tmp_path))


def make(roots: Roots, directory: str, pod: str) -> None:
    path = Path(roots.root(directory))
    path.mkdir(parents=True)
    annotations = {"io.kubernetes.cri.sandbox-name": f"containerd's {pod}", "io.kubernetes.pod.name": f"CRI-O's {pod}"}
    document = {"annotations": annotations, "linux": {"cgroupsPath": f"kubepods.slice:crio:{C}"}}
    (path / "config.json").write_text(json.dumps(document))


def test_bundles_of_every_runtime(roots: Roots) -> None:
    make(roots, f"/run/containerd/{TASKS}/k8s.io/{A}", "a")
    make(roots, f"/run/k3s/containerd/{TASKS}/k8s.io/{B}", "b")
    make(roots, f"/run/containerd/{TASKS}/moby/web.1", "c")
    make(roots, f"/run/containers/storage/overlay-containers/{C}/userdata", "d")
    found, refused = list_bundles(roots)
    assert refused == ()
    assert {(bundle.container_id, bundle.scope) for bundle in found} == {
        (A, "k8s.io"),
        (B, "k8s.io"),
        ("web.1", "moby"),
        (C, ""),
    }
    assert sorted(read_bundle(bundle).pod for bundle in found) == [
        "CRI-O's d", "containerd's a", "containerd's b", "containerd's c",
    ]  # fmt: skip


@pytest.mark.parametrize(
    "state",
    ["/run/containerd", "/run/k3s/containerd", "/run/k0s/containerd", "/var/snap/microk8s/common/run/containerd"],
)
def test_every_place_of_containerd(roots: Roots, state: str) -> None:
    make(roots, f"{state}/{TASKS}/k8s.io/{A}", "a")
    assert [bundle.container_id for bundle in list_bundles(roots).found] == [A]


def test_dockers_own_containerd(roots: Roots) -> None:
    make(roots, f"/run/docker/containerd/daemon/{TASKS}/moby/{A}", "a")
    assert [bundle.scope for bundle in list_bundles(roots).found] == ["moby"]


def test_a_host_without_a_runtime(roots: Roots) -> None:
    assert list_bundles(roots) == ((), ())


def test_what_may_not_be_looked_into_is_told(roots: Roots, monkeypatch: pytest.MonkeyPatch) -> None:
    make(roots, f"/run/containerd/{TASKS}/k8s.io/{A}", "a")
    make(roots, f"/run/k3s/containerd/{TASKS}/k8s.io/{B}", "b")
    closed = roots.root(f"/run/containerd/{TASKS}")
    listdir = os.listdir

    def refuse(path: str) -> list[str]:
        if str(path).startswith(closed):
            raise PermissionError(13, "Permission denied")
        return listdir(path)

    monkeypatch.setattr(os, "listdir", refuse)
    found, refused = list_bundles(roots)
    assert [bundle.container_id for bundle in found] == [B]
    assert refused == (closed,)


def test_names_that_no_runtime_makes_are_left_out(roots: Roots) -> None:
    for name in (" space", "\N{SNOWMAN}", "..hidden..", "-", "a\nb", "ok-1_x.y"):
        make(roots, f"/run/containerd/{TASKS}/default/{name}", "x")
    found = list_bundles(roots).found
    assert [bundle.container_id for bundle in found] == ["..hidden..", "ok-1_x.y"]


def test_the_number_of_bundles_is_bounded(roots: Roots, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(oci_bundle, "MOST_BUNDLES", 3)
    for scope in ("a", "b"):
        for number in range(2):
            make(roots, f"/run/containerd/{TASKS}/{scope}/c{number}", "x")
    assert len(list_bundles(roots).found) == 3


def test_an_ended_container(roots: Roots) -> None:
    with pytest.raises(Gone):
        read_bundle(Bundle(A, "k8s.io", roots.root("/run/gone/config.json")))


def test_only_regular_files_are_read(roots: Roots) -> None:
    path = Path(roots.root("/bundle"))
    path.mkdir()
    os.mkfifo(path / "config.json")
    with pytest.raises(ReadError):
        read_bundle(Bundle(A, "", str(path / "config.json")))


STORAGE = [
    {"id": A, "names": ["web", "other"], "image": "x", "layer": "y", "created": "2026-01-01T00:00:00Z"},
    {"id": B, "names": []},
    {"id": C, "names": ["k8s_dns_dns-default-x7k2p_openshift-dns_0b9a_0"]},
    None,
    {"names": ["x"]},
]


def test_storage_names(roots: Roots) -> None:
    names = parse_storage_names(json.dumps(STORAGE).encode())
    assert names == {A: "web", C: "k8s_dns_dns-default-x7k2p_openshift-dns_0b9a_0"}
    assert read_storage_names(roots) == {}
    for path, record in zip(STORAGE_NAMES, ({"id": A, "names": ["web"]}, {"id": B, "names": ["once"]}), strict=True):
        Path(roots.root(path)).parent.mkdir(parents=True, exist_ok=True)
        Path(roots.root(path)).write_text(json.dumps([record]))
    assert read_storage_names(roots) == {A: "web", B: "once"}


@given(st.binary())
def test_arbitrary_bytes(data: bytes) -> None:
    with contextlib.suppress(ParseError):
        parse_storage_names(data)
