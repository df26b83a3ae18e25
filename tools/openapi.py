# SPDX-License-Identifier: MIT
"""docs/openapi.yaml: the paths as told here, the documents as `hwinfod.wire` declares them.

Source: OpenAPI Specification 3.1.0. A test holds the paths and their parameters against the daemon's routes.
"""

from __future__ import annotations

import io
import re
import types
from dataclasses import dataclass, field
from typing import Any, Union, get_args, get_origin, get_type_hints, is_typeddict

from hwinfod._version import VERSION
from hwinfod.wire.devices import DeviceList, DeviceRecord, Inventory
from hwinfod.wire.events import Events
from hwinfod.wire.gpus import Gpu, GpuHold, GpuProcesses, Gpus
from hwinfod.wire.owners import Containers, Holders, Owner, Owners, Process
from hwinfod.wire.rdma import RdmaDevice, RdmaDevices, RdmaResources
from hwinfod.wire.samples import MetricList, Samples, SeriesHistory
from hwinfod.wire.status import Collectors, Config, Index, Status
from hwinfod.wire.topology import Topology


@dataclass(frozen=True)
class Operation:
    """What a path answers, its query parameters with their meaning, the wire type or media type."""

    summary: str
    answer: type | str
    parameters: dict[str, str] = field(default_factory=dict)
    method: str = "get"


_LABEL = "NAME=VALUE, VALUE may be a glob; may be repeated."
_COMMAND_LINES = {
    "command_lines": "true: with the command lines of the processes, for root and the group hwinfod; false by default."
}

OPERATIONS: dict[str, Operation] = {
    "/v1": Operation("Version and features of the API.", Index),
    "/v1/status": Operation("What is wrong now, and the host in a few figures.", Status),
    "/v1/devices": Operation(
        "The inventory; what is gone stays listed as lost.",
        DeviceList,
        {"kind": "Only this kind: gpu, disk ...", "status": "Only this status."},
    ),
    "/v1/devices/{id}": Operation("One device.", DeviceRecord),
    "/v1/metrics": Operation("The catalog of metrics.", MetricList),
    "/v1/samples": Operation(
        "The latest value of every series that is fresh.",
        Samples,
        {
            "name": "A glob over metric names.",
            "collector": "Only of this collector.",
            "label": _LABEL,
            "level": "core, standard or detailed (the default).",
        },
    ),
    "/v1/series": Operation(
        "What series were, from the ring.",
        SeriesHistory,
        {
            "name": "The metric.",
            "label": _LABEL,
            "start": "Seconds since 1970; 15 minutes before end by default.",
            "end": "Seconds since 1970; now by default.",
            "step": "Seconds of a bucket; without it every recorded value.",
        },
    ),
    "/v1/events": Operation(
        "What happened, oldest first.",
        Events,
        {
            "since": "Only what is new or was counted up since this version.",
            "start": "Only what happened at or after this time, in seconds since 1970.",
            "severity": "At least info, warning or critical.",
            "device": "Only of this device id.",
            "limit": "The newest so many; 1000 by default.",
        },
    ),
    "/v1/stream": Operation(
        "The latest rows and every event as they come, one JSON record a line, a snapshot first.",
        "application/x-ndjson",
        {
            "name": "A glob over metric names.",
            "collector": "Only of this collector.",
            "since": "Events that are new or were counted up since this version, as /v1/events has it; now by default.",
        },
    ),
    "/v1/collectors": Operation("How the collectors fare.", Collectors),
    "/v1/inventory": Operation("The devices that are expected and those that are here.", Inventory),
    "/v1/inventory/accept": Operation(
        "Make the devices of now the ones that are expected (root only).", Inventory, method="post"
    ),
    "/v1/rdma": Operation("RDMA devices with ports, rates, errors.", RdmaDevices),
    "/v1/rdma/{device}": Operation("One RDMA device, by name or id.", RdmaDevice),
    "/v1/rdma/{device}/resources": Operation(
        "Who holds the device's queue pairs, memory regions and other objects.", RdmaResources, _COMMAND_LINES
    ),
    "/v1/config": Operation("The settings in force and where each came from; secrets hidden.", Config),
    "/v1/owners": Operation("Who holds which part of which device.", Owners),
    "/v1/holders": Operation(
        "Every process that has a node of a GPU or an RDMA device open, with memory or without.",
        Holders,
        _COMMAND_LINES,
    ),
    "/v1/processes/{pid}": Operation(
        "Whose a process is, and what it holds; of any process of this host that the viewer may see.",
        Process,
        _COMMAND_LINES,
    ),
    "/v1/containers": Operation(
        "Every container that is known: names, state, cgroup, what it uses and what it holds.", Containers
    ),
    "/v1/owners/{id}": Operation("One owner, with what it uses of the host.", Owner, _COMMAND_LINES),
    "/v1/gpus": Operation("GPUs of all vendors with their latest values.", Gpus),
    "/v1/gpus/{uuid}": Operation("One GPU, by its id, index or PCI address.", Gpu),
    "/v1/gpus/{uuid}/processes": Operation("Who uses the GPU; `all` for every GPU.", GpuProcesses, _COMMAND_LINES),
    "/v1/gpus/release": Operation(
        "Let go of NVIDIA's driver, so that others can reset or reconfigure it (root only); 409 while a call does not"
        " return.",
        GpuHold,
        {"for": "Seconds; 600 by default."},
        method="post",
    ),
    "/v1/gpus/resume": Operation("Take the driver again (root only).", GpuHold, method="post"),
    "/v1/topology": Operation(
        "Where GPUs, network cards and drives stand: NUMA nodes, PCI bridges, NVLink and XGMI, what lies between them.",
        Topology,
    ),
    "/v1/gpus/{uuid}/owners": Operation("Who holds part of a GPU.", Owners),
    "/v1/rdma/{device}/owners": Operation("Who holds objects of an RDMA device.", Owners),
    "/metrics": Operation(
        "Prometheus text 0.0.4, or OpenMetrics 1.0 where Accept prefers it.",
        "text/plain",
        {"level": "core, standard or detailed.", "collect[]": "Only of this collector; may be repeated."},
    ),
}
_ERRORS = {
    "400": "A parameter means nothing.",
    "403": "The viewer may not see this, or a browser asked.",
    "404": "There is no such thing.",
}


