"""What is sent and how answers are read: the same for the client that waits and for the one that does not."""

from __future__ import annotations

import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar

import httpx
from pydantic import BaseModel, ValidationError

from hepar.client.errors import HeparProblem, UnexpectedAnswer
from hepar.contracts.cards import FusionMethod, VotingMethod
from hepar.contracts.problems import Problem

Answer = TypeVar("Answer", bound=BaseModel)
RETRIED = frozenset({408, 409, 429, 503})
TRIES = 4
LONGEST_WAIT_S = 30.0


@dataclass(frozen=True)
class Options:
    """What a caller may choose about an analysis; docs/inference.md tells what each does."""

    vote: VotingMethod | None = None
    classifiers: Sequence[str] = ()
    explain: bool = False
    explain_models: bool = False
    fusion: FusionMethod | None = None
    detectors: Sequence[str] = ()
    annotate: bool = False
    frame: int | None = None

    def query(self) -> list[tuple[str, str]]:
        given = {name: getattr(self, name) for name in ("vote", "fusion", "frame")}
        chosen = [(name, str(value)) for name, value in given.items() if value is not None]
        chosen += [(name, "true") for name in ("explain", "explain_models", "annotate") if getattr(self, name)]
        chosen += [("classifiers", model) for model in self.classifiers]
        return chosen + [("detectors", model) for model in self.detectors]


@dataclass(frozen=True)
class Call:
    """One request, ready to be repeated: a POST has a key under which it is done once."""

    method: str
    path: str
    query: Sequence[tuple[str, str]] = ()
    content: bytes | None = None
    form: Mapping[str, str] | None = None
    json: Mapping[str, Any] | None = None
    files: Sequence[tuple[str, tuple[str, bytes]]] = ()
    headers: Mapping[str, str] = field(default_factory=dict)
    signed: bool = True

    def arguments(self, key: str, token: str | None) -> dict[str, Any]:
        """For httpx. key: the same for each try."""
        headers = dict(self.headers)
        if self.method == "POST":
            headers["Idempotency-Key"] = key
        if token is not None:
            headers["Authorization"] = f"Bearer {token}"
        return {
            "method": self.method,
            "url": self.path,
            "params": list(self.query) or None,
            "content": self.content,
            "data": self.form,
            "json": self.json,
            "files": list(self.files) or None,
            "headers": headers,
        }


def new_key() -> str:
    return str(uuid.uuid4())


def wait_s(response: httpx.Response | None, tried: int) -> float | None:
    """Seconds until the next try; None where there is none. What the server asks for, else 0.5, 1, 2 s."""
    if tried >= TRIES:
        return None
    if response is None:
        return 0.5 * 2.0 ** (tried - 1)
    if response.status_code not in RETRIED:
        return None
    if response.status_code == 409 and "retry-after" not in response.headers:
        return None
    asked = str(response.headers.get("retry-after", ""))
    seconds = float(asked) if asked.isascii() and asked.isdigit() else 0.5 * 2.0 ** (tried - 1)
    return float(seconds) if seconds <= LONGEST_WAIT_S else None


def read(answer: type[Answer], response: httpx.Response) -> Answer:
    """Raises HeparProblem and UnexpectedAnswer."""
    raise_for_problem(response)
    try:
        return answer.model_validate_json(response.content)
    except ValidationError as error:
        raise UnexpectedAnswer(f"the answer is no {answer.__name__}: is there a Hepar gateway?") from error


def raise_for_problem(response: httpx.Response) -> None:
    """Raises HeparProblem, and UnexpectedAnswer for an error that is none of the gateway's."""
    if not response.is_error:
        return
    try:
        problem = Problem.model_validate_json(response.content)
    except ValidationError as error:
        raise UnexpectedAnswer(f"status {response.status_code} without a problem: is there a gateway?") from error
    raise HeparProblem(problem)
