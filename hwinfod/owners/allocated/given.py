# SPDX-License-Identifier: MIT
"""What a container's runtime gave it: the device nodes in its specification, and what NVIDIA's runtime was told."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hwinfod.core.allocation import Allocation
from hwinfod.owners.cgroup import resolve_path
from hwinfod.sources.files import link_name

if TYPE_CHECKING:
    from hwinfod.core.container import DeviceNode
    from hwinfod.core.host import RootPaths
    from hwinfod.core.owner import ContainerName
    from hwinfod.sources.oci_bundle import Bundle
    from hwinfod.sources.oci_spec import OciSpec

SOURCE = "bundle"
ALL = "all"
_NVIDIA_MAJOR, _NVIDIA_LAST_GPU = 195, 253  # 254 is nvidia-modeset, 255 nvidiactl: nvidia's nv-linux.h
_NO_DEVICES = ("", "none", "void")
_DIRECTORIES = {"renderD": "/dev/dri", "card": "/dev/dri", "uverbs": "/dev/infiniband"}


def allocation_of(bundle: Bundle, spec: OciSpec, name: ContainerName, roots: RootPaths) -> Allocation | None:
    """None of a sandbox, and none of a privileged container: it may open all devices and was given none of them.

    NVIDIA_VISIBLE_DEVICES counts where NVIDIA's hook is there to obey it. Images have `all` by themselves: in
    Kubernetes, where the kubelet allocates, that is no allocation.
    """
    if spec.is_sandbox or spec.may_open_all_devices:
        return None
    ids = tuple(id_ for id_ in spec.visible_devices if id_ not in _NO_DEVICES)
    nodes = tuple(path for node in spec.devices if (path := node_path(roots, node)))
    if spec.pod_uid and ALL in ids:
        ids, nodes = (), tuple(path for path in nodes if not path.startswith("/dev/nvidia"))
    if not spec.has_nvidia_hook:
        ids = ()
    if not ids and not nodes:
        return None
    return Allocation(
        namespace=spec.namespace,
        pod=spec.pod,
        container=name.container,
        resource="",
        device_ids=ids,
        devices=ids,
        source=SOURCE,
        pod_uid=spec.pod_uid,
        container_id=bundle.container_id,
        nodes=nodes,
        uses_mps=spec.uses_mps,
        runtime=resolve_path(spec.cgroups_path).runtime or "",
    )


def node_path(roots: RootPaths, node: DeviceNode) -> str:
    """The host's name for a device node by its numbers, "" for what is no GPU and no RDMA device. The path in the
    specification is the container's. Source: Documentation/ABI/testing/sysfs-dev."""
    if node.major == _NVIDIA_MAJOR:
        return f"/dev/nvidia{node.minor}" if node.minor <= _NVIDIA_LAST_GPU else ""
    name = link_name(roots.sys("dev", "char", f"{node.major}:{node.minor}"))
    return next((f"{place}/{name}" for kind, place in _DIRECTORIES.items() if name.startswith(kind)), "")
