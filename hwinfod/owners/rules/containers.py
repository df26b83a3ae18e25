# SPDX-License-Identifier: MIT
"""Containers of OCI runtimes: 64 hex digits, alone in a directory that names the runtime, or behind its prefix.

Monitors (conmon) sit beside the container that they watch and are not in it; systemd's mount units carry
container ids too, and hold no process.
"""

from __future__ import annotations

from hwinfod.owners.identity import CONTAINER, Owner
from hwinfod.owners.rules.segments import before, is_hex, is_number, is_uuid

_ID_LENGTH = 64
_BUILD_ID_LENGTH = 25
_SCOPE = ".scope"

# Without a manager they make <runtime>-<id>.scope of whatever id they were told.
_ALONE = ("runc", "crun", "youki")
_RUNTIME_OF_PREFIX = {
    "containerd": "containerd",
    "cri-containerd": "containerd",
    "nerdctl": "containerd",  # a client: containerd is what can be asked for the name
    "cri-dockerd": "docker",
    "crio": "cri-o",
    "docker": "docker",
    "isulad": "isulad",
    "kata": "kata",
    "libpod": "podman",
    "libpod-payload": "podman",  # podman run --cgroups=split, quadlets
} | {runtime: runtime for runtime in _ALONE}
_RUNTIME_OF_PARENT = {
    "actions_job": "docker",  # GitHub Actions' own --cgroup-parent
    "containerd": "containerd",
    "default": "containerd",  # containerd's cgroupfs layout is /<namespace>/<id>
    "docker": "docker",
    "ecs": "docker",
    "ecstasks": "docker",
    "isulad": "isulad",
    "k8s.io": "containerd",
    "kata_overhead": "kata",
    "moby": "docker",
}
_PARENTS_SEEN = 3
_GARDEN_CLASSES = ("good", "bad")  # of those that use their share of the CPU, and more: guardian rundmc/cgroups


def container(segments: list[str], position: int) -> Owner | None:
    """A container with an id of 64 hex digits: `<id>`, `<prefix>-<id>` or `<prefix>-<id>.scope`."""
    segment = segments[position]
    if len(segment) < _ID_LENGTH:
        return None
    name = segment.removesuffix(_SCOPE)
    identifier = name[-_ID_LENGTH:]
    if len(identifier) < _ID_LENGTH or not is_hex(identifier):
        return None
    prefix = name[:-_ID_LENGTH]
    if not prefix:
        if before(segments, position) == "libpod_parent":  # a Podman pod, around its containers
            return None
        return Owner(CONTAINER, _runtime_above(segments, position), identifier)
    if prefix[-1] not in "-_" or "conmon" in prefix:
        return None
    runtime = _RUNTIME_OF_PREFIX.get(prefix[:-1])
    return Owner(CONTAINER, runtime or _runtime_above(segments, position), identifier)


def _runtime_above(segments: list[str], position: int) -> str | None:
    """The runtime that the closest telling directory names; "kubernetes" in a pod: the CRI can be asked."""
    for parent in reversed(segments[max(0, position - _PARENTS_SEEN) : position]):
        runtime = _RUNTIME_OF_PARENT.get(parent)
        if runtime is not None:
            return runtime
        if parent.startswith("pod") or "-pod" in parent:
            return "kubernetes"
    return None


def short_container(segments: list[str], position: int) -> Owner | None:
    """A container of those few runtimes whose ids are not 64 hex digits, told by the directory above it."""
    segment = segments[position]
    parent = before(segments, position)
    if parent == "buildkit":  # a build step: /docker/buildkit/<25 digits of base 36>
        return Owner(CONTAINER, "buildkit", segment)
    if segment.startswith("docker-"):  # the same with the systemd driver: system.slice:docker:<id>
        identifier = segment[len("docker-") : -len(_SCOPE)]
        known = segment.endswith(_SCOPE) and len(identifier) == _BUILD_ID_LENGTH and identifier.isalnum()
        return Owner(CONTAINER, "buildkit", identifier) if known else None
    if parent == "default" and position == 1:  # containerd by hand (ctr run), as in _RUNTIME_OF_PARENT
        return Owner(CONTAINER, "containerd", segment)
    if _is_garden(parent) or (parent in _GARDEN_CLASSES and _is_garden(before(segments, position, 2))):
        return None if segment in _GARDEN_CLASSES else Owner(CONTAINER, "garden", segment)
    if parent == "mesos" and is_uuid(segment):
        return Owner(CONTAINER, "mesos", segment)
    if before(segments, position, 2) == "ecs":  # Fargate 1.4: <task, 32 hex digits>-<number>
        task, _, number = segment.partition("-")
        return Owner(CONTAINER, "docker", segment) if is_hex(task) and is_number(number) else None
    program, _, name = segment.partition("-")
    if program in _ALONE and len(name) > len(_SCOPE) and name.endswith(_SCOPE):
        return Owner(CONTAINER, program, name[: -len(_SCOPE)])
    if segment.startswith(("apptainer-", "singularity-")):  # apptainer run --cpus …: <program>-<pid>.scope
        number = name.removesuffix(_SCOPE)
        return Owner(CONTAINER, program, number) if is_number(number) else None
    return None


def _is_garden(name: str) -> bool:
    """Cloud Foundry and Concourse: garden, or garden-TAG."""
    return name == "garden" or name.startswith("garden-")
