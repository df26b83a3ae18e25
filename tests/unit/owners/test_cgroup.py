# SPDX-License-Identifier: MIT
from __future__ import annotations

import csv
import io
import json
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hwinfod.owners.cgroup import as_json, made_in, path_of_line, resolve, resolve_path
from hwinfod.owners.identity import KERNEL_THREAD, NOBODY, Owner, claimed_by, host_part, nest
from hwinfod.owners.naming import id_of
from hwinfod.owners.rules.segments import MAX_DEPTH, MAX_PATH, split, unescape
from hwinfod.sources.process import CgroupLine, parse_cgroups

DATA = Path(__file__).parent / "data"
A, B, C = "1f" * 32, "2e" * 32, "3d" * 32
POD = "8d3f1c52-7a61-4b1e-9c0d-5e6f7a8b9c0d"


def labelled(name: str) -> list[dict[str, str]]:
    """Rows of path and label. published_cgroups.tsv: paths seen in public code, logs and issues, with their
    source; more_cgroups.tsv: the shapes that the runtimes' own sources write, and what is told of them here."""
    return list(csv.DictReader(io.StringIO((DATA / name).read_text("utf-8")), delimiter="\t"))


PUBLISHED = labelled("published_cgroups.tsv")
MORE = labelled("more_cgroups.tsv")


@pytest.mark.parametrize("row", PUBLISHED, ids=[row["path"] for row in PUBLISHED])
def test_published_paths(row: dict[str, str]) -> None:
    found = as_json(resolve_path(row["path"]))
    labels = ("runtime", "container_id", "pod_uid", "qos", "job_id", "unit")
    assert {key: found[key] for key in labels} == {key: row[key] or None for key in labels}


@pytest.mark.parametrize("row", MORE, ids=[f"{row['path']} {row['note']}" for row in MORE])
def test_more_paths(row: dict[str, str]) -> None:
    found = as_json(resolve_path(path_of_line(row["path"])))
    assert found == {key: row[key] or None for key in found}


# A workload's own directories, as they stand below the root or a slice.
# What `ctr run` makes is known by standing at the root, and below nothing else.
KNOWN = [
    row
    for row in MORE
    if row["kind"] in ("pod", "container", "vm", "job")
    and "/../" not in row["path"]
    and not row["path"].startswith("/default/")
]
FOREIGN = st.text(st.characters(exclude_characters="/\n", codec="utf-8"), min_size=1, max_size=40)
ORDINARY = st.sampled_from(
    "system.slice user.slice user-1000.slice user@1000.service foo.service machine.slice kubelet sys fs cgroup"
    " session-3.scope init.scope payload container ns a-b_c@d:e .. lxc.payload.node k3s.service slice pod job_ 0"
    f" docker-{C}.scope libpod-{C}.scope crio-conmon-{C}.scope".split()
)


@given(st.sampled_from(KNOWN), st.lists(ORDINARY | FOREIGN, max_size=12), st.lists(FOREIGN, max_size=5))
def test_a_known_path_resolves_below_any_prefix(row: dict[str, str], above: list[str], below: list[str]) -> None:
    """What the deepest directories say holds whatever stands above them, and below them nothing known does."""
    told = resolve_path(row["path"])
    owner = resolve_path("/" + "/".join(above) + row["path"])
    keys = ("runtime", "container_id", "pod_uid", "job_id", "step")
    for key in keys:
        if getattr(told, key) is not None:
            assert getattr(owner, key) == getattr(told, key)
    assert owner.kind == told.kind or (owner.kind, told.kind) in {("pod", "container"), ("job", "container")}
    deeper = resolve_path(row["path"] + "".join(f"/~{name}~" for name in below))
    assert deeper == told


@given(st.text(max_size=300) | st.binary(max_size=300).map(lambda data: data.decode("utf-8", "surrogateescape")))
def test_any_text_resolves(text: str) -> None:
    owner = resolve_path(text)
    while owner is not None:
        assert all(value is None or value.isprintable() for value in owner[:9])
        owner = owner.within


WORDS = st.sampled_from([part for row in PUBLISHED + MORE for part in row["path"].split("/")])


@given(st.lists(WORDS | FOREIGN, max_size=80))
def test_any_nesting_of_known_names_resolves(names: list[str]) -> None:
    owner = resolve_path("/" + "/".join(names))
    assert (owner.kind is None) == (owner == NOBODY)
    assert owner.step is None or owner.job_id is not None
    assert owner.qos is None or owner.pod_uid is not None
    assert len(json.dumps(as_json(owner))) < 4 * MAX_PATH


def test_nobody_hides_below_depth_length_or_odd_bytes() -> None:
    mine = f"/system.slice/docker-{A}.scope"
    forged = f"/docker/{B}"
    assert resolve_path(mine + "/x" * MAX_DEPTH + forged).container_id == A
    assert resolve_path(mine + "/" + "y" * MAX_PATH + forged).container_id == A
    assert resolve_path(mine + "/\udcff\x00\x1b[2J").container_id == A
    assert resolve_path("/lxc.payload.\x1b[2J") == NOBODY
    assert resolve_path("/pbspro/\x00") == NOBODY
    assert len(split("/a" * 10_000)) <= MAX_DEPTH


