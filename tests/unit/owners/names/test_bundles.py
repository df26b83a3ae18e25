# SPDX-License-Identifier: MIT
from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from hwinfod.core.owner import ContainerName
from hwinfod.owners.names import bundles
from hwinfod.owners.names.bundles import BundleWatch, name_of
from hwinfod.sources.files import Roots

A, B = "1f" * 32, "2e" * 32


class Runtime:
    """containerd's state directory."""

    def __init__(self, path: Path) -> None:
        self.roots = Roots(rootfs=str(path))
        self._path = path / "run/containerd/io.containerd.runtime.v2.task/k8s.io"

    def start(self, container_id: str, text: str = "") -> None:
        directory = self._path / container_id
        directory.mkdir(parents=True, exist_ok=True)
        annotations = {
            "io.kubernetes.cri.container-type": "container",
            "io.kubernetes.cri.container-name": "cuda",
            "io.kubernetes.cri.sandbox-name": "train-0",
            "io.kubernetes.cri.sandbox-namespace": "ml",
            "io.kubernetes.cri.sandbox-uid": "u",
        }
        (directory / "config.json").write_text(text or json.dumps({"annotations": annotations}))

    def end(self, container_id: str) -> None:
        shutil.rmtree(self._path / container_id)


@pytest.fixture
def runtime(tmp_path: Path) -> Runtime:
    return Runtime(tmp_path)


def ids(changes: bundles.BundleChanges) -> list[str]:
    return [bundle.container_id for bundle, _ in changes.new]


def test_each_bundle_is_read_once(runtime: Runtime) -> None:
    watch = BundleWatch(runtime.roots)
    assert watch.poll() == ((), (), ())
    runtime.start(A)
    ((bundle, spec),) = watch.poll().new
    assert name_of(bundle, spec) == ContainerName(A, "cuda", "ml", "train-0", "u")
    assert watch.poll() == ((), (), ())


def test_an_end_is_told_once(runtime: Runtime) -> None:
    watch = BundleWatch(runtime.roots)
    runtime.start(A)
    watch.poll()
    runtime.end(A)
    assert watch.poll() == ((), (A,), ())
    assert watch.poll() == ((), (), ())
    runtime.start(A)
    assert ids(watch.poll()) == [A]


def test_a_half_written_bundle_is_read_later(runtime: Runtime) -> None:
    watch = BundleWatch(runtime.roots)
    runtime.start(A, '{"annotations": {')
    runtime.start(B)
    assert ids(watch.poll()) == [B]
    runtime.start(A)
    assert ids(watch.poll()) == [A]


def test_a_broken_bundle_is_left_alone(runtime: Runtime, monkeypatch: pytest.MonkeyPatch) -> None:
    attempts = []
    read = bundles.read_bundle
    monkeypatch.setattr(bundles, "read_bundle", lambda bundle: attempts.append(bundle) or read(bundle))
    watch = BundleWatch(runtime.roots)
    runtime.start(A, "{")
    for _ in range(10):
        assert watch.poll().new == ()
    assert len(attempts) == bundles.MOST_ATTEMPTS
    runtime.end(A)
    assert watch.poll().gone == ()  # nobody had been told that it was there
    runtime.start(A)
    assert ids(watch.poll()) == [A]


def test_a_full_node_is_read_in_passes(runtime: Runtime, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bundles, "MOST_A_PASS", 2)
    for number in range(5):
        runtime.start(f"c{number}")
    watch = BundleWatch(runtime.roots)
    assert [ids(watch.poll()) for _ in range(4)] == [["c0", "c1"], ["c2", "c3"], ["c4"], []]
