# SPDX-License-Identifier: MIT
"""Drivers that come when the service has long been running: it finds what they bring, and may open their nodes."""

from __future__ import annotations

from pathlib import Path

from in_guest import sh, wait_for
from system import SERVICE, collectors, ctl, expect, main_pid, output, run

_CGROUP = Path("/sys/fs/cgroup/system.slice", SERVICE, "cgroup.procs")
_RENDER_NODE = "/dev/dri/renderD128"


def _may_open(node: str, mode: str) -> bool:
    """Whether a process in the service's cgroup may: as root, so that nothing but the list of devices refuses it."""
    code = f"import os; open('{_CGROUP}', 'w').write('0'); os.close(os.open('{node}', os.{mode}))"
    done = run("python3", "-c", code)
    assert done.returncode == 0 or "PermissionError: [Errno 1]" in done.stdout, done.stdout
    return done.returncode == 0


def check_nothing_else_may_be_opened(_: object) -> None:
    """What systemd lets any service have, and no disk, no memory of the kernel, no log, no console."""
    expect([node for node in ("/dev/null", "/dev/urandom") if not _may_open(node, "O_RDWR")], [])
    forbidden = ("/dev/vda", "/dev/mem", "/dev/kmsg", "/dev/ttyS0", "/dev/cuse", "/dev/nvme0")
    expect([node for node in forbidden if _may_open(node, "O_RDONLY")], [])


def check_a_display_driver_that_comes_later_is_found(_: object) -> None:
    """Its major is in the unit as a number, for its name is in no list of the kernel when the unit starts."""
    pid = main_pid()
    assert not Path("/dev/dri").exists()
    sh("modprobe vgem && udevadm settle")
    assert _may_open(_RENDER_NODE, "O_RDWR")
    wait_for("its nodes are looked after", lambda: collectors()["device_nodes"] == "ok")
    output("systemd-run", "--quiet", "--unit=renders", "--uid=nobody", "--property=SupplementaryGroups=render",
           "sh", "-c", f"exec sleep infinity 3<>{_RENDER_NODE}")  # fmt: skip
    wait_for("who has it open", lambda: _open_at("renders.service") == {_RENDER_NODE})
    output("systemctl", "stop", "renders")
    expect(main_pid(), pid)


def _open_at(owner: str) -> set[str]:
    return {node for held in ctl("holders")["holders"] if held["owner"] == owner for node in held["nodes"]}


def check_gpu_drivers_that_come_later_are_let_in(_: object) -> None:
    """NVIDIA's major is in the unit as a number; those that the kernel chooses, when the driver is loaded, come by the
    rule of udev, without a restart."""
    pid = main_pid()
    assert "nvidia" not in Path("/proc/devices").read_text()
    sh("modprobe late_gpus")
    try:
        majors = {name: number for number, name in map(str.split, _character_devices())}
        for name, mode in (("nvidia", "O_RDWR"), ("nvidia-caps", "O_RDONLY"), ("kfd", "O_RDWR")):
            node = f"/dev/late-{name}"
            sh(f"mknod {node} c {majors[name]} 0")
            wait_for(f"{name} may be opened", lambda node=node, mode=mode: _may_open(node, mode))
        assert not _may_open("/dev/late-nvidia-caps", "O_RDWR"), "it is to be read"
        expect(main_pid(), pid)
    finally:
        sh("rm -f /dev/late-* && modprobe -r late_gpus && udevadm settle")


def _character_devices() -> list[str]:
    """MAJOR NAME."""
    return Path("/proc/devices").read_text().partition("\n\n")[0].splitlines()[1:]


def check_a_thermometer_that_comes_later_is_found(_: object) -> None:
    pid = main_pid()
    sh("modprobe i2c-stub chip_addr=0x48 && modprobe -a i2c-dev lm75")
    (bus,) = [path.parent for path in Path("/sys/bus/i2c/devices").glob("*/name") if "stub" in path.read_text()]
    (bus / "new_device").write_text("lm75 0x48")
    wait_for("its temperature", lambda: [s for s in _temperatures() if "lm75" in s["labels"].values()])
    expect(main_pid(), pid)


def _temperatures() -> list[dict[str, dict[str, str]]]:
    found: list[dict[str, dict[str, str]]] = ctl("metrics", "hw_temperature_celsius")["samples"]
    return found
