# SPDX-License-Identifier: MIT
"""Templates, methods, and the table read back."""

from __future__ import annotations

import pytest

from hwinfod.serve.http import Request, Response, Router
from hwinfod.serve.http.problems import Problem


def handler(request: Request, **_: str) -> Response:
    return Response()


def other(request: Request, **_: str) -> Response:
    return Response()


@pytest.fixture
def router() -> Router:
    router = Router()
    router.add("GET", "/v1/devices", handler)
    router.add("GET", "/v1/devices/{id}", handler)
    router.add("DELETE", "/v1/devices/{id}", other)
    router.add("GET", "/v1/devices/lost", other)
    router.add("POST", "/v1/{kind}/{name}/release", other)
    return router


def test_routes_are_listed_in_order(router: Router) -> None:
    assert [(route.method, route.template) for route in router.routes] == [
        ("GET", "/v1/devices"),
        ("GET", "/v1/devices/{id}"),
        ("DELETE", "/v1/devices/{id}"),
        ("GET", "/v1/devices/lost"),
        ("POST", "/v1/{kind}/{name}/release"),
    ]


@pytest.mark.parametrize(
    ("method", "path", "template", "parameters"),
    [
        ("GET", "/v1/devices", "/v1/devices", {}),
        ("HEAD", "/v1/devices", "/v1/devices", {}),
        ("GET", "/v1/devices/0000:3b:00.0", "/v1/devices/{id}", {"id": "0000:3b:00.0"}),
        ("GET", "/v1/devices/a b+c{}", "/v1/devices/{id}", {"id": "a b+c{}"}),
        ("GET", "/v1/devices/lost", "/v1/devices/lost", {}),
        ("POST", "/v1/gpu/3/release", "/v1/{kind}/{name}/release", {"kind": "gpu", "name": "3"}),
    ],
)
def test_find(router: Router, method: str, path: str, template: str, parameters: dict[str, str]) -> None:
    route, found = router.find(method, path)
    assert (route.template, found) == (template, parameters)


@pytest.mark.parametrize(
    "path", ["/", "/v1", "/v1/devices/", "/v1//", "/v1/devices/a/b", "/V1/devices", "//v1/devices", ""]
)
def test_not_found(router: Router, path: str) -> None:
    with pytest.raises(Problem) as refused:
        router.find("GET", path)
    assert refused.value.kind.status == 404


@pytest.mark.parametrize(
    ("method", "path", "allow"),
    [
        ("POST", "/v1/devices", "GET, HEAD"),
        ("get", "/v1/devices", "GET, HEAD"),
        ("OPTIONS", "/v1/devices/x", "DELETE, GET, HEAD"),
        ("HEAD", "/v1/a/b/release", "POST"),
    ],
)
def test_method_not_allowed(router: Router, method: str, path: str, allow: str) -> None:
    with pytest.raises(Problem) as refused:
        router.find(method, path)
    assert refused.value.kind.status == 405
    assert refused.value.headers == {"allow": allow}


@pytest.mark.parametrize("template", ["v1", "/v1/{}", "/v1/x{id}", "/v1/{Id}", "/v1/(.*)", "/a b", "/{a}/{a}"])
def test_a_bad_template_is_refused(template: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        Router().add("GET", template, handler)


def test_a_route_has_one_handler(router: Router) -> None:
    with pytest.raises(ValueError, match="two handlers"):
        router.add("GET", "/v1/devices", other)
