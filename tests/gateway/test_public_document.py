"""The public document: complete, composed of what the code declares, and true of every answer (schemathesis)."""

from __future__ import annotations

import itertools
import uuid
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from hypothesis.stateful import run_state_machine_as_test
from jsonschema import Draft202012Validator
from openapi_spec_validator import validate
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)
from starlette.testclient import TestClient

from auth_service.app import create_app as create_auth
from auth_service.settings import AuthSettings
from gateway.app import create_app
from gateway.openapi import load_public_document
from gateway.settings import GatewaySettings
from tests.support.auth_client import PASSWORD, AuthTestClient
from tests.support.gateway_client import Surroundings
from tests.support.serving import serving
from tools.public_document import REPOSITORY, texts

DOCUMENT: dict[str, Any] = load_public_document()
OPERATIONS = [
    (f"{method.upper()} {path}", operation)
    for path, methods in DOCUMENT["paths"].items()
    for method, operation in methods.items()
]
CHECKS: list[Any] = [
    not_a_server_error, status_code_conformance, content_type_conformance, response_schema_conformance,
    response_headers_conformance,
]  # fmt: skip
ANY = [HealthCheck.too_slow, HealthCheck.filter_too_much, HealthCheck.data_too_large, HealthCheck.nested_given]
_PLACES = itertools.count()
ENDS_SESSIONS = ("/v1/users/me", "/v1/token/revoke")


def test_the_committed_files_are_what_the_code_declares() -> None:
    for path, text in texts().items():
        assert (REPOSITORY / path).read_text() == text, "run `make openapi`"
    assert (REPOSITORY / "docs" / "openapi.json").samefile(REPOSITORY / "gateway" / "openapi.json")


def test_it_is_openapi_3_1() -> None:
    assert DOCUMENT["openapi"].startswith("3.1")
    validate(DOCUMENT)


@pytest.mark.parametrize(("name", "operation"), OPERATIONS, ids=[name for name, _ in OPERATIONS])
def test_every_operation_is_described_with_examples_of_success_and_of_each_error(
    name: str, operation: dict[str, Any]
) -> None:
    for words in ("summary", "description", "operationId"):
        assert operation[words]
    assert operation["tags"][0] in {tag["name"] for tag in DOCUMENT["tags"]}
    assert "security" in operation
    for parameter in operation.get("parameters", []):
        told = resolved(parameter)
        assert told["description"], (name, parameter)
    codes = operation["responses"]
    assert any(code.startswith("2") for code in codes)
    assert {"400", "408", "413", "414", "431", "500"} <= set(codes)
    for code, response in codes.items():
        for kind, content in response.get("content", {}).items():
            examples = examples_of(content)
            assert examples, (name, code, kind)
            for example in examples:
                assert_fits(example, content["schema"])
    for kind, content in operation.get("requestBody", {}).get("content", {}).items():
        if kind in ("application/json", "application/x-www-form-urlencoded"):
            (example,) = examples_of(content)
            assert_fits(example, content["schema"])


def examples_of(content: dict[str, Any]) -> list[Any]:
    """Problems have one per kind; an event stream its own; any other document carries its example in its schema."""
    if "example" in content:
        return [content["example"]]
    if "examples" in content:
        return [resolved(example)["value"] for example in content["examples"].values()]
    examples: list[Any] = resolved(content["schema"])["examples"]
    return examples


def test_every_field_is_described() -> None:
    for name, schema in DOCUMENT["components"]["schemas"].items():
        for field, told in schema.get("properties", {}).items():
            assert told.get("description") or "$ref" in told, f"{name}.{field}"


def resolved(part: dict[str, Any]) -> dict[str, Any]:
    if "$ref" not in part:
        return part
    found: Any = DOCUMENT
    for step in part["$ref"].removeprefix("#/").split("/"):
        found = found[step]
    return dict(found)


def assert_fits(example: object, schema: dict[str, Any]) -> None:
    whole = schema | {"components": DOCUMENT["components"]}
    Draft202012Validator(whole).validate(example)