def test_a_cut_name_is_not_read() -> None:
    filler = "/" + "x" * (MAX_PATH - len("//docker-.scope") - 64 - 5)
    assert resolve_path(f"{filler}/docker-{A}.scope/more").container_id == A
    assert resolve_path(f"{filler}/longer/docker-{A}.scope/more") == NOBODY


def test_territory_is_told() -> None:
    """A rootless user can name a directory after anybody's pod: it shows that it is his."""
    forged = f"/user.slice/user-1000.slice/user@1000.service/kubepods/pod{POD}/{A}"
    owner = resolve_path(forged)
    assert owner.pod_uid == POD
    assert owner.within is not None
    assert owner.within.user == "1000"
    inner = resolve_path(f"/lxc/101/docker/{A}")
    assert inner.within == Owner("container", "lxc", "101")
    assert resolve_path(f"/kubepods/pod{POD}/{A}").within is None
    assert resolve_path(f"/system.slice/containerd.service/kubepods/pod{POD}/{A}").within is None


@given(st.sampled_from(KNOWN), st.integers(1, 2**32 - 1))
def test_a_claim_keeps_what_is_said_and_has_another_id(row: dict[str, str], uid: int) -> None:
    owner = resolve_path(row["path"])
    claim = claimed_by(uid, owner)
    told = owner.within is not None or owner.user is not None
    assert claim[:8] == owner[:8]
    assert host_part(claim).user == str(uid) or told
    assert id_of(claim) != id_of(owner) or host_part(owner).kind in ("user", "unit", "session")


@pytest.mark.parametrize(
    ("path", "above"),
    [
        (f"/docker/{A}", "/docker"),
        (f"/kubepods/pod{POD}/{A}/docker/{B}", "/kubepods"),
        (f"/system.slice/x.service/slice.slice:docker:{A}/init", "/system.slice/x.service"),
        ("/lxc.payload.web", ""),
        ("/system.slice/x.service", None),
        ("/", None),
    ],
)
def test_where_a_workload_was_made(path: str, above: str | None) -> None:
    assert made_in(path) == above


def test_a_step_is_in_its_job_not_below_it() -> None:
    step = resolve_path("/lxc/101/oar.slice/oar-u7.slice/oar-u7-j5.slice/oar-u7-j5-s3.scope")
    assert (step.job_id, step.step, step.user, step.within) == ("5", "3", "7", Owner("container", "lxc", "101"))
    other = resolve_path("/oar.slice/oar-u7-j5.slice/oar-u7-j6.slice")
    assert (other.job_id, other.within and other.within.job_id) == ("6", "5")


def test_users_are_inherited() -> None:
    session = "/user.slice/user-7.slice/session-1.scope"
    assert resolve_path(f"{session}/docker/{A}/docker/{B}").user == "7"
    assert resolve_path(f"{session}/slurm/uid_8/job_5").user == "8"


def test_a_repeated_announcement_changes_nothing() -> None:
    pod = f"/kubepods/pod{POD}/{A}"
    assert resolve_path(f"{pod}/pod{POD}") == resolve_path(pod)
    assert resolve_path(f"{pod}/docker-{A}.scope") == resolve_path(pod)


@pytest.mark.parametrize(
    ("escaped", "plain"),
    [
        (r"a\x2db", "a-b"),
        (r"\xc3\xbc", "ü"),
        ("plain", "plain"),
        (r"bad\x2", r"bad\x2"),
        (r"bad\xzz", r"bad\xzz"),
        (r"half\xc3", r"half\xc3"),
        (r"line\x0a", r"line\x0a"),
        (r"path\x2fup", r"path\x2fup"),
        (r"\x", r"\x"),
        (r"\x+1", r"\x+1"),
    ],
)
def test_unescape(escaped: str, plain: str) -> None:
    assert unescape(escaped) == plain


def content(*lines: str) -> bytes:
    return "".join(f"{line}\n" for line in lines).encode()


def test_v2_content() -> None:
    found = resolve(parse_cgroups(content("0::/system.slice/ssh.service")))
    assert (found.owner.unit, found.line.path, found.conflicts) == ("ssh.service", "/system.slice/ssh.service", ())


def test_v1_controllers_left_behind_are_no_conflict() -> None:
    pod = f"/kubepods/burstable/pod{POD}"
    found = resolve(
        parse_cgroups(
            content("4:memory:" + pod + "/" + A, "3:rdma:/", "2:cpuset:" + pod, "1:name=systemd:" + pod, "0::/")
        )
    )
    assert found.owner.container_id == A
    assert found.line.path == f"{pod}/{A}"
    assert found.conflicts == ()


def test_a_session_does_not_speak_against_the_job_in_it() -> None:
    found = resolve(
        parse_cgroups(
            content(
                "9:memory:/slurm/uid_1000/job_5/step_0/task_0",
                "8:cpuset:/slurm/uid_1000/job_5/step_0",
                "2:pids:/user.slice/user-1000.slice/session-5.scope",
                "1:name=systemd:/user.slice/user-1000.slice/session-5.scope",
                "0::/user.slice/user-1000.slice/session-5.scope",
            )
        )
    )
    assert (found.owner.job_id, found.owner.step, found.conflicts) == ("5", "0", ())


