# SPDX-License-Identifier: MIT
"""The harness keeps what it promises: status, log and files come out, and nothing stays behind."""

from __future__ import annotations

import shutil
import time
from pathlib import Path

import pytest

from tests.vm import build, vm
from tests.vm.initramfs import load_order


def needs_guest(test):
    return pytest.mark.tier("vm")(pytest.mark.timeout(900)(test))


DEPENDENCIES = """\
kernel/fs/ext4/ext4.ko: kernel/fs/jbd2/jbd2.ko kernel/lib/crc16.ko
kernel/fs/jbd2/jbd2.ko:
kernel/lib/crc16.ko:
kernel/drivers/virtio/virtio-pci.ko: kernel/drivers/virtio/virtio.ko kernel/drivers/virtio/virtio_ring.ko
kernel/drivers/virtio/virtio.ko: kernel/drivers/virtio/virtio_ring.ko
kernel/drivers/virtio/virtio_ring.ko:
"""


def test_modules_are_loaded_behind_what_they_depend_on():
    order = [Path(path).name for path in load_order(DEPENDENCIES, ["virtio_pci", "ext4", "built_in"])]
    assert order == ["virtio_ring.ko", "virtio.ko", "virtio-pci.ko", "crc16.ko", "jbd2.ko", "ext4.ko"]


def test_a_guest_is_forgotten_for_a_newer_one_of_its_kind_and_no_other(tmp_path, monkeypatch):
    monkeypatch.setattr(build, "CACHE", tmp_path)
    monkeypatch.setattr(build, "_build", lambda directory, *of_what: directory.mkdir())
    monkeypatch.setattr(build, "_qemu", lambda: "QEMU emulator version 7.2")
    for name in ("bookworm-rdma-old", "building-killed", "trixie-rdma-old", "failed"):
        (tmp_path / name).mkdir()
    made = build.guest("bookworm", "rdma").disk.parent
    assert {path.name for path in tmp_path.iterdir() if path.is_dir()} == {made.name, "trixie-rdma-old", "failed"}
    assert build.guest("bookworm", "rdma").disk.parent == made
    assert build.guest("bookworm", "plain").disk.parent != made
    assert made.exists()
    monkeypatch.setattr(build, "_qemu", lambda: "QEMU emulator version 10.0")
    assert build.guest("bookworm", "rdma").disk.parent != made
    assert not made.exists()


def test_a_guest_is_built_anew_for_its_modules_sources(tmp_path, monkeypatch):
    monkeypatch.setattr(build, "CACHE", tmp_path / "cache")
    monkeypatch.setattr(build, "_build", lambda directory, *of_what: directory.mkdir())
    monkeypatch.setattr(build, "_qemu", lambda: "QEMU emulator version 7.2")
    monkeypatch.setattr(build, "_GUEST", tmp_path / "guest")
    shutil.copytree(build.HERE / "guest", tmp_path / "guest")
    made = [build.guest("bookworm", "plain").disk.parent]
    for path, text in (("modules-plain.txt", "# ours\nours/double\n"), ("ours/double/double.c", "int x;\n")):
        (tmp_path / "guest" / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "guest" / path).write_text(text)
        made.append(build.guest("bookworm", "plain").disk.parent)
    assert len(set(made)) == 3
    assert build.guest("bookworm", "plain").disk.parent == made[-1]


DIED = "[    1.343923] Oops: int3: 0000 [#1] PREEMPT SMP NOPTI"


@pytest.mark.parametrize(
    ("ends", "boots", "status"),
    [
        ([vm.Result(vm.NO_STATUS, "", DIED), vm.Result(0, "", "")], 2, 0),
        ([vm.Result(vm.NO_STATUS, "", DIED)] * 4, 3, vm.NO_STATUS),
        ([vm.Result(vm.NO_STATUS, "", "Kernel panic - not syncing: no init"), vm.Result(0, "", "")], 1, vm.NO_STATUS),
        ([vm.Result(vm.NO_STATUS, "the script began", DIED), vm.Result(0, "", "")], 1, vm.NO_STATUS),
    ],
)
def test_a_kernel_that_died_of_its_emulation_before_the_script_boots_again(monkeypatch, ends, boots, status):
    left = iter(ends)
    monkeypatch.setattr(vm, "guest", lambda suite, image: None)
    monkeypatch.setattr(vm, "_run_once", lambda *arguments: next(left))
    assert vm.run("true").status == status
    assert len(list(left)) == len(ends) - boots


@pytest.fixture
def failed(tmp_path, monkeypatch):
    monkeypatch.setattr(vm, "FAILED", tmp_path / "failed")
    return tmp_path / "failed"


@needs_guest
@pytest.mark.parametrize("suite", build.SUITES)
def test_what_goes_in_and_what_comes_out(suite, tmp_path, failed):
    (tmp_path / "tree/below").mkdir(parents=True)
    (tmp_path / "tree/below/file").write_bytes(bytes(range(256)) * 4096)
    script = """
        cp tree/below/file "$OUT/back"
        cat note
        ls /sys/class/net >"$OUT/interfaces"
        stat -fc %T /sys/fs/cgroup >"$OUT/cgroup"
        date +%s >"$OUT/now"
        touch /written
        . /etc/os-release && echo "$VERSION_CODENAME" >"$OUT/suite"
        systemctl --failed --no-legend >"$OUT/failed-units"
        id -u
        exit 7
    """
    result = vm.run(script, {"tree": tmp_path / "tree", "note": "a line\n"}, suite=suite, limit_seconds=300)
    assert (result.status, result.log) == (7, "a line\n0\n"), result.console
    assert result.files["back"] == (tmp_path / "tree/below/file").read_bytes()
    assert result.read("interfaces").split() == ["lo"]
    assert (result.read("suite").strip(), result.read("cgroup").strip()) == (suite, "cgroup2fs")
    assert result.read("failed-units") == ""
    assert abs(int(result.read("now")) - time.time()) < 300
    with pytest.raises(AssertionError, match="exit status 7 in the guest") as raised:
        result.check()
    assert (failed / result.kept.name / "log").read_text() == result.log
    assert str(result.kept) in str(raised.value)


@needs_guest
def test_a_guest_in_another_machine_boots(failed):
    """And has nothing of what other guests wrote, nor of being saved."""
    # What udev still reads when the guest switches off, whose disk goes first, is an I/O error of its own making.
    script = "udevadm settle; test ! -e /written && touch /written && ls /dev/hwrng; systemctl --failed --no-legend"
    result = vm.run(script, qemu=["-device", "virtio-rng-pci"])
    assert (result.check().log, result.console.count("EXT4-fs error")) == ("/dev/hwrng\n", 0)


@needs_guest
def test_a_guest_that_does_not_end_is_ended(failed, tmp_path, monkeypatch):
    (tmp_path / "temporary").mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "temporary"))
    result = vm.run("exec sleep infinity", limit_seconds=3)
    assert (result.status, dict(result.files)) == (vm.TIMED_OUT, {})
    assert list((tmp_path / "temporary").iterdir()) == []
    assert vm_processes(tmp_path / "temporary") == []
    assert (failed / result.kept.name / "console").exists()


def vm_processes(directory: Path) -> list[str]:
    """Processes that name the directory on their command line."""
    found = []
    for entry in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            command = entry.read_bytes()
        except OSError:
            continue
        if str(directory).encode() in command and b"qemu" in command:
            found.append(entry.parent.name)
    return found
