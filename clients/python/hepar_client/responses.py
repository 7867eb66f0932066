"""Reading responses."""

from __future__ import annotations

from typing import TypeVar

import httpx
from httpx_sse import ServerSentEvent
from pydantic import BaseModel, ValidationError

from .contracts.problems import Problem
from .errors import HeparProblem, UnexpectedResponse

Result = TypeVar("Result", bound=BaseModel)
RETRIED_STATUSES = frozenset({408, 409, 429, 503})
ATTEMPTS_MAX = 4
RETRY_AFTER_MAX_S = 30.0


def parse(model: type[Result], content: bytes | str) -> Result:
    """Fields that a newer gateway added are ignored. Raises UnexpectedResponse."""
    try:
        return model.model_validate_json(content, extra="ignore")
    except ValidationError as error:
        raise UnexpectedResponse(f"the response is not {model.__name__}: is this a Hepar gateway?") from error


def read(model: type[Result], response: httpx.Response) -> Result:
    """Raises HeparProblem and UnexpectedResponse."""
    raise_for_problem(response)
    return parse(model, response.content)


def has_data(event: ServerSentEvent) -> bool:
    """httpx-sse makes an empty event of each comment that keeps a connection open, once an event had an id."""
    return event.data != ""


def raise_for_problem(response: httpx.Response) -> None:
    """Raises HeparProblem, and UnexpectedResponse for an error that is not a problem document."""
    if not response.is_error:
        return
    try:
        problem = Problem.model_validate_json(response.content, extra="ignore")
    except ValidationError as error:
        message = f"status {response.status_code} without a problem document: is this a Hepar gateway?"
        raise UnexpectedResponse(message) from error
    raise HeparProblem(problem)


def retry_delay_s(response: httpx.Response | None, attempts: int) -> float | None:
    """Seconds until the next attempt, or None if there is none. response: None where the connection failed.

    Retry-After decides; without it the delays are 0.5, 1 and 2 s.
    """
    if attempts >= ATTEMPTS_MAX:
        return None
    backoff_s = 0.5 * 2.0 ** (attempts - 1)
    if response is None:
        return backoff_s
    if response.status_code not in RETRIED_STATUSES:
        return None
    if response.status_code == 409 and "retry-after" not in response.headers:
        return None
    retry_after = str(response.headers.get("retry-after", ""))
    delay_s = float(retry_after) if retry_after.isascii() and retry_after.isdigit() else backoff_s
    return delay_s if delay_s <= RETRY_AFTER_MAX_S else None
