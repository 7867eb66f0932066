"""auth_service conforms to its OpenAPI document (schemathesis)."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import httpx
import schemathesis
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)
from starlette.testclient import TestClient

from auth_service.app import create_app
from auth_service.settings import AuthSettings
from tests.support.auth_client import PASSWORD, AuthTestClient
from tests.support.serving import serving

CHECKS: list[Any] = [
    not_a_server_error, status_code_conformance, content_type_conformance, response_schema_conformance,
]  # fmt: skip
ROUTES = 42
_ANY = [HealthCheck.too_slow, HealthCheck.filter_too_much, HealthCheck.data_too_large, HealthCheck.nested_given]


def test_every_response_is_documented(tmp_path: Path) -> None:
    """Calls as an administrator, who signs in again after a route ended the session; no response is a 5xx."""
    configured = AuthSettings(
        database_url=f"sqlite+aiosqlite:///{tmp_path / 'a.sqlite3'}",
        keys_folder=tmp_path / "keys",
        secret_key_file=tmp_path / "secret.key",
    )
    with TestClient(create_app(configured), base_url="http://127.0.0.1") as client:
        for number in range(ROUTES):
            AuthTestClient(client).person("administrator", f"root{number}@example.org")
    statuses: dict[str, set[int]] = {}
    held: dict[str, str] = {}
    with serving(create_app(configured)) as url:

        def sign_in(number: int) -> None:
            """Each route gets its own administrator and origin, because attempts are counted by both."""
            form = {"username": f"root{number}@example.org", "password": PASSWORD}
            answer = httpx.post(
                f"{url}/v1/token", data=form, headers={"x-forwarded-for": f"192.0.2.{number}"}, timeout=60
            )
            held["authorization"] = f"Bearer {answer.json()['access_token']}"

        schema = schemathesis.openapi.from_url(f"{url}/openapi.json")
        for number, found in enumerate(schema.get_all_operations()):
            operation: Any = found.ok()  # type: ignore[union-attr]
            sign_in(number)

            @settings(max_examples=12, suppress_health_check=_ANY, derandomize=True)
            @given(case=operation.as_strategy(), number=st.just(number))
            def call(case: Any, number: int) -> None:  # noqa: ANN401
                if httpx.get(f"{url}/v1/users/me", headers=held, timeout=60).status_code == 401:
                    sign_in(number)
                response = case.call(headers=held, timeout=30)
                case.validate_response(response, checks=CHECKS)
                statuses.setdefault(case.operation.label, set()).add(response.status_code)

            call()
    assert len(statuses) == ROUTES
    assert statuses["GET /v1/users"] >= {200}
    assert max(max(seen) for seen in statuses.values()) < 500
