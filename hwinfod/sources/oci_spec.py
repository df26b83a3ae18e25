# SPDX-License-Identifier: MIT
"""The config.json of an OCI bundle: whose container it is, and which devices it was given.

Runtimes keep one for each running container, and return it in their APIs. Read are the annotations that name a
pod, the device nodes, and what the NVIDIA runtime takes as its order; the rest of the environment never is.
Source: opencontainers/runtime-spec config.md, config-linux.md; containerd internal/cri/annotations; CRI-O
pkg/annotations; nvidia-container-toolkit internal/config/image.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from hwinfod.core.container import DeviceNode
from hwinfod.sources.json_document import array, integer, mapping, parse_json, text, texts

if TYPE_CHECKING:
    from collections.abc import Sequence

# Each fact by the annotation of containerd's CRI plugin, of CRI-O, and of nerdctl.
_CONTAINER_TYPE = ("io.kubernetes.cri.container-type", "io.kubernetes.cri-o.ContainerType")
_CONTAINER = ("io.kubernetes.cri.container-name", "io.kubernetes.container.name", "nerdctl/name")
_NAMESPACE = ("io.kubernetes.cri.sandbox-namespace", "io.kubernetes.pod.namespace")
_POD = ("io.kubernetes.cri.sandbox-name", "io.kubernetes.pod.name")
_POD_UID = ("io.kubernetes.cri.sandbox-uid", "io.kubernetes.pod.uid")
_IMAGE = ("io.kubernetes.cri.image-name", "io.kubernetes.cri-o.ImageName")

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


def parse_spec(data: bytes) -> OciSpec:
    """A config.json. Raises ParseError."""
    return spec_of(parse_json(data))


def spec_of(document: object) -> OciSpec:
    """A specification that came inside another document. What is missing or of the wrong type is empty."""
    annotations = mapping(document, "annotations")
    linux = mapping(document, "linux")

    def first(keys: tuple[str, ...]) -> str:
        return next((value for value in (text(annotations.get(key)) for key in keys) if value), "")

    is_sandbox = first(_CONTAINER_TYPE) == "sandbox"
    return OciSpec(
        container="" if is_sandbox else first(_CONTAINER),  # CRI-O calls it POD
        namespace=first(_NAMESPACE),
        pod=first(_POD),
        pod_uid=first(_POD_UID),
        image=first(_IMAGE),
        is_sandbox=is_sandbox,
        cgroups_path=text(linux.get("cgroupsPath")),
        devices=_devices(linux),
        visible_devices=_visible_devices(document),
        may_open_all_devices=_may_open_all(linux),
        has_nvidia_hook=_has_nvidia_hook(document),
        uses_mps=any(v.startswith(_MPS_PIPE) for v in texts(mapping(document, "process").get("env"))),
    )


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
