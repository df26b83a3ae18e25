# SPDX-License-Identifier: MIT
"""From a request to a response: policy, admission, route, handler, and errors as problems. Knows no connection."""

from __future__ import annotations

from collections.abc import Awaitable

from hwinfod.errors import UserError
from hwinfod.serve.http import problems
from hwinfod.serve.http.access import WebAccess
from hwinfod.serve.http.failures import FailureLog
from hwinfod.serve.http.messages import Request, Response
from hwinfod.serve.http.policy import Policy
from hwinfod.serve.http.problems import Problem
from hwinfod.serve.http.replies import problem_response
from hwinfod.serve.http.router import Route, Router


class Dispatcher:
    """Answers requests: at once where the handler is a plain function, else by something to await."""

    __slots__ = ("_access", "_failures", "_policy", "_router", "answered")

    def __init__(self, router: Router, policy: Policy, access: WebAccess | None, failures: FailureLog) -> None:
        self._router = router
        self._policy = policy
        self._access = access
        self._failures = failures
        self.answered = 0

    def answer(self, request: Request) -> Response | Awaitable[Response]:
        """Never raises; nor does what it returns, cancellation apart."""
        self.answered += 1
        try:
            self._policy(request)
            pending = self._access.admit(request) if self._access is not None else None
            if pending is not None:
                return self._answer_admitted(pending, request)
            return self._answer_routed(request)
        except Problem as problem:
            return problem_response(problem)

    async def _answer_admitted(self, pending: Awaitable[None], request: Request) -> Response:
        try:
            await pending
            answer = self._answer_routed(request)
        except Problem as problem:
            return problem_response(problem)
        return answer if isinstance(answer, Response) else await answer

    def _answer_routed(self, request: Request) -> Response | Awaitable[Response]:
        route, parameters = self._router.find(request.method, request.path)
        try:
            answer = route.handler(request, **parameters)
        except Exception as error:
            return self._failed(route, error)
        if isinstance(answer, Response):
            if self._failures.failing:
                self._failures.worked(_key(route))
            return answer
        return self._answer_awaited(route, answer)

    async def _answer_awaited(self, route: Route, answer: Awaitable[Response]) -> Response:
        try:
            response = await answer
        except Exception as error:
            return self._failed(route, error)
        self._failures.worked(_key(route))
        return response

    def _failed(self, route: Route, error: Exception) -> Response:
        """A handler's error as a reply. What is not meant for the client goes to the log and nowhere else."""
        if isinstance(error, Problem):
            return problem_response(error)
        if isinstance(error, UserError):
            return problem_response(Problem(problems.INVALID_INPUT, str(error), hint=error.hint))
        self._failures.failed(_key(route), error)
        return problem_response(Problem(problems.INTERNAL_ERROR))


def _key(route: Route) -> str:
    return f"{route.method} {route.template}"
