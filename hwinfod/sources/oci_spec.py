# SPDX-License-Identifier: MIT
"""The config.json of an OCI bundle: whose container it is, and which devices it was given.

Runtimes keep one for each running container, and return it in their APIs. Read are the annotations that name a
pod, the device nodes, and what the NVIDIA runtime takes as its order; the rest of the environment never is.
Annotations are a tenant's as well: only what a runtime writes itself says what a container is called.
Source: opencontainers/runtime-spec config.md, config-linux.md; containerd internal/cri/annotations; CRI-O
internal/annotations; nvidia-container-toolkit internal/config/image.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from hwinfod.core.container import DeviceNode
from hwinfod.sources.json_document import array, integer, mapping, parse_json, text, texts

if TYPE_CHECKING:
    from collections.abc import Sequence

CONTAINERD, CRIO = "containerd", "cri-o"


class _Names(NamedTuple):
    """A container's names, or the annotations that have them."""

    container: str = ""
    namespace: str = ""
    pod: str = ""
    pod_uid: str = ""
    image: str = ""


_CONTAINERDS = _Names(
    container="io.kubernetes.cri.container-name",
    namespace="io.kubernetes.cri.sandbox-namespace",
    pod="io.kubernetes.cri.sandbox-name",
    pod_uid="io.kubernetes.cri.sandbox-uid",
    image="io.kubernetes.cri.image-name",
)
# A pod is called by the labels of the kubelet, which CRI-O writes last: over annotations of a pod, of a sandbox too.
_CRIOS = _Names(
    container="io.kubernetes.container.name",
    namespace="io.kubernetes.pod.namespace",
    pod="io.kubernetes.pod.name",
    pod_uid="io.kubernetes.pod.uid",
    image="io.kubernetes.cri-o.ImageName",
)
_CONTAINER_TYPE = "io.kubernetes.cri.container-type"
_SANDBOX_OF_CRIO = "POD"  # no container of a pod may have capitals
_NERDCTLS_NAME = "nerdctl/name"

_VISIBLE_DEVICES = "NVIDIA_VISIBLE_DEVICES="
_MPS_PIPE = "CUDA_MPS_PIPE_DIRECTORY="
_HOOKS = ("prestart", "createRuntime", "createContainer")
_VOLUME_DEVICES = "/var/run/nvidia-container-devices/"
MOST_DEVICES = 1024


class OciSpec(NamedTuple):
    """What one container was made with. Names are "" where the runtime does not tell them. `visible_devices` is
    NVIDIA_VISIBLE_DEVICES, or the volume mounts that stand for it: UUIDs, indices, "all", "none" or "void".
    With `may_open_all_devices` (privileged) device nodes say nothing of what the container was allocated. Images have
    the variable by themselves: `has_nvidia_hook` says that somebody is there to obey it. `uses_mps` says that the
    container is to work through the server of NVIDIA's Multi-Process Service."""

    container: str
    namespace: str
    pod: str
    pod_uid: str
    image: str
    is_sandbox: bool
    cgroups_path: str
    devices: tuple[DeviceNode, ...]
    visible_devices: tuple[str, ...]
    may_open_all_devices: bool
    has_nvidia_hook: bool = False
    uses_mps: bool = False


def parse_spec(data: bytes, runtime: str) -> OciSpec:
    """A config.json that `runtime` wrote: CONTAINERD, or CRIO where it lies with those of containers/storage. Raises
    ParseError."""
    return spec_of(parse_json(data), runtime)


