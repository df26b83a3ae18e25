# SPDX-License-Identifier: MIT
"""Errors of handlers as replies, and what the log says of them."""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Awaitable

import pytest

from hwinfod.errors import ReadError, UserError
from hwinfod.serve.http import Request, Response, Router, local_policy, problems
from hwinfod.serve.http.dispatch import Dispatcher
from hwinfod.serve.http.failures import FailureLog
from hwinfod.serve.http.problems import Problem


def request(path: str = "/", method: str = "GET", **headers: str) -> Request:
    return Request(method, path, {}, headers, b"", None, False)


def dispatcher(router: Router, access: object = None) -> Dispatcher:
    return Dispatcher(router, local_policy, access, FailureLog())


def raising(error: Exception) -> Router:
    """ "/" raises at once, "/later" when awaited."""

    def now(request: Request) -> Response:
        raise error

    async def later(request: Request) -> Response:
        raise error

    router = Router()
    router.add("GET", "/", now)
    router.add("GET", "/later", later)
    return router


def answer(dispatcher: Dispatcher, request: Request) -> Response:
    async def awaited() -> Response:
        given = dispatcher.answer(request)
        return given if isinstance(given, Response) else await given

    return asyncio.run(awaited())


@pytest.mark.parametrize("path", ["/", "/later"])
class TestErrors:
    def test_what_a_user_got_wrong_is_400_with_the_hint(self, path: str) -> None:
        response = answer(dispatcher(raising(UserError("unknown metric: x", hint="see /v1/metrics"))), request(path))
        document = json.loads(response.body)
        assert response.status == 400
        assert (document["detail"], document["hint"]) == ("unknown metric: x", "see /v1/metrics")

    def test_a_problem_is_its_reply(self, path: str) -> None:
        assert answer(dispatcher(raising(Problem(problems.UNAVAILABLE))), request(path)).status == 503

    @pytest.mark.parametrize("error", [RuntimeError("secret"), ReadError("/secret", 5), RecursionError("secret")])
    def test_anything_else_is_500_and_tells_nothing(self, path: str, error: Exception) -> None:
        response = answer(dispatcher(raising(error)), request(path))
        assert response.status == 500
        assert b"secret" not in response.body


@pytest.mark.parametrize("path", ["/", "/later"])
def test_a_failure_is_logged_when_it_begins_and_when_it_ends(path: str, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    outcomes = iter("ok fail fail fail ok ok fail".split())

    def now(request: Request) -> Response:
        if next(outcomes) == "fail":
            raise RuntimeError("disk on fire")
        return Response()

    async def later(request: Request) -> Response:
        return now(request)

    router = Router()
    router.add("GET", "/", now)
    router.add("GET", "/later", later)
    under_test = dispatcher(router)
    for _ in range(7):
        answer(under_test, request(path))
    assert [(r.levelname, r.getMessage()) for r in caplog.records] == [
        ("ERROR", f"GET {path} failed: RuntimeError"),
        ("INFO", f"GET {path} works again"),
        ("ERROR", f"GET {path} failed: RuntimeError"),
    ]
    assert "disk on fire" in caplog.text  # the traceback is for the log, not for the client


def test_user_errors_are_not_logged(caplog: pytest.LogCaptureFixture) -> None:
    answer(dispatcher(raising(UserError("no"))), request())
    assert caplog.records == []


def test_policy_goes_before_routes() -> None:
    assert answer(dispatcher(Router()), request("/nowhere", origin="http://evil")).status == 403
    assert answer(dispatcher(Router()), request("/nowhere")).status == 404


def test_a_plain_handler_is_answered_without_a_task() -> None:
    router = Router()
    router.add("GET", "/", lambda request: Response(200, b"now"))
    assert isinstance(dispatcher(router).answer(request()), Response)


class Access:
    """Admission that is known at once, later, or never."""

    def __init__(self, verdict: Exception | None, *, later: bool) -> None:
        self.verdict = verdict
        self.later = later

    def admit(self, request: Request) -> Awaitable[None] | None:
        if self.later:
            return self._admit()
        if self.verdict is not None:
            raise self.verdict
        return None

    async def _admit(self) -> None:
        await asyncio.sleep(0)
        if self.verdict is not None:
            raise self.verdict


@pytest.mark.parametrize("later", [False, True])
@pytest.mark.parametrize("path", ["/", "/later"])
def test_admission_goes_before_routes(path: str, later: bool) -> None:
    router = Router()
    asked = []

    async def slow(request: Request) -> Response:
        asked.append(request.path)
        return Response(200, b"in")

    router.add("GET", "/", lambda request: asked.append(request.path) or Response(200, b"in"))
    router.add("GET", "/later", slow)
    refused = dispatcher(router, Access(Problem(problems.AUTHENTICATION_REQUIRED), later=later))
    assert answer(refused, request(path)).status == 401
    assert asked == []
    assert answer(dispatcher(router, Access(None, later=later)), request(path)).body == b"in"