@pytest.fixture(scope="module")
def door(around: Surroundings) -> Iterator[str]:
    configured = GatewaySettings(
        auth_url=around.auth_url,
        classify_url=around.classify_url,
        detect_url=around.detect_url,
        database_url=f"sqlite+aiosqlite:///{around.folder / 'document.sqlite3'}",
        account_per_minute=1_000_000,
        address_per_minute=1_000_000,
    )
    with serving(create_app(configured)) as url:
        yield url


def patient(case: Any) -> None:  # noqa: ANN401
    """A caller who waits for two milliseconds gets the 504 it asked for."""
    (case.headers or {}).pop("X-Hepar-Timeout-Ms", None)


class Administrator:
    """Signs in anew wherever a call has ended the session, as somebody else where it has ended the account."""

    def __init__(self, around: Surroundings, door: str) -> None:
        self._door, self._auth = door, around.auth_url
        self._settings = AuthSettings(
            database_url=f"sqlite+aiosqlite:///{around.folder / 'a.sqlite3'}",
            keys_folder=around.folder / "keys",
            secret_key_file=around.folder / "secret.key",
        )
        self.headers: dict[str, str] = {}
        self._come()

    def _come(self) -> None:
        self._email = f"{uuid.uuid4().hex}@example.org"
        with TestClient(create_auth(self._settings), base_url="http://127.0.0.1") as client:
            AuthTestClient(client).person("administrator", self._email)
        self.sign_in()

    def sign_in(self) -> None:
        form = {"username": self._email, "password": PASSWORD}
        elsewhere = {"x-forwarded-for": f"192.0.2.{next(_PLACES) % 250}"}  # guesses are counted by where they come from
        answer = httpx.post(f"{self._auth}/v1/token", data=form, headers=elsewhere)
        if answer.status_code in (401, 403):  # the account was deleted or deactivated
            self._come()
            return
        assert answer.status_code == 200, answer.text
        self.headers = {"authorization": f"Bearer {answer.json()['access_token']}"}

    def still_signed_in(self) -> bool:
        return httpx.get(f"{self._door}/v1/users/me", headers=self.headers).status_code == 200


def test_every_response_is_documented(around: Surroundings, door: str) -> None:
    schema = schemathesis.openapi.from_url(f"{door}/v1/openapi.json")
    seen: dict[str, set[int]] = {}
    for found in schema.get_all_operations():
        operation: Any = found.ok()  # type: ignore[union-attr]
        somebody = Administrator(around, door)

        @settings(max_examples=8, deadline=None, suppress_health_check=ANY, derandomize=True, phases=[Phase.generate])
        @given(case=operation.as_strategy(), somebody=st.just(somebody))
        def call(case: Any, somebody: Administrator) -> None:  # noqa: ANN401
            patient(case)
            response = case.call(headers=somebody.headers, timeout=40)
            case.validate_response(response, checks=CHECKS)
            seen.setdefault(case.operation.label, set()).add(response.status_code)

        call()
    assert set(seen) == {name for name, _ in OPERATIONS}
    assert max(max(codes) for codes in seen.values()) < 500
    assert 200 in seen["GET /v1/models"]


def test_a_walk_through_the_api_finds_nothing_undocumented(around: Surroundings, door: str) -> None:
    """Stateful: what one answer gives (an account's id, a client's id) is used for the next call."""
    schema = schemathesis.openapi.from_url(f"{door}/v1/openapi.json")
    somebody = Administrator(around, door)
    walked: set[tuple[str, int]] = set()

    class Walk(schema.as_state_machine()):  # type: ignore[misc]
        def get_call_kwargs(self, case: Any) -> dict[str, Any]:  # noqa: ANN401
            if case.operation.path.startswith(ENDS_SESSIONS) or not somebody.still_signed_in():
                somebody.sign_in()
            patient(case)
            return {"headers": somebody.headers, "timeout": 40}

        def validate_response(self, response: Any, case: Any, **_: Any) -> None:  # noqa: ANN401  # pyright: ignore[reportIncompatibleMethodOverride]
            case.validate_response(response, checks=CHECKS)
            walked.add((case.operation.label, response.status_code))

    run_state_machine_as_test(
        Walk,
        settings=settings(
            max_examples=6, stateful_step_count=8, deadline=None, suppress_health_check=ANY, derandomize=True
        ),
    )
    assert len(walked) >= 8
    assert any(code in (200, 201) for _, code in walked)
