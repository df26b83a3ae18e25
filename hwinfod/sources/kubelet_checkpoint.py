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
_DEVICES, _HOST_PATH, _CDI_DEVICES, _CDI_NAME = 3, 2, 5, 1


class DeviceEntry(NamedTuple):
    """One resource of one container. `device_ids` are the plugin's own: a UUID, a PCI address, a replica.
    `device_paths` are nodes of the host and `cdi_devices` names by the Container Device Interface, as the
    plugin answered; both may be empty."""

    pod_uid: str
    container: str
    resource: str
    device_ids: tuple[str, ...]
    device_paths: tuple[str, ...]
    cdi_devices: tuple[str, ...]


def parse_checkpoint(data: bytes) -> list[DeviceEntry]:
    """The entries in the order of the file. Its checksum is Go's of a Go structure and is not verified: the file
    is replaced by rename. Raises ParseError."""
    document = mapping(parse_json(data))
    if "Data" not in document:
        raise ParseError(f"checkpoint: {data[:60]!r}")
    found = []
    for item in array(mapping(document, "Data").get("PodDeviceEntries")):
        entry = mapping(item)
        paths, cdi = _parse_response(entry.get("AllocResp"))
        found.append(
            DeviceEntry(
                pod_uid=text(entry.get("PodUID")),
                container=text(entry.get("ContainerName")),
                resource=text(entry.get("ResourceName")),
                device_ids=_device_ids(entry.get("DeviceIDs")),
                device_paths=paths,
                cdi_devices=cdi,
            )
        )
    return found


def read_checkpoint(roots: RootPaths) -> list[DeviceEntry]:
    """Raises a `ReadError` (Gone without a kubelet, Denied) or ParseError."""
    return parse_checkpoint(read_regular(roots.root(CHECKPOINT), _LIMIT))


def _device_ids(value: object) -> tuple[str, ...]:
    """By NUMA node ("-1" for none) since Kubernetes 1.20, a plain list before."""
    if isinstance(value, dict):
        return tuple(identifier for ids in value.values() for identifier in texts(ids))
    return texts(value)


def _parse_response(value: object) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Device paths and CDI names of a plugin's answer; a broken one costs these, not the entry."""
    if not isinstance(value, str):
        return (), ()
    try:
        response = protobuf.decode(base64.b64decode(value, validate=True))
        devices = tuple(device.text(_HOST_PATH) for device in response.messages(_DEVICES))
        return devices, tuple(device.text(_CDI_NAME) for device in response.messages(_CDI_DEVICES))
    except (ValueError, ParseError):
        return (), ()
