# SPDX-License-Identifier: MIT
from __future__ import annotations

from pathlib import Path

from hwinfod.collectors.system import System
from hwinfod.core.event import EventKind
from tests.support.bench import Bench
from tests.support.sysfs import put


def make_host(directory: Path) -> None:
    put(directory / "sys/class/dmi/id", {
        "sys_vendor": "Supermicro", "product_name": "SYS-821GE-TNHR", "product_serial": "S511207X3A00417",
        "chassis_type": 23, "bios_vendor": "AMI", "bios_version": "2.4", "bios_date": "09/26/2024",
        "product_version": "0123456789",
    })  # fmt: skip
    put(directory / "proc/sys/kernel", {"osrelease": "6.8.0-51-generic", "version": "#52-Ubuntu", "arch": "x86_64",
                                        "hostname": "gpu-0417"})  # fmt: skip
    put(directory / "proc", {"cpuinfo": "flags\t: fpu"})
    put(directory / "root/etc", {"os-release": 'ID=ubuntu\nVERSION_ID="24.04"\nPRETTY_NAME="Ubuntu 24.04.1 LTS"'})


def test_infos(tmp_path: Path) -> None:
    make_host(tmp_path)
    bench = Bench(System, tmp_path)
    assert bench.run() == {}
    assert bench.infos() == {
        "hw_system_info{vendor=Supermicro,product=SYS-821GE-TNHR,version=,family=,chassis=rack mount chassis}",
        "hw_bios_info{vendor=AMI,version=2.4,date=09/26/2024,release=}",
        "hw_kernel_info{release=6.8.0-51-generic,version=#52-Ubuntu,machine=x86_64}",
        "hw_os_info{distribution=ubuntu,version=24.04,name=Ubuntu 24.04.1 LTS}",
        "hw_virtualization_info{machine=none,container=none}",
    }
    devices = bench.host.devices.current
    assert devices["system"].facts["serial"] == "S511207X3A00417"
    assert devices["virtualization"].name == "bare metal"
    assert not any("S511207X3A00417" in info for info in bench.infos()), "a serial number is no label"


def test_a_change_is_an_event(tmp_path: Path) -> None:
    make_host(tmp_path)
    bench = Bench(System, tmp_path)
    bench.run()
    put(tmp_path / "proc/sys/kernel", {"hostname": "gpu-0418"})
    bench.run(after=60)
    (event,) = bench.events()
    assert (event.kind, event.device, event.attributes) == (
        EventKind.DEVICE_CHANGED,
        "kernel",
        {"hostname": "gpu-0417 -> gpu-0418"},
    )


def test_a_host_that_says_nothing(tmp_path: Path) -> None:
    bench = Bench(System, tmp_path)
    bench.run()
    assert set(bench.host.devices.current) == {"kernel", "os", "virtualization"}
    assert bench.host.devices.current["os"].name == "unknown"


def test_the_real_host() -> None:
    bench = Bench(System)
    bench.run()
    assert (
        bench.host.devices.current["kernel"].facts["release"] == Path("/proc/sys/kernel/osrelease").read_text().strip()
    )
