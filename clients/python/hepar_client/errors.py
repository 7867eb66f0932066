"""Errors that the client raises."""

from __future__ import annotations

from .contracts.problems import Problem


class HeparProblem(Exception):
    """The gateway refused the request. `problem.type` is the path of the page that explains cause and remedy."""

    def __init__(self, problem: Problem) -> None:
        super().__init__(f"{problem.title}: {problem.detail} (request {problem.request_id})")
        self.problem = problem


class GatewayUnreachable(Exception):
    """No gateway listens at the address, or the connection broke."""


class UnexpectedResponse(Exception):
    """The response is not that of a Hepar gateway, or comes from another version."""