def openapi_text() -> str:
    """The document as YAML."""
    from ruamel.yaml import YAML

    yaml = YAML()
    yaml.indent(mapping=2, sequence=4, offset=2)
    yaml.width = 110
    yaml.representer.ignore_aliases = lambda *_: True
    stream = io.StringIO()
    stream.write("# SPDX-License-Identifier: MIT\n# generated: make docs\n")
    yaml.dump(document(), stream)
    return "".join(f"{line.rstrip()}\n" for line in stream.getvalue().splitlines())


def document() -> dict[str, Any]:
    schemas: dict[str, Any] = {}
    paths = {path: {operation.method: _operation(path, operation, schemas)} for path, operation in OPERATIONS.items()}
    schemas["HttpProblem"] = {
        "type": "object",
        "description": "RFC 9457.",
        "properties": {name: {"type": "string"} for name in ("type", "title", "detail", "hint")}
        | {"status": {"type": "integer"}},
    }
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "hwinfod",
            "version": VERSION,
            "description": "The hardware of this host, over HTTP/1.1 on the Unix socket /run/hwinfod/hwinfod.sock.",
            "license": {"name": "MIT", "identifier": "MIT"},
        },
        "servers": [{"url": "http://hwinfod", "description": "curl --unix-socket /run/hwinfod/hwinfod.sock"}],
        "paths": paths,
        "components": {"schemas": dict(sorted(schemas.items()))},
    }


def _operation(path: str, operation: Operation, schemas: dict[str, Any]) -> dict[str, Any]:
    parameters = [
        {"name": name, "in": "path", "required": True, "schema": {"type": "string"}}
        for name in re.findall(r"\{([a-z_]+)\}", path)
    ]
    parameters += [
        {"name": name, "in": "query", "description": text, "schema": {"type": "string"}}
        for name, text in operation.parameters.items()
    ]
    if isinstance(operation.answer, str):
        content: dict[str, Any] = {operation.answer: {"schema": {"type": "string"}}}
    else:
        content = {"application/json": {"schema": schema_of(operation.answer, schemas)}}
    problem = {"application/problem+json": {"schema": {"$ref": "#/components/schemas/HttpProblem"}}}
    return {
        "summary": operation.summary,
        **({"parameters": parameters} if parameters else {}),
        "responses": {
            "200": {"description": "The answer.", "content": content},
            **{code: {"description": text, "content": problem} for code, text in _ERRORS.items()},
        },
    }


_SIMPLE: dict[object, dict[str, Any]] = {
    str: {"type": "string"},
    int: {"type": "integer"},
    float: {"type": "number"},
    bool: {"type": "boolean"},
    type(None): {"type": "null"},
    object: {},
}


def schema_of(kind: Any, schemas: dict[str, Any]) -> dict[str, Any]:
    """The JSON schema of a wire type; named ones go to `schemas`."""
    if kind in _SIMPLE:
        return dict(_SIMPLE[kind])
    if is_typeddict(kind):
        if kind.__name__ not in schemas:
            schemas[kind.__name__] = {}
            hints = get_type_hints(kind)
            text = " ".join((kind.__doc__ or "").split())
            schemas[kind.__name__] = {
                "type": "object",
                **({"description": text} if text and not text.startswith("dict(") else {}),
                "properties": {name: schema_of(hint, schemas) for name, hint in hints.items()},
                "required": list(hints),
            }
        return {"$ref": f"#/components/schemas/{kind.__name__}"}
    origin, arguments = get_origin(kind), get_args(kind)
    if origin is list:
        return {"type": "array", "items": schema_of(arguments[0], schemas)}
    if origin is dict:
        return {"type": "object", "additionalProperties": schema_of(arguments[1], schemas)}
    if origin in (Union, types.UnionType):
        return {"type": [schema_of(argument, schemas)["type"] for argument in arguments]}
    raise TypeError(f"no schema for {kind}")