def test_a_sub_cgroup_of_a_nested_container_is_no_conflict() -> None:
    found = resolve(parse_cgroups(content(f"2:memory:/lxc/101/docker/{A}", "1:name=systemd:/lxc/101/ns/init.scope")))
    assert found.owner.container_id == A
    assert found.conflicts == ()


def test_a_parent_of_the_chosen_unit_is_no_conflict() -> None:
    manager = "/user.slice/user-1000.slice/user@1000.service"
    found = resolve(parse_cgroups(content(f"2:pids:{manager}", f"1:name=systemd:{manager}/app.slice/x.service")))
    assert (found.owner.unit, found.conflicts) == ("x.service", ())


def test_another_machine_around_is_a_conflict() -> None:
    found = resolve(parse_cgroups(content("2:memory:/lxc/102", f"1:name=systemd:/lxc/101/docker/{A}")))
    assert [conflict.owner.container_id for conflict in found.conflicts] == ["102"]


def test_conflicting_controllers_are_reported() -> None:
    found = resolve(
        parse_cgroups(content(f"3:memory:/docker/{A}", f"2:pids:/docker/{B}", f"1:name=systemd:/docker/{A}"))
    )
    assert found.owner.container_id == A
    assert [(c.line, c.owner.container_id) for c in found.conflicts] == [(CgroupLine(2, "pids", f"/docker/{B}"), B)]


def test_a_job_beside_a_container_is_a_conflict() -> None:
    found = resolve(parse_cgroups(content("2:memory:/slurm/uid_1/job_5", f"1:name=systemd:/docker/{A}")))
    assert len(found.conflicts) == 1


def test_different_units_are_a_conflict() -> None:
    found = resolve(
        parse_cgroups(content("2:memory:/system.slice/a.service", "1:name=systemd:/system.slice/b.service"))
    )
    assert found.owner.unit == "b.service"
    assert [c.owner.unit for c in found.conflicts] == ["a.service"]


def test_views_that_share_an_id_do_not_conflict() -> None:
    lines = content(f"2:memory:/docker/{A}", f"1:name=systemd:/kubepods/pod{POD}/{A}")
    found = resolve(parse_cgroups(lines))
    assert (found.owner.pod_uid, found.conflicts) == (POD, ())


def test_different_users_are_a_conflict() -> None:
    found = resolve(parse_cgroups(content("2:memory:/user.slice/user-1.slice", "0::/user.slice/user-2.slice")))
    assert (found.owner.user, len(found.conflicts)) == ("2", 1)


def test_kernel_threads() -> None:
    assert resolve(parse_cgroups(b"0::/\n"), kernel_thread=True).owner == KERNEL_THREAD
    assert KERNEL_THREAD.kind == "kernel"
    assert resolve((), kernel_thread=True).owner == KERNEL_THREAD
    assert resolve(parse_cgroups(b"0::/\n")).owner == NOBODY
    guest = resolve(parse_cgroups(b"0::/machine.slice/machine-qemu\\x2d1\\x2dweb.scope\n"), kernel_thread=True)
    assert guest.owner.container_id == "web"  # vhost threads are in the machine's cgroup


OWNERS = st.sampled_from([resolve_path(row["path"]) for row in MORE])


@given(OWNERS, OWNERS, OWNERS)
def test_nesting_loses_no_workload(outer: Owner, middle: Owner, inner: Owner) -> None:
    owner = nest(nest(outer, middle), inner)
    last = next((o for o in (inner, middle, outer) if o.kind in ("pod", "container", "vm", "job")), None)
    if last is not None:
        assert last.container_id in (None, owner.container_id)
        assert last.job_id in (None, owner.job_id)
        assert last.pod_uid in (None, owner.pod_uid)


@pytest.mark.parametrize(
    ("line", "path"),
    [
        ("0::/a", "/a"),
        ("12:cpu,cpuacct:/a:b:c", "/a:b:c"),
        ("1:name=systemd:/", "/"),
        ("/system.slice:docker:x", "/system.slice:docker:x"),
        ("x:y:z", "x:y:z"),
    ],
)
def test_path_of_line(line: str, path: str) -> None:
    assert path_of_line(line) == path


def test_command_prints_one_object_a_line() -> None:
    lines = [row["path"] for row in MORE] + ["0::/system.slice/ssh.service", "", "\xff\x00"]
    data = "\n".join(lines).encode("latin-1", "replace")
    done = subprocess.run(
        [sys.executable, "-m", "hwinfod.owners.cgroup"], input=data, capture_output=True, check=True, timeout=60
    )
    printed = [json.loads(line) for line in done.stdout.splitlines()]
    assert len(printed) == len(lines)
    assert printed[-3]["unit"] == "ssh.service"
    assert list(printed[0]) == ["kind", "runtime", "container_id", "pod_uid", "qos", "job_id", "step", "unit", "user"]
    assert set(printed[-1].values()) == {None}
