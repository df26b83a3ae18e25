# SPDX-License-Identifier: MIT
"""Stand-ins for containerd, CRI-O and the kubelet: what they would say, at a real gRPC socket."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from grpclib.const import Status
from grpclib.exceptions import GRPCError

from hwinfod.core.health import State
from hwinfod.sources import containerd, cri, pod_resources
from tests.support.bench import Bench
from tests.support.grpc_server import GrpcServer
from tests.support.protobuf import message_classes

# Of the .proto files that the modules of hwinfod.sources name.
T = message_classes(
    """
    Any: type_url=1 string, value=2 bytes
    Timestamp: seconds=1 int64, nanos=2 int32
    Namespace: name=1 string
    Namespaces: namespaces=1 *Namespace
    Id: id=1 string
    Container: id=1 string, labels=2 map, image=3 string, spec=5 Any, created_at=8 Timestamp
    OneContainer: container=1 Container
    Process: container_id=1 string, id=2 string, pid=3 uint32, status=4 int32, exit_status=9 uint32
    Tasks: tasks=1 *Process
    Envelope: timestamp=1 Timestamp, namespace=2 string, topic=3 string, event=4 Any
    TaskEvent: container_id=1 string, id=2 string, pid=3 uint32, exit_status=4 uint32
    Version: version=1 string, runtime_name=2 string
    PodMetadata: name=1 string, uid=2 string, namespace=3 string
    Sandbox: id=1 string, metadata=2 PodMetadata
    Sandboxes: items=1 *Sandbox
    Metadata: name=1 string, attempt=2 uint32
    Image: image=1 string, user_specified_image=18 string
    CriContainer: id=1 string, pod_sandbox_id=2 string, metadata=3 Metadata, image=4 Image, state=6 int32,\
 created_at=7 int64, labels=8 map
    CriContainers: containers=1 *CriContainer
    StatusRequest: container_id=1 string, verbose=2 bool
    CriStatus: id=1 string, state=3 int32, started_at=5 int64, finished_at=6 int64, exit_code=7 int32, image=8 Image,\
 reason=10 string
    StatusReply: status=1 CriStatus, info=2 map
    CriEvent: container_id=1 string, container_event_type=2 int32, created_at=3 int64, pod_sandbox_status=4 Sandbox
    Devices: resource_name=1 string, device_ids=2 *string
    Cdi: name=1 string
    ClaimResource: cdi_devices=1 *Cdi, driver_name=2 string, pool_name=3 string, device_name=4 string
    Dynamic: claim_name=2 string, claim_namespace=3 string, claim_resources=4 *ClaimResource
    Given: name=1 string, devices=2 *Devices, dynamic_resources=5 *Dynamic
    Pod: name=1 string, namespace=2 string, containers=3 *Given
    Pods: pod_resources=1 *Pod
    Allocatable: devices=1 *Devices
    """,
    package="runtimes",
)

UIDS = "5f2c1f0e-1111-2222-3333-{:012d}"


def packed(kind: str, **fields: Any) -> bytes:
    return T[kind](**fields).SerializeToString()


def not_served(*_: object) -> bytes:
    """grpclib's own refusal lacks the content type, which Go's servers send."""
    raise GRPCError(Status.UNIMPLEMENTED, "unknown method")


def unavailable(*_: object) -> bytes:
    raise GRPCError(Status.UNAVAILABLE, "the server is stopping")


def pod_spec(name: str, container: str, *, devices: tuple[tuple[str, int, int], ...] = (), env: str = "") -> bytes:
    """A config.json as containerd's CRI plugin writes it; without a container's name that of a sandbox."""
    number = int(name.rpartition("-")[2])
    annotations = {
        "io.kubernetes.cri.container-type": "container" if container else "sandbox",
        "io.kubernetes.cri.container-name": container,
        "io.kubernetes.cri.sandbox-name": name,
        "io.kubernetes.cri.sandbox-namespace": "ml",
        "io.kubernetes.cri.sandbox-uid": UIDS.format(number),
    }
    nodes = [{"path": path, "type": "c", "major": major, "minor": minor} for path, major, minor in devices]
    process = {"env": [env]} if env else {}
    return json.dumps({"annotations": annotations, "linux": {"devices": nodes}, "process": process}).encode()


class Containerd(GrpcServer):
    """containerd with containers of the namespaces `k8s.io` and `moby`."""

    def __init__(self, path: Path, now: Callable[[], int]) -> None:
        super().__init__(path)
        self.now = now
        self.containers: dict[tuple[str, str], bytes] = {}
        self.tasks: dict[tuple[str, str], tuple[int, int, int]] = {}  # pid, status, exit status
        self.answers = {
            containerd.NAMESPACES_LIST: lambda *_: packed(
                "Namespaces", namespaces=[{"name": "k8s.io"}, {"name": "moby"}]
            ),
            containerd.TASKS_LIST: self._tasks,
            containerd.CONTAINERS_STREAM: self._list,
            containerd.CONTAINERS_GET: self._get,
        }
        self.streams = {containerd.EVENTS_SUBSCRIBE}

    def _namespaces(self, *_: object) -> bytes:
        return packed("Namespaces", namespaces=[{"name": "k8s.io"}, {"name": "moby"}])

    def _tasks(self, _: bytes, metadata: dict[str, str]) -> bytes:
        processes = [
            {"container_id": name, "pid": pid, "status": status, "exit_status": code}
            for (scope, name), (pid, status, code) in self.tasks.items()
            if scope == metadata[containerd.NAMESPACE]
        ]
        return packed("Tasks", tasks=processes)

    def _list(self, _: bytes, metadata: dict[str, str]) -> list[bytes]:
        return [made for (scope, _name), made in self.containers.items() if scope == metadata[containerd.NAMESPACE]]

    def _get(self, request: bytes, metadata: dict[str, str]) -> bytes:
        key = (metadata[containerd.NAMESPACE], T["Id"].FromString(request).id)
        if key not in self.containers:
            raise GRPCError(Status.NOT_FOUND, f"container {key[1]!r}")
        return self.containers[key]

    def create(self, name: str, spec: bytes = b"{}", *, scope: str = "k8s.io", labels: Any = None) -> None:
        container = {"id": name, "image": "train:1.4", "spec": {"value": spec}, "labels": labels or {}}
        self.containers[scope, name] = packed("OneContainer", container=container)
        self._tell("ContainerCreate", packed("Id", id=name), scope)

    def start_task(self, name: str, pid: int = 4711, *, scope: str = "k8s.io") -> None:
        self.tasks[scope, name] = (pid, 2, 0)
        self._tell("TaskStart", packed("TaskEvent", container_id=name, pid=pid), scope)

    def oom(self, name: str, *, scope: str = "k8s.io") -> None:
        self._tell("TaskOOM", packed("TaskEvent", container_id=name), scope)

    def exit(self, name: str, code: int = 0, *, scope: str = "k8s.io") -> None:
        self.tasks.pop((scope, name), None)
        self._tell("TaskExit", packed("TaskEvent", container_id=name, id=name, exit_status=code), scope)

    def delete(self, name: str, *, scope: str = "k8s.io") -> None:
        self.containers.pop((scope, name), None)
        self._tell("ContainerDelete", packed("Id", id=name), scope)

    def _tell(self, kind: str, payload: bytes, scope: str) -> None:
        """Lost where nobody listens, as containerd's are."""
        if self.is_running:
            seconds, nanos = divmod(self.now(), 1_000_000_000)
            envelope = packed(
                "Envelope",
                timestamp={"seconds": seconds, "nanos": nanos},
                namespace=scope,
                event={"type_url": f"containerd.events.{kind}", "value": payload},
            )
            self.push(containerd.EVENTS_SUBSCRIBE, envelope)


