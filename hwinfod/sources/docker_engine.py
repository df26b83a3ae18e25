# SPDX-License-Identifier: MIT
"""The Docker Engine's API, and Podman's service that speaks it: containers, their devices, their life. No transport.

Asked in HTTP/1.0, so that an answer ends where the connection does and a stream of events is one line an event. The
socket is as good as root: whoever may open it may start a privileged container. Source: Docker Engine API, "Get
version", "List containers", "Inspect a container", "Monitor events"; Podman pkg/api/handlers/compat.
"""

from __future__ import annotations

from typing import NamedTuple

from hwinfod.errors import ParseError
from hwinfod.sources.json_document import array, integer, mapping, parse_json, text, texts
from hwinfod.sources.oci_spec import visible_devices

PODMAN_SOCKET = "/run/podman/podman.sock"
SOCKETS = ("/run/docker.sock", PODMAN_SOCKET)
VERSION = "/version"
LIST = "/containers/json?all=1"
EVENTS = "/events?filters=%7B%22type%22%3A%5B%22container%22%5D%7D"  # {"type":["container"]}

# Docker's word, and Podman's own where it has another. Source: Podman libpod/events/config.go.
_KIND_OF_ACTION = {
    "create": "created",
    "start": "started",
    "restart": "started",
    "die": "exited",
    "died": "exited",
    "oom": "oom",
    "destroy": "deleted",
    "remove": "deleted",
    "rename": "renamed",
}
_PODMAN = "Podman Engine"
_STATES = {
    "created": "created", "configured": "created", "initialized": "created",
    "running": "running", "paused": "running", "stopping": "running", "removing": "exited",
    "exited": "exited", "dead": "exited", "stopped": "exited",
}  # fmt: skip


class EngineName(NamedTuple):
    """What a container is called. `namespace`, `pod` and `pod_uid` are "" but for a pod's container that cri-dockerd
    started; a pod's sandbox has no `container`."""

    container: str
    namespace: str
    pod: str
    pod_uid: str
    image: str
    is_sandbox: bool


class EngineContainer(NamedTuple):
    """A container of the list. `created_ns` is Unix time."""

    container_id: str
    name: EngineName
    state: str
    created_ns: int


class EngineDetails(NamedTuple):
    """What inspecting a container tells. `device_paths` are (path in the container, path on the host). `devices` is
    what --gpus or NVIDIA_VISIBLE_DEVICES asked for: UUIDs, indices, "all"."""

    container_id: str
    name: EngineName
    state: str
    pid: int
    exit_code: int
    was_out_of_memory: bool
    is_privileged: bool
    device_paths: tuple[tuple[str, str], ...]
    devices: tuple[str, ...]


class EngineEvent(NamedTuple):
    """`kind` is "created", "started", "exited", "oom", "deleted" or "renamed". `exit_code` with "exited" only."""

    container_id: str
    kind: str
    unix_ns: int
    exit_code: int | None = None


def request(path: str) -> bytes:
    """A GET, whose answer ends with the connection."""
    return f"GET {path} HTTP/1.0\r\nHost: docker\r\n\r\n".encode()


def inspect_path(container_id: str) -> str:
    """Raises ParseError for an id that is not one: it goes into a URL."""
    if not (container_id.isascii() and container_id.isalnum()):
        raise ParseError(f"docker: id {container_id[:80]!r}")
    return f"/containers/{container_id}/json"


def parse_engine(body: bytes) -> str:
    """The body of `VERSION`: "podman" or "docker", whichever is called by the other's socket. Raises ParseError."""
    components = array(mapping(parse_json(body)).get("Components"))
    return "podman" if any(mapping(each).get("Name") == _PODMAN for each in components) else "docker"


def parse_containers(body: bytes) -> list[EngineContainer]:
    """The body of `LIST`. Raises ParseError."""
    records = (mapping(item) for item in array(parse_json(body)))
    return [_container(record) for record in records if text(record.get("Id")) and texts(record.get("Names"))]


def _container(record: dict[str, object]) -> EngineContainer:
    return EngineContainer(
        container_id=text(record.get("Id")),
        name=_name(texts(record.get("Names"))[0], text(record.get("Image")), mapping(record, "Labels")),
        state=_STATES.get(text(record.get("State")).lower(), "unknown"),
        created_ns=(integer(record.get("Created")) or 0) * 1_000_000_000,
    )


def _name(name: str, image: str, labels: dict[str, object]) -> EngineName:
    """Labels may be the image's: those of a pod's container are believed where its name says the same, which its maker
    chose. Source: cri-dockerd core/naming.go: k8s_CONTAINER_POD_NAMESPACE_UID_ATTEMPT."""
    namespace, pod, uid = (text(labels.get(f"io.kubernetes.pod.{key}")) for key in ("namespace", "name", "uid"))
    name = name.lstrip("/")
    if not (pod and name.startswith("k8s_") and f"_{pod}_{namespace}_{uid}_" in name):
        return EngineName(name, "", "", "", image, is_sandbox=False)
    is_sandbox = labels.get("io.kubernetes.docker.type") == "podsandbox"
    container = text(labels.get("io.kubernetes.container.name"))
    return EngineName("" if is_sandbox else container, namespace, pod, uid, image, is_sandbox)


def parse_inspect(body: bytes) -> EngineDetails:
    """The body of `inspect_path`. Raises ParseError."""
    document = mapping(parse_json(body))
    state, host, config = (mapping(document, key) for key in ("State", "HostConfig", "Config"))
    if not text(document.get("Id")):
        raise ParseError(f"docker: {body[:60]!r}")
    nodes = [mapping(item) for item in array(host.get("Devices"))]
    return EngineDetails(
        container_id=text(document.get("Id")),
        name=_name(text(document.get("Name")), text(config.get("Image")), mapping(config, "Labels")),
        state=_STATES.get(text(state.get("Status")).lower(), "unknown"),
        pid=integer(state.get("Pid")) or 0,
        exit_code=integer(state.get("ExitCode")) or 0,
        was_out_of_memory=state.get("OOMKilled") is True,
        is_privileged=host.get("Privileged") is True,
        device_paths=tuple((text(node.get("PathInContainer")), text(node.get("PathOnHost"))) for node in nodes),
        devices=_requested(host) or visible_devices(texts(config.get("Env"))),
    )


def _requested(host: dict[str, object]) -> tuple[str, ...]:
    """--gpus: HostConfig.DeviceRequests; a count of -1 is all of them."""
    for item in array(host.get("DeviceRequests")):
        wanted = mapping(item)
        capabilities = {word for words in array(wanted.get("Capabilities")) for word in texts(words)}
        if wanted.get("Driver") == "nvidia" or "gpu" in capabilities:
            return texts(wanted.get("DeviceIDs")) or (("all",) if wanted.get("Count") == -1 else ())
    return ()


def parse_event(line: bytes) -> EngineEvent | None:
    """One line of `EVENTS`; None for what is not of a container's own life (an exec, a health check). Raises
    ParseError."""
    document = mapping(parse_json(line))
    kind = _KIND_OF_ACTION.get(text(document.get("Action")))
    actor = mapping(document, "Actor")
    if kind is None or document.get("Type") != "container":
        return None
    exit_code = None
    if kind == "exited":
        attributes = mapping(actor, "Attributes")
        code = text(attributes.get("exitCode")) or text(attributes.get("containerExitCode"))
        exit_code = int(code) if code.isascii() and code.isdigit() else None
    return EngineEvent(text(actor.get("ID")), kind, integer(document.get("timeNano")) or 0, exit_code)
