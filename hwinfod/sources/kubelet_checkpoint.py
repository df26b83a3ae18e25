# SPDX-License-Identifier: MIT
"""Which device ids the kubelet gave to which container: its device manager's checkpoint, for root only.

It keeps entries of ended pods until the next allocation: join it with the pods that run. Source: kubernetes
pkg/kubelet/cm/devicemanager/checkpoint/checkpoint.go; AllocResp is a ContainerAllocateResponse of kubelet
pkg/apis/deviceplugin/v1beta1/api.proto.
"""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING, NamedTuple

from hwinfod.errors import ParseError
from hwinfod.sources import protobuf
from hwinfod.sources.files import read_regular
from hwinfod.sources.json_document import array, mapping, parse_json, text, texts

if TYPE_CHECKING:
    from hwinfod.core.host import RootPaths

CHECKPOINT = "/var/lib/kubelet/device-plugins/kubelet_internal_checkpoint"

_LIMIT = 16 << 20
_ENVS, _DEVICES, _HOST_PATH, _CDI_DEVICES, _CDI_NAME = 1, 3, 2, 5, 1
_MPS_PIPE = "CUDA_MPS_PIPE_DIRECTORY"  # NVIDIA/k8s-device-plugin internal/plugin/server.go updateResponseForMPS()


class DeviceEntry(NamedTuple):
    """One resource of one container. `device_ids` are the plugin's own: a UUID, a PCI address, a replica.
    `device_paths` are nodes of the host and `cdi_devices` names by the Container Device Interface, as the
    plugin answered; both may be empty. `uses_mps` says that NVIDIA's plugin shares the devices by MPS."""

    pod_uid: str
    container: str
    resource: str
    device_ids: tuple[str, ...]
    device_paths: tuple[str, ...]
    cdi_devices: tuple[str, ...]
    uses_mps: bool = False


class Checkpoint(NamedTuple):
    """What was given to whom, in the order of the file, and all device ids by resource."""

    entries: tuple[DeviceEntry, ...]
    registered: dict[str, tuple[str, ...]]


class _Answer(NamedTuple):
    device_paths: tuple[str, ...] = ()
    cdi_devices: tuple[str, ...] = ()
    uses_mps: bool = False


def parse_checkpoint(data: bytes) -> Checkpoint:
    """The file. Its checksum is Go's of a Go structure and is not verified: the file is replaced by rename. Raises
    ParseError."""
    document = mapping(parse_json(data))
    if "Data" not in document:
        raise ParseError(f"checkpoint: {data[:60]!r}")
    found = []
    for item in array(mapping(document, "Data").get("PodDeviceEntries")):
        entry = mapping(item)
        found.append(
            DeviceEntry(
                text(entry.get("PodUID")),
                text(entry.get("ContainerName")),
                text(entry.get("ResourceName")),
                _device_ids(entry.get("DeviceIDs")),
                *_parse_response(entry.get("AllocResp")),
            )
        )
    registered = mapping(document, "Data", "RegisteredDevices")
    return Checkpoint(tuple(found), {text(resource): texts(ids) for resource, ids in registered.items()})


def read_checkpoint(roots: RootPaths) -> Checkpoint:
    """Raises a `ReadError` (Gone without a kubelet, Denied) or ParseError."""
    return parse_checkpoint(read_regular(roots.root(CHECKPOINT), _LIMIT))


def _device_ids(value: object) -> tuple[str, ...]:
    """By NUMA node ("-1" for none) since Kubernetes 1.20, a plain list before."""
    if isinstance(value, dict):
        return tuple(identifier for ids in value.values() for identifier in texts(ids))
    return texts(value)


def _parse_response(value: object) -> _Answer:
    """What a plugin answered; a broken answer costs itself, not the entry."""
    if not isinstance(value, str):
        return _Answer()
    try:
        response = protobuf.decode(base64.b64decode(value, validate=True))
        return _Answer(
            tuple(device.text(_HOST_PATH) for device in response.messages(_DEVICES)),
            tuple(device.text(_CDI_NAME) for device in response.messages(_CDI_DEVICES)),
            _MPS_PIPE in response.mapping(_ENVS),
        )
    except (ValueError, ParseError):
        return _Answer()
