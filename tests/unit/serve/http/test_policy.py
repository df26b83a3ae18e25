# SPDX-License-Identifier: MIT
"""Browsers and foreign hosts stay out of the socket; scripts of other sites out of the port."""

from __future__ import annotations

import pytest

from hwinfod.serve.http import Policy, Request, local_policy, web_policy
from hwinfod.serve.http.problems import Problem


def status_of(policy: Policy, method: str = "GET", **headers: str) -> int:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    try:
        policy(Request(method, "/", {}, named, b"", None, False))
    except Problem as problem:
        return problem.kind.status
    return 0


@pytest.mark.parametrize("host", ["", "hwinfod", "localhost", "HwInfoD", "localhost:8080"])
def test_the_socket_answers_to_its_names(host: str) -> None:
    assert status_of(local_policy, host=host) == 0
    assert status_of(local_policy, "DELETE", host=host) == 0


@pytest.mark.parametrize("host", ["evil.example", "127.0.0.1", "[::1]", "localhost.evil.example", "hwinfod.", "a"])
def test_the_socket_refuses_foreign_hosts(host: str) -> None:
    assert status_of(local_policy, host=host) == 403


@pytest.mark.parametrize("name", ["origin", "referer"])
@pytest.mark.parametrize("value", ["http://localhost", "null", ""])
def test_the_socket_refuses_browsers(name: str, value: str) -> None:
    assert status_of(local_policy, host="hwinfod", **{name: value}) == 403


def test_the_port_may_be_browsed() -> None:
    assert status_of(web_policy, host="node17:10049") == 0
    assert status_of(web_policy, "HEAD", host="node17") == 0
    assert status_of(web_policy, host="node17", referer="http://wiki/hosts") == 0


def test_the_port_is_read_only_and_answers_no_scripts() -> None:
    assert status_of(web_policy, host="node17", origin="http://evil.example") == 403
    for method in ("POST", "PUT", "DELETE", "OPTIONS", "PATCH", "TRACE", "get"):
        assert status_of(web_policy, method, host="node17") == 405