class Crio(GrpcServer):
    """A runtime by the CRI, called what one likes, with a stream of events or without."""

    def __init__(self, path: Path, now: Callable[[], int], *, name: str = "cri-o", has_events: bool = True) -> None:
        super().__init__(path)
        self.now = now
        self.containers: dict[str, dict[str, Any]] = {}
        self.sandboxes: dict[str, dict[str, str]] = {}
        self.answers = {
            cri.VERSION: lambda *_: packed("Version", version="0.1.0", runtime_name=name),
            cri.LIST_POD_SANDBOX: self._sandboxes,
            cri.LIST_CONTAINERS: self._list,
            cri.CONTAINER_STATUS: self._status,
        }
        if has_events:
            self.streams = {cri.GET_CONTAINER_EVENTS}
        else:
            self.answers[cri.GET_CONTAINER_EVENTS] = not_served

    def _sandboxes(self, *_: object) -> bytes:
        items = [{"id": each, "metadata": metadata} for each, metadata in self.sandboxes.items()]
        return packed("Sandboxes", items=items)

    def _list(self, *_: object) -> bytes:
        fields = ("id", "pod_sandbox_id", "metadata", "image", "state", "created_at", "labels")
        listed = [{key: each[key] for key in fields if key in each} for each in self.containers.values()]
        return packed("CriContainers", containers=listed)

    def _status(self, request: bytes, _: dict[str, str]) -> bytes:
        wanted = T["StatusRequest"].FromString(request)
        if wanted.container_id not in self.containers:
            raise GRPCError(Status.NOT_FOUND, "no such container")
        found = self.containers[wanted.container_id]
        fields = ("id", "state", "started_at", "finished_at", "exit_code", "reason")
        info = {"pid": 4711, "runtimeSpec": json.loads(found["spec"])} if wanted.verbose else {}
        status = {"image": {"image": "sha256:1", "user_specified_image": "train:1.4"}}
        status |= {key: found[key] for key in fields if key in found}
        return packed("StatusReply", status=status, info={"info": json.dumps(info)})

    def create(self, name: str, pod: str, container: str, spec: bytes = b"{}") -> None:
        uid = UIDS.format(int(pod.rpartition("-")[2]))
        labels = {
            "io.kubernetes.container.name": container,
            "io.kubernetes.pod.name": pod,
            "io.kubernetes.pod.namespace": "ml",
            "io.kubernetes.pod.uid": uid,
        }
        self.sandboxes.setdefault(f"sandbox of {pod}", {"name": pod, "namespace": "ml", "uid": uid})
        self.containers[name] = {
            "id": name, "metadata": {"name": container}, "state": 0, "labels": labels, "spec": spec,
            "created_at": self.now(), "pod_sandbox_id": f"sandbox of {pod}", "image": {"image": "sha256:1"},
        }  # fmt: skip
        self._tell(name, 0)

    def start_container(self, name: str) -> None:
        self.containers[name] |= {"state": 1, "started_at": self.now()}
        self._tell(name, 1)

    def exit(self, name: str, code: int = 0, reason: str = "Completed") -> None:
        self.containers[name] |= {"state": 2, "finished_at": self.now(), "exit_code": code, "reason": reason}
        self._tell(name, 2)

    def delete(self, name: str) -> None:
        del self.containers[name]
        self._tell(name, 3)

    def tell_of_sandbox(self, pod: str) -> None:
        self._tell(f"sandbox of {pod}", 0, sandbox=f"sandbox of {pod}")

    def _tell(self, name: str, kind: int, sandbox: str = "") -> None:
        if self.is_running and self.streams:
            event = packed(
                "CriEvent",
                container_id=name,
                container_event_type=kind,
                created_at=self.now(),
                pod_sandbox_status={"id": sandbox},
            )
            self.push(cri.GET_CONTAINER_EVENTS, event)


class Kubelet(GrpcServer):
    """The pod-resources socket. `pods` and `allocatable` are as of its messages."""

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        self.pods: list[dict[str, Any]] = []
        self.allocatable: list[dict[str, Any]] = []
        self.answers = {
            pod_resources.LIST: lambda *_: packed("Pods", pod_resources=self.pods),
            pod_resources.GET_ALLOCATABLE: lambda *_: packed("Allocatable", devices=self.allocatable),
        }


def until(bench: Bench, reached: Callable[[], object], *, ticks: float = 0.0) -> None:
    """Ticks until something is so; fails after a minute in which it is not. `ticks` moves the bench's clock."""
    end = time.monotonic() + 60
    while not reached():
        assert time.monotonic() < end, f"not reached: {bench.skipped}, {bench.reason}"
        assert bench.attempt(after=ticks) is not State.FAILING, bench.reason


def life(bench: Bench, container_id: str) -> list[str]:
    """The words of the events of one container, in order."""
    return [
        event.kind.value.removeprefix("container ")
        for event in bench.events()
        if event.attributes.get("container_id") == container_id
    ]