def spec_of(document: object, runtime: str) -> OciSpec:
    """A specification that came inside another document. What is missing or of the wrong type is empty."""
    linux = mapping(document, "linux")
    cgroups_path = text(linux.get("cgroupsPath"))
    annotations = mapping(document, "annotations")
    is_crios = runtime == CRIO
    names, is_sandbox = _by_crio(annotations, cgroups_path) if is_crios else _by_containerd(annotations)
    return OciSpec(
        *(names._replace(container="") if is_sandbox else names),
        is_sandbox=is_sandbox,
        cgroups_path=cgroups_path,
        devices=_devices(linux),
        visible_devices=_visible_devices(document),
        may_open_all_devices=_may_open_all(linux),
        has_nvidia_hook=_has_nvidia_hook(document),
        uses_mps=any(v.startswith(_MPS_PIPE) for v in texts(mapping(document, "process").get("env"))),
    )


def _by_containerd(annotations: dict[str, object]) -> tuple[_Names, bool]:
    """Its own annotations, which it writes over those that a pod may pass on; of nerdctl's containers nerdctl's."""
    names, kind = _written(annotations, _CONTAINERDS), text(annotations.get(_CONTAINER_TYPE))
    if not (kind or names.container):
        names = names._replace(container=text(annotations.get(_NERDCTLS_NAME)))
    return names, kind == "sandbox"


def _by_crio(annotations: dict[str, object], cgroups_path: str) -> tuple[_Names, bool]:
    """CRI-O copies all annotations of a pod, so that nothing but what it writes over them is believed: not its own word
    for a sandbox. Podman copies an image's, into bundles at the same place: they have another cgroup. Source: CRI-O
    internal/factory/container/container.go, server/sandbox_run_linux.go, internal/config/cgmgr; Podman
    pkg/specgen/generate/container.go."""
    leaf = cgroups_path.rpartition("/")[2]
    if not (leaf.startswith("crio-") or leaf.split(":")[1:2] == ["crio"]):
        return _Names(), False
    names = _written(annotations, _CRIOS)
    return names, names.container == _SANDBOX_OF_CRIO


def _written(annotations: dict[str, object], keys: _Names) -> _Names:
    return _Names(*(text(annotations.get(key)) for key in keys))


def _devices(linux: dict[str, object]) -> tuple[DeviceNode, ...]:
    found = []
    for item in array(linux.get("devices"))[:MOST_DEVICES]:
        device = mapping(item)
        path, major, minor = text(device.get("path")), integer(device.get("major")), integer(device.get("minor"))
        if path and major is not None and minor is not None and device.get("type") in ("c", "u", "b"):
            found.append(DeviceNode(path, major, minor))
    return tuple(found)


def _visible_devices(document: object) -> tuple[str, ...]:
    mounted = (text(mapping(item).get("destination")) for item in array(mapping(document).get("mounts")))
    volumes = [path[len(_VOLUME_DEVICES) :] for path in mounted if path.startswith(_VOLUME_DEVICES)]
    if volumes:
        return tuple(name for name in volumes if name)[:MOST_DEVICES]
    return visible_devices(texts(mapping(document, "process").get("env")))


def visible_devices(environment: Sequence[str]) -> tuple[str, ...]:
    """What NVIDIA_VISIBLE_DEVICES says in an environment; the last one counts."""
    for variable in reversed(environment):
        if variable.startswith(_VISIBLE_DEVICES):
            words = variable[len(_VISIBLE_DEVICES) :].split(",")
            return tuple(word.strip() for word in words if word.strip())[:MOST_DEVICES]
    return ()


def _has_nvidia_hook(document: object) -> bool:
    """nvidia-container-runtime-hook, or nvidia-cdi-hook of the newer mode."""
    hooks = mapping(document, "hooks")
    paths = (text(mapping(item).get("path")) for kind in _HOOKS for item in array(hooks.get(kind)))
    return any(path.rpartition("/")[2].startswith("nvidia-") for path in paths)


def _may_open_all(linux: dict[str, object]) -> bool:
    """Whether the device rules let every device through: `--privileged` writes one rule without numbers."""
    for item in array(mapping(linux, "resources").get("devices")):
        rule = mapping(item)
        everything = rule.get("type") in (None, "", "a") and rule.get("major") in (None, -1)
        if rule.get("allow") is True and everything:
            return True
    return False
