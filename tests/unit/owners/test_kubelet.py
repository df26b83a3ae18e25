# SPDX-License-Identifier: MIT
"""The kubelet's pods and storage, asked for over real TLS; each trouble has its own words and costs nobody else."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from hwinfod.core.health import State
from hwinfod.core.owner import ContainerName, PodName
from hwinfod.owners import kubelet as module
from hwinfod.owners.kubelet import ADDRESS, CA_FILE, SERVER_NAME, TOKEN_FILE
from hwinfod.owners.kubelet import Kubelet as Collector
from hwinfod.settings import Address
from hwinfod.sources import kubelet_api
from tests.support.bench import Bench
from tests.support.kubelet import NAME, Kubelet, authority, pod, pod_list, summary
from tests.support.processes import run

UID = "5f2c1f0e-1111-2222-3333-444455556666"
HASH = "0123456789abcdef0123456789abcdef"
A, B = "1f" * 32, "2e" * 32


@pytest.fixture
def kubelet(tmp_path: Path) -> Iterator[Kubelet]:
    with contextlib.closing(Kubelet(tmp_path)) as standing_in:
        standing_in.answers["/pods"] = pod_list([pod("train-0", UID, {"cuda": A})])
        standing_in.answers["/stats/summary"] = summary({(UID, "ml", "train-0"): 5000})
        yield standing_in


def bench_of(kubelet: Kubelet, tmp_path: Path, **settings: Any) -> Bench:
    values: dict[Any, Any] = {
        TOKEN_FILE: str(kubelet.token_file),
        CA_FILE: str(kubelet.ca_file),
        ADDRESS: Address("127.0.0.1", kubelet.port),
        SERVER_NAME: settings.get("name", NAME),
    }
    return Bench(Collector, tmp_path, values)


def trouble(bench: Bench) -> str:
    assert bench.attempt() is State.FAILING
    assert "kubelet" not in bench.host.names.current
    return bench.reason


def test_pods_and_containers_get_their_names(kubelet: Kubelet, tmp_path: Path) -> None:
    bench = bench_of(kubelet, tmp_path)
    assert bench.run()["hwinfod_kubelet_pods{phase=Running}"] == 1
    names = bench.host.names.current["kubelet"]
    assert names.pods == (PodName(UID, "ml", "train-0", "Running"),)
    assert names.containers == (ContainerName(A, "cuda", "ml", "train-0", UID, "registry.example/cuda:12"),)
    (request,) = kubelet.asked
    assert request.startswith(b"GET /pods HTTP/1.0\r\n")
    bench.runner.close()
    assert bench.host.names.current == {}


def test_a_static_pod_is_known_by_the_hash_in_its_cgroup(kubelet: Kubelet, tmp_path: Path) -> None:
    annotations = {"kubernetes.io/config.mirror": HASH, "kubernetes.io/config.source": "file"}
    kubelet.answers["/pods"] = pod_list([
        pod("etcd", UID, {"etcd": A}, namespace="kube-system", annotations=annotations)
    ])  # fmt: skip
    bench = bench_of(kubelet, tmp_path)
    bench.run()
    names = bench.host.names.current["kubelet"]
    assert {name.pod_uid for name in names.pods} == {UID, HASH}
    assert [name.pod_uid for name in names.containers] == [HASH]


def test_250_pods(kubelet: Kubelet, tmp_path: Path) -> None:
    phases = ["Running"] * 240 + ["Succeeded"] * 9 + ["Failed"]
    kubelet.answers["/pods"] = pod_list(
        pod(f"p{n}", f"{n:08x}-1111-2222-3333-444455556666", {"c": f"{n:064x}"}, phase=phase)
        for n, phase in enumerate(phases)
    )
    bench = bench_of(kubelet, tmp_path)
    values = bench.run()
    assert [values[f"hwinfod_kubelet_pods{{phase={p}}}"] for p in ("Running", "Succeeded", "Failed")] == [240, 9, 1]
    assert len(bench.host.names.current["kubelet"].containers) == 250


def test_storage_of_node_and_pods(kubelet: Kubelet, tmp_path: Path) -> None:
    bench = bench_of(kubelet, tmp_path)
    bench.run()
    labels = "owner=ml/train-0,kind=pod,namespace=ml,pod=train-0,container=,job_id=,unit="
    assert bench.run("storage") == {
        "hw_ephemeral_storage_usage_bytes": 34_000_000_000,
        "hw_ephemeral_storage_available_bytes": 66_000_000_000,
        "hw_ephemeral_storage_limit_bytes": 100_000_000_000,
        f"hw_owner_ephemeral_storage_usage_bytes{{{labels}}}": 5000,
    }


def test_a_pod_that_came_after_the_last_pass_has_no_series_yet(kubelet: Kubelet, tmp_path: Path) -> None:
    bench = bench_of(kubelet, tmp_path)
    bench.run()
    bench.run("storage")
    kubelet.answers["/stats/summary"] = summary({("u2", "ml", "short"): 7})
    assert not any("short" in name for name in bench.run("storage", after=60))
    assert any("short" in name for name in bench.run("storage", after=60))


def test_pods_beyond_the_budget_are_counted_and_summed(
    kubelet: Kubelet, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "MOST_PODS", 1)
    kubelet.answers["/stats/summary"] = summary({(f"u{n}", "ml", f"p{n}"): 10**n for n in range(3)})
    bench = bench_of(kubelet, tmp_path)
    bench.run()
    values = bench.run("storage")
    found = {name.split("owner=")[1].split(",")[0]: value for name, value in values.items() if "hw_owner" in name}
    assert found == {"ml/p0": 1, "other": 110}
    assert list(bench.skipped) == ["pods"]


def test_the_storage_costs_itself_where_the_token_may_get_pods_alone(kubelet: Kubelet, tmp_path: Path) -> None:
    kubelet.allowed = {"pods"}
    bench = bench_of(kubelet, tmp_path)
    bench.run()
    assert bench.run("storage") == {}
    assert "the token may not get nodes/stats (403)" in bench.skipped["ephemeral storage"]
    assert "kubelet" in bench.host.names.current


def test_a_permission_that_is_missing_is_named(kubelet: Kubelet, tmp_path: Path) -> None:
    kubelet.allowed = set()
    reason = trouble(bench_of(kubelet, tmp_path))
    assert reason.startswith("the token may not get nodes/pods (403): give its role the verb get on nodes/pods")


def test_a_wrong_token_and_the_right_one_that_follows(kubelet: Kubelet, tmp_path: Path) -> None:
    right = kubelet.token_file.read_text()
    kubelet.token_file.write_text("stale")
    bench = bench_of(kubelet, tmp_path)
    assert f"does not know the token in {kubelet.token_file} (401)" in trouble(bench)
    kubelet.token_file.write_text(right)
    assert bench.attempt() is State.OK


@pytest.mark.parametrize("content", ["", "\n", "two words", "a\r\nHost: b", "ключ"])
def test_a_file_without_a_token_is_not_sent(kubelet: Kubelet, tmp_path: Path, content: str) -> None:
    kubelet.token_file.write_text(content)
    assert trouble(bench_of(kubelet, tmp_path)).endswith("has none in it")
    assert kubelet.asked == []


def test_no_token_file(kubelet: Kubelet, tmp_path: Path) -> None:
    kubelet.token_file.unlink()
    assert trouble(bench_of(kubelet, tmp_path)).endswith("No such file or directory")


def test_the_token_does_not_leave_before_the_certificate_is_verified(kubelet: Kubelet, tmp_path: Path) -> None:
    authority().cert_pem.write_to_path(kubelet.ca_file)
    reason = trouble(bench_of(kubelet, tmp_path))
    assert "its certificate is not accepted: unable to get local issuer certificate" in reason
    assert str(kubelet.ca_file) in reason
    assert kubelet.asked == []


def test_another_nodes_certificate(kubelet: Kubelet, tmp_path: Path) -> None:
    reason = trouble(bench_of(kubelet, tmp_path, name="node-2.example"))
    assert "certificate is not valid for 'node-2.example'" in reason
    assert kubelet.asked == []


@pytest.mark.parametrize("of", ["authority", "kubelet"])
def test_certificates_that_have_expired(tmp_path: Path, of: str) -> None:
    ca = authority(expired=of == "authority")
    with contextlib.closing(Kubelet(tmp_path, ca, expired=of == "kubelet")) as kubelet:
        assert "its certificate is not accepted: certificate has expired" in trouble(bench_of(kubelet, tmp_path))
        assert kubelet.asked == []


@pytest.mark.parametrize(("content", "words"), [("no pem", "no certificate in it"), (None, "No such file")])
def test_a_ca_file_that_is_none(kubelet: Kubelet, tmp_path: Path, content: str | None, words: str) -> None:
    kubelet.ca_file.unlink()
    if content is not None:
        kubelet.ca_file.write_text(content)
    assert trouble(bench_of(kubelet, tmp_path)).startswith(f"cannot use the CA file {kubelet.ca_file}: {words}")


@pytest.mark.parametrize(
    ("fault", "words"),
    [
        ("500", "the kubelet answers GET /pods with 500: boom"),
        ("garbage", "no answer in HTTP: b'\\xff\\x00garbage'"),
        ("short", "2 bytes of 1000 came"),
        ("plain", "no TLS: "),
        ("huge", "more than 0 MiB"),
        ("hang", "no answer within 0.2 s"),
        ("drip", "no answer within 0.2 s"),
    ],
)
def test_a_kubelet_in_trouble(
    kubelet: Kubelet, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, fault: str, words: str
) -> None:
    monkeypatch.setattr(kubelet_api, "LIMIT", 1 << 10)
    if fault in ("hang", "drip"):
        monkeypatch.setattr(kubelet_api.get, "__defaults__", (0.2,))
    if fault == "drip":
        monkeypatch.setattr(kubelet_api, "LIMIT", 1 << 20)
    kubelet.fault = fault
    bench = bench_of(kubelet, tmp_path)
    assert words in trouble(bench)
    kubelet.fault = ""
    monkeypatch.undo()
    assert bench.attempt() is State.OK


def test_nobody_listens(kubelet: Kubelet, tmp_path: Path) -> None:
    bench = bench_of(kubelet, tmp_path)
    kubelet.close()
    assert trouble(bench) == f"the kubelet at 127.0.0.1:{kubelet.port}: Connection refused"


def test_an_answer_that_is_no_list_of_pods(kubelet: Kubelet, tmp_path: Path) -> None:
    kubelet.answers["/pods"] = b'{"kind":"Status"}'
    assert trouble(bench_of(kubelet, tmp_path)).startswith("no list of pods")


def test_without_a_token_file_nothing_is_asked_and_tls_is_not_imported(tmp_path: Path) -> None:
    assert Bench(Collector, tmp_path).attempt() is State.ABSENT
    done = run(sys.executable, "-c", "import sys, hwinfod.owners.kubelet; sys.exit('ssl' in sys.modules)")
    assert done.returncode == 0, done.stderr.decode()
