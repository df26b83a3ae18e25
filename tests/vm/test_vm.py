# SPDX-License-Identifier: MIT
"""The harness keeps what it promises: status, log and files come out, and nothing stays behind."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.vm import vm
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


@pytest.fixture
def failed(tmp_path, monkeypatch):
    monkeypatch.setattr(vm, "FAILED", tmp_path / "failed")
    return tmp_path / "failed"


@needs_guest
def test_what_goes_in_and_what_comes_out(tmp_path, failed):
    (tmp_path / "tree/below").mkdir(parents=True)
    (tmp_path / "tree/below/file").write_bytes(bytes(range(256)) * 4096)
    script = """
        cp tree/below/file "$OUT/back"
        cat note
        ls /sys/class/net >"$OUT/interfaces"
        stat -fc %T /sys/fs/cgroup >"$OUT/cgroup"
        systemctl --failed --no-legend >"$OUT/failed-units"
        id -u
        exit 7
    """
    result = vm.run(script, {"tree": tmp_path / "tree", "note": "a line\n"}, limit_seconds=300)
    assert (result.status, result.log) == (7, "a line\n0\n"), result.console
    assert result.files["back"] == (tmp_path / "tree/below/file").read_bytes()
    assert result.read("interfaces").split() == ["lo"]
    assert result.read("cgroup").strip() == "cgroup2fs"
    assert result.read("failed-units") == ""
    with pytest.raises(AssertionError, match="exit status 7 in the guest") as raised:
        result.check()
    assert (failed / result.kept.name / "log").read_text() == result.log
    assert str(result.kept) in str(raised.value)


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
