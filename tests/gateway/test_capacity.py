"""Who takes part of which share of the gateway's capacity."""

from __future__ import annotations

from typing import Any

import pytest

from gateway.capacity import Capacity
from hepar.web.access_tokens import Principal

EVENTS = "/v1/studies/0b0e7f0a-5d4e-4c8a-9a5e-0d7f6b3f7c11/events"


def scope(method: str, path: str, subject: str | None = "ann") -> dict[str, Any]:
    principal = Principal(subject, frozenset(), "id") if subject else None
    return {"method": method, "path": path, "state": {"principal": principal}, "client": ("192.0.2.7", 1)}


@pytest.mark.parametrize(
    ("method", "path", "of_caller", "of_all"),
    [
        ("POST", "/v1/analyses", {"account ann": 32}, {"all": 64}),
        ("GET", "/v1/studies", {"account ann": 32}, {"all": 64}),
        ("POST", "/v1/studies", {"study uploads of account ann": 3}, {"study uploads": 12}),
        ("GET", EVENTS, {"study events of account ann": 16}, {"study events": 64}),
    ],
)
def test_long_requests_have_a_capacity_of_their_own(
    method: str, path: str, of_caller: dict[str, int], of_all: dict[str, int]
) -> None:
    capacity = Capacity(64, 12)
    assert capacity.of_caller(scope(method, path)) == of_caller
    assert capacity.of_all(scope(method, path)) == of_all


@pytest.mark.parametrize(("method", "path"), [("POST", "/v1/studies"), ("GET", EVENTS)])
def test_without_a_token_they_are_requests_like_others(method: str, path: str) -> None:
    capacity = Capacity(64, 12)
    assert capacity.of_caller(scope(method, path, None)) == {"address 192.0.2.7": 16}
    assert capacity.of_all(scope(method, path, None)) == {"all": 64, "anonymous": 32}
