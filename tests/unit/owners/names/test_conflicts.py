# SPDX-License-Identifier: MIT
"""Sources that do not agree how a container is called: said, with who says what."""

from __future__ import annotations

from pathlib import Path

from hwinfod.core.event import EventKind, Severity
from hwinfod.core.owner import ContainerName, Names
from hwinfod.owners.cgroup import resolve_path
from hwinfod.owners.collector import Owners
from hwinfod.owners.names.book import NameBook
from hwinfod.owners.names.conflicts import find
from tests.support.bench import Bench
from tests.support.owners import UID, A, B

CRI = ContainerName(A, "cuda", "ml", "train-0", UID)


def said(*containers: ContainerName) -> Names:
    return Names(containers)


def test_a_source_that_knows_less_disagrees_in_nothing() -> None:
    bundle = ContainerName(A, "", "ml", "", UID, "train:1.4")
    other_image = CRI._replace(image="sha256:1")
    assert find({"cri": said(CRI), "bundles": said(bundle), "containerd": said(other_image)}) == {}


def test_another_name_is_told_with_who_gives_it() -> None:
    docker = CRI._replace(container="trainer", pod="train-9")
    assert find({"cri": said(CRI, CRI._replace(container_id=B)), "engines": said(docker)}) == {
        A: ("container is cuda by cri, trainer by engines", "pod is train-0 by cri, train-9 by engines")
    }


def test_one_source_that_names_twice_is_its_own_affair() -> None:
    assert find({"cri": said(CRI, CRI._replace(container="old"))}) == {}


def test_the_owner_has_it_until_the_sources_agree() -> None:
    book = NameBook()
    owner = resolve_path(f"/docker/{A}")
    book.learn({"engines": said(ContainerName(A, "web")), "cri": said(ContainerName(A, "proxy"))})
    assert book.conflicts_of(owner) == ("container is web by engines, proxy by cri",)
    book.learn({"engines": said(ContainerName(A, "web")), "cri": said(ContainerName(A, "web"))})
    assert book.conflicts_of(owner) == ()


def test_it_is_an_event_once_while_it_lasts(tmp_path: Path) -> None:
    bench = Bench(Owners, tmp_path)
    bench.host.names.publish("cri", said(CRI))
    bench.host.names.publish("engines", said(CRI._replace(container="trainer")))
    bench.run(after=5)
    bench.host.names.publish("cri", said(CRI, CRI._replace(container_id=B)))
    bench.run(after=5)
    (event,) = [event for event in bench.events() if event.kind is EventKind.NAMES_DISAGREE]
    assert (event.severity, event.count) == (Severity.WARNING, 1)
    assert event.attributes["names"] == "container is cuda by cri, trainer by engines"
    assert "cuda" not in event.text
    assert event.private >= set(event.attributes)
