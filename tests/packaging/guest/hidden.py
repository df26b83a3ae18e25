# SPDX-License-Identifier: MIT
"""What a host has that only root may read, and what else the lines of the unit could cost: files of the kubelet and of
a runtime, the environment of somebody's job, NVIDIA's library and the node that it opens, serial numbers."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from in_guest import AS_NOBODY, sh
from unix_http import get

ENVIRONMENT = "HWINFOD_FAKE_NVML=/run/hidden/nvml.control"
_HERE = Path("/run/hidden")
_LIBRARIES = Path("/usr/lib/x86_64-linux-gnu")  # where the dynamic loader looks
_NODE = "/dev/nvidiactl"
_POD_UID, _CONTAINER, _JOB = "5f2c1f0e-1111-2222-3333-444455556666", "1f" * 32, "4242"
_CGROUPS = Path("/sys/fs/cgroup")
_OF_POD = f"kubepods.slice/kubepods-pod{_POD_UID.replace('-', '_')}.slice/cri-containerd-{_CONTAINER}.scope"
_OF_JOB = f"system.slice/slurmstepd.scope/job_{_JOB}/step_0/user/task_0"
_BUNDLE = Path("/run/containerd/io.containerd.runtime.v2.task/k8s.io", _CONTAINER, "config.json")
_CHECKPOINT = Path("/var/lib/kubelet/device-plugins/kubelet_internal_checkpoint")
_ANNOTATIONS = {
    "io.kubernetes.cri.container-name": "cuda",
    "io.kubernetes.cri.sandbox-name": "train-0",
    "io.kubernetes.cri.sandbox-namespace": "ml",
    "io.kubernetes.cri.sandbox-uid": _POD_UID,
}
_SLURM = {"SLURM_JOB_ID": _JOB, "SLURM_JOB_NAME": "fold", "SLURM_JOB_ACCOUNT": "chem", "SLURM_JOB_GPUS": "0"}
_BYTES = 7 << 30
# What whoever reads all of it knows.
KNOWN = {
    "states": dict.fromkeys(("kubelet_checkpoint", "nvidia", "owner_names", "slurm", "system"), "ok"),
    "checkpoint": "1",
    "container": ("ml", "train-0", "cuda"),
    "jobs": "1",
    "job of the GPU": ("job", _JOB, "chem", _BYTES),
    "GPU": "A100-SXM4-80GB",
    "serial": "GUEST-HOST-0",
}


@contextlib.contextmanager
def hidden(nvml: Path) -> Iterator[None]:
    """Puts it there, with its modes; `nvml` has the library and its control file. Takes it away afterwards."""
    _HERE.mkdir(mode=0o755)
    with contextlib.ExitStack() as stack:
        stack.callback(_take_away)
        _write(_BUNDLE, {"ociVersion": "1.1.0", "annotations": _ANNOTATIONS}, 0o700, Path("/run/containerd"))
        _write(_CHECKPOINT, _checkpoint(), 0o750, Path("/var/lib/kubelet"))
        stack.enter_context(_process(_OF_POD, {}))
        pid = stack.enter_context(_process(_OF_JOB, _SLURM))
        library = [shutil.copy2(path, _LIBRARIES, follow_symlinks=False) for path in (nvml / "lib").iterdir()]
        stack.callback(lambda: [Path(path).unlink() for path in library])
        told = f"gpu.0.compute.processes 1\ngpu.0.compute.0 {pid} {_BYTES} 4294967295 4294967295\n"
        lines = (nvml / "nvml.control").read_text().splitlines(keepends=True)
        rest = "".join(line for line in lines if not line.startswith(("device ", "gpu.0.compute.")))
        (_HERE / "nvml.control").write_text(f"{rest}device {_NODE}\n{told}")
        sh(f"modprobe late_gpus && mknod -m 666 {_NODE} c 195 0 && udevadm settle")
        yield


def _take_away() -> None:
    sh(f"rm -f {_NODE}; modprobe -r late_gpus; udevadm settle")
    for directory in (_HERE, Path("/run/containerd"), Path("/var/lib/kubelet")):
        shutil.rmtree(directory, ignore_errors=True)


def _write(path: Path, document: object, mode: int, top: Path) -> None:
    """A file that is root's, in directories of which the first is root's, too."""
    path.parent.mkdir(parents=True)
    top.chmod(mode)
    path.write_text(json.dumps(document))
    path.chmod(0o600)


def _checkpoint() -> object:
    entry = {"PodUID": _POD_UID, "ContainerName": "cuda", "ResourceName": "nvidia.com/gpu", "DeviceIDs": {"0": ["x"]}}
    return {"Data": {"PodDeviceEntries": [entry], "RegisteredDevices": {"nvidia.com/gpu": ["x"]}}, "Checksum": 1}


@contextlib.contextmanager
def _process(cgroup: str, environment: dict[str, str]) -> Iterator[int]:
    """Somebody else's, in a cgroup that is made for it."""
    directory = _CGROUPS / cgroup
    directory.mkdir(parents=True)
    process = subprocess.Popen([*AS_NOBODY, "sleep", "infinity"], env={**os.environ, **environment})
    try:
        (directory / "cgroup.procs").write_text(str(process.pid))
        yield process.pid
    finally:
        process.kill()
        process.wait()
        while directory.parent not in (_CGROUPS, _CGROUPS / "system.slice"):
            directory.rmdir()
            directory = directory.parent
        directory.rmdir()


def known(socket: str) -> dict[str, Any]:
    """What the daemon at this socket knows of it. Raises LookupError or ValueError where something is missing."""
    states = {item["name"]: item["state"] for item in get(socket, "/v1/collectors").json()["collectors"]}
    lines = get(socket, "/metrics?level=detailed").text.splitlines()
    values = {name: value for name, _, value in (line.rpartition(" ") for line in lines)}
    (container,) = [c for c in get(socket, "/v1/containers").json()["containers"] if c["id"] == _CONTAINER]
    devices = get(socket, "/v1/devices").json()["devices"]
    (gpu,) = [device for device in devices if device["kind"] == "gpu"]
    (serial,) = {device["facts"]["serial"] for device in devices if device["kind"] == "system"}
    owners = get(socket, "/v1/owners").json()["owners"]
    (job,) = [owner for owner in owners if any(held["device"] == gpu["id"] for held in owner["devices"])]
    (held,) = job["devices"]
    return {
        "states": {name: states[name] for name in KNOWN["states"]},
        "checkpoint": values["hwinfod_kubelet_checkpoint_entries"],
        "container": tuple(container[name] for name in ("namespace", "pod", "container")),
        "jobs": values["hwinfod_slurm_jobs"],
        "job of the GPU": (job["kind"], job["job_id"], job["identity"]["account"], _memory(held)),
        "GPU": gpu["facts"]["model"],
        "serial": serial,
    }


def _memory(held: Any) -> int:
    return int(held["amounts"]["memory_bytes"])
