# SPDX-License-Identifier: MIT
"""Paths and methods to handlers: a table that can be read back, so that documentation can be held against it."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable
from typing import NamedTuple

from hwinfod.serve.http import problems
from hwinfod.serve.http.messages import Response
from hwinfod.serve.http.problems import Problem

# def or async def handler(request: Request, **path_params: str) -> Response
Handler = Callable[..., "Response | Awaitable[Response]"]

_LITERAL = re.compile(r"[-A-Za-z0-9._~]*")
_PARAMETER = re.compile(r"\{([a-z_][a-z0-9_]*)\}")


class Route(NamedTuple):
    """One row of the table; `template` as it was given ("/v1/devices/{id}")."""

    method: str
    template: str
    handler: Handler


class _Resource:
    """All methods of one template."""

    __slots__ = ("methods", "pattern", "template")

    def __init__(self, template: str) -> None:
        if not template.startswith("/"):
            raise ValueError(f"a route begins with a slash: {template}")
        names = _PARAMETER.findall(template)
        if len(names) != len(set(names)):
            raise ValueError(f"a parameter stands twice in {template}")
        parts = [_segment_pattern(segment, template) for segment in template[1:].split("/")]
        self.template = template
        self.pattern = re.compile("/" + "/".join(parts))
        self.methods: dict[str, Route] = {}

    @property
    def allow(self) -> str:
        """The Allow header: RFC 9110 section 10.2.1."""
        return ", ".join(sorted(self.methods.keys() | ({"HEAD"} if "GET" in self.methods else set())))


class Router:
    """Handlers by method and path template. A GET route answers HEAD too."""

    __slots__ = ("_fixed", "_resources", "_variable")

    def __init__(self) -> None:
        self._resources: dict[str, _Resource] = {}
        self._fixed: dict[str, _Resource] = {}
        self._variable: list[_Resource] = []

    def add(self, method: str, template: str, handler: Handler) -> None:
        """Add a route. `{name}` in the template is one non-empty segment, given to the handler by keyword.

        Raises ValueError for a template that is none and for a method that has a handler already.
        """
        resource = self._resources.get(template)
        if resource is None:
            resource = self._resources[template] = _Resource(template)
            if "{" in template:
                self._variable.append(resource)
            else:
                self._fixed[template] = resource
        if method in resource.methods:
            raise ValueError(f"two handlers for {method} {template}")
        resource.methods[method] = Route(method, template, handler)

    @property
    def routes(self) -> tuple[Route, ...]:
        """Every route, in the order of adding."""
        return tuple(route for resource in self._resources.values() for route in resource.methods.values())

    def find(self, method: str, path: str) -> tuple[Route, dict[str, str]]:
        """The route for a decoded path, and its parameters. A fixed path goes before a variable one.

        Raises Problem: not-found, or method-not-allowed with the Allow header.
        """
        resource = self._fixed.get(path)
        parameters: dict[str, str] = {}
        if resource is None:
            resource, parameters = self._find_variable(path)
        route = resource.methods.get("GET" if method == "HEAD" and method not in resource.methods else method)
        if route is None:
            raise Problem(
                problems.METHOD_NOT_ALLOWED, headers={"allow": resource.allow}, hint=f"it takes {resource.allow}"
            )
        return route, parameters

    def _find_variable(self, path: str) -> tuple[_Resource, dict[str, str]]:
        for resource in self._variable:
            match = resource.pattern.fullmatch(path)
            if match is not None:
                return resource, match.groupdict()
        paths = [*self._fixed, *(resource.template for resource in self._variable)]
        raise Problem(problems.NOT_FOUND, hint=f"served here: {' '.join(sorted(paths))}")


def _segment_pattern(segment: str, template: str) -> str:
    if _LITERAL.fullmatch(segment):
        return re.escape(segment)
    parameter = _PARAMETER.fullmatch(segment)
    if parameter is None:
        raise ValueError(f"neither a literal segment nor {{name}}: {segment} in {template}")
    return f"(?P<{parameter[1]}>[^/]+)"
