# SPDX-License-Identifier: MIT
"""containerd, dockerd and Podman in a guest with systemd's cgroup driver and cgroup v2, and a pod of theirs that holds
hardware."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import pytest

from tests.fixtures.host.gpus import GpuHost
from tests.support import nvml_profiles, oci_image
from tests.support.nvml import FakeNvml
from tests.support.sysfs import put_pci
from tests.vm.reports import HERE, checks_of, run_checks

pytestmark = [pytest.mark.tier("vm", "runtimes", "compiler"), pytest.mark.timeout(1500)]
PROGRAM = HERE / "runtimes_in_guest.py"
FILES = ("engines_in_guest.py", "pod_in_guest.py", "rdma_network.sh")
MODULES = ("grpclib", "h2", "hpack", "hyperframe", "multidict")


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """What each check found, out of one run."""
    directory = tmp_path_factory.mktemp("runtimes")
    oci_image.write(directory / "image.tar")
    files = {"image.tar": directory / "image.tar", **gpus(directory), **{name: HERE / name for name in FILES}}
    for name in MODULES:
        spec = importlib.util.find_spec(name)
        assert spec is not None
        assert spec.origin is not None
        files[name] = Path(spec.origin).parent
    return run_checks(PROGRAM, files, prepare="sh ./rdma_network.sh", limit_seconds=1200)


def gpus(directory: Path) -> dict[str, Path]:
    """One of NVIDIA's by the fake library, one of AMD's by its files. A driver is there where it has a GPU."""
    nvml = FakeNvml(directory, nvml_profiles.a100(1), place=directory / "nvml")
    nvml.remove("device")
    GpuHost(directory / "gpus").add_instinct(0)
    facts = {"class": "0x030200", "vendor": "0x10de", "device": "0x20b0", "power/runtime_status": "active"}
    put_pci(directory / "gpus/sys", f"0000:00:02.1/{nvml_profiles.pci(0)}", facts, "nvidia")
    bindings = importlib.util.find_spec("pynvml")
    assert bindings is not None
    assert bindings.origin is not None
    return {
        "gpus": directory / "gpus",
        "nvml": nvml.place,
        "nvml.control": nvml.control,
        "pynvml.py": Path(bindings.origin),
    }


@pytest.mark.parametrize("check", checks_of(PROGRAM))
def test_containers_that_systemd_keeps(report: dict[str, str], check: str) -> None:
    assert report[check] == ""
