"""What can go wrong, as a caller sees it."""

from __future__ import annotations

from hepar.contracts.problems import Problem


class HeparProblem(Exception):
    """The gateway answered with a problem. `problem.type` says of what kind, on a page of the gateway what to do."""

    def __init__(self, problem: Problem) -> None:
        super().__init__(f"{problem.title}: {problem.detail} (request {problem.request_id})")
        self.problem = problem


class CannotReach(Exception):
    """There is no gateway at the address, or the connection broke."""


class UnexpectedAnswer(Exception):
    """What answered is no Hepar gateway, or one of another version."""
