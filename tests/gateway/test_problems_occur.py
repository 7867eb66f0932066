"""Every published problem of every operation can occur: for each one, a request that gets it.

A published problem without an entry in the table fails, and so does an entry that is not published.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx2
import pytest
from fastapi.testclient import TestClient

from auth_service.app import create_app as create_auth
from auth_service.settings import AuthSettings
from gateway.openapi import load_public_document
from hepar.web.openapi import operations, problems_of
from tests.gateway.problem_requests import (
    PROBLEMS,
    WITH_A_LINK,
    WITH_MAIL,
    weak_passwords_with_a_link,
    where,
)
from tests.support.gateway_client import DARK, NOWHERE, Misbehaving, Surroundings, bearer, gateway, problem
from tests.support.mail_server import MailServer, mail_server, mail_settings
from tests.support.public_api import PublicApi
from tests.support.serving import serving

DOCUMENT = load_public_document()
OPERATIONS = {(method.upper(), path): operation for path, method, operation in operations(DOCUMENT)}
ELSEWHERE = {
    "internal-error": "a defect: tests/web/test_app.py",
    "busy": "tests/web/test_app.py and tests/end_to_end",
    "upload-too-slow": "tests/web/test_app.py",
    "malformed-request": "tests/security/test_refusals.py",
    "idempotency-in-progress": "tests/gateway/test_idempotency.py",
    "unauthenticated": "tests/gateway/test_parameters_are_published.py",
    "forbidden": "tests/gateway/test_parameters_are_published.py",
    "below-quorum": "tests/classify_service",
    "insufficient-storage": "tests/study_service/test_api_studies.py",
    "quota-exceeded": "tests/study_service/test_api_studies.py",
}
OF_MANY = {
    "unknown-host", "headers-too-large", "url-too-long", "too-large", "rate-limited", "unavailable", "bad-upstream",
    "deadline-exceeded", "idempotency-key-reused", "invalid-request", "unsupported-media",
}  # fmt: skip
SPECIFIC = {
    (operation["operationId"], slug)
    for operation in OPERATIONS.values()
    for slug in problems_of(operation)
    if slug not in OF_MANY | ELSEWHERE.keys()
}


def body_of(operation: dict[str, Any]) -> dict[str, Any]:
    uploads = "multipart/form-data" in operation.get("requestBody", {}).get("content", {})
    return {"files": [("image", ("a.png", DARK))]} if uploads else {"json": {}}


def with_problem(slug: str) -> list[tuple[tuple[str, str], dict[str, Any]]]:
    return [(route, operation) for route, operation in OPERATIONS.items() if slug in problems_of(operation)]


def expect(slug: str, client: TestClient, send: Callable[[str, str, dict[str, Any]], httpx2.Response]) -> None:
    found = with_problem(slug)
    assert found
    for (method, path), operation in found:
        answer = send(method, path, operation)
        assert problem(answer).type == f"/problems/{slug}", (method, path, answer.text)
        assert str(answer.status_code) in operation["responses"]


def test_the_guard_refuses_at_every_operation(around: Surroundings) -> None:
    too_many = {f"x-{number}": "1" for number in range(120)}
    with gateway(around, upload_bytes_max=1000, study_bytes_max=1000) as client:
        expect("unknown-host", client, lambda m, p, _: client.request(m, where(p), headers={"host": "elsewhere"}))
        expect("headers-too-large", client, lambda m, p, _: client.request(m, where(p), headers=too_many))
        expect("url-too-long", client, lambda m, p, _: client.request(m, where(p), params={"x": "x" * 5000}))
        coded = {"content-encoding": "gzip"}
        expect("unsupported-media", client, lambda m, p, _: client.request(m, where(p), content=b"x", headers=coded))
        headers = bearer(around) | {"content-type": "image/png"}
        expect("too-large", client, lambda m, p, _: client.request(m, where(p), content=b"x" * 70_000, headers=headers))


def test_each_operation_refuses_an_invalid_request(around: Surroundings) -> None:
    def send(method: str, path: str, operation: dict[str, Any]) -> httpx2.Response:
        headers = (bearer(around) if "analyses" in str(operation["security"]) else api.administrator.headers).copy()
        if "Idempotency-Key" in str(operation["parameters"]):
            return client.request(method, where(path), headers=headers | {"idempotency-key": "short"}, json={})
        query = {"limit": "0"} if "limit" in str(operation["parameters"]) else {"no_such_parameter": "1"}
        return client.request(method, where(path, "no-id"), headers=headers, params=query, json=[])

    with gateway(around) as client:
        api = PublicApi(client, around)
        expect("invalid-request", client, send)


def test_a_key_of_another_request_is_refused_at_every_analysis(around: Surroundings) -> None:
    def send(method: str, path: str, operation: dict[str, Any]) -> httpx2.Response:
        headers = bearer(around) | {"idempotency-key": str(uuid.uuid4())}
        body: dict[str, Any] = {"files": [("image", ("a.png", DARK))]}
        assert client.request(method, path, headers=headers, **body).status_code == 200
        return client.request(method, path, headers=headers, params={"frame": "0"}, **body)

    with gateway(around) as client:
        expect("idempotency-key-reused", client, send)


def test_the_gateway_refuses_and_fails_at_every_operation(around: Surroundings) -> None:
    def plain(method: str, path: str, operation: dict[str, Any]) -> httpx2.Response:
        return client.request(method, where(path), headers=bearer(around), **body_of(operation))

    with gateway(around, address_per_minute=1) as client:
        client.get("/v1/models")
        expect("rate-limited", client, plain)
    with gateway(around, auth_url=NOWHERE, classify_url=NOWHERE, detect_url=NOWHERE, study_url=NOWHERE) as client:
        expect("unavailable", client, plain)


@pytest.mark.parametrize(
    ("slug", "behaviour"),
    [
        ("bad-upstream", Misbehaving(status=500, body=b"Traceback", kind=b"text/plain")),
        ("deadline-exceeded", Misbehaving(wait_s=20)),
    ],
)
def test_a_service_that_fails_or_is_slow_is_reported_at_every_operation(
    around: Surroundings, slug: str, behaviour: Misbehaving
) -> None:
    names = ("deadline_s", "batch_deadline_s", "account_deadline_s", "study_deadline_s", "study_upload_s")
    limits = dict.fromkeys(names, 0.1 if slug == "deadline-exceeded" else 30.0)
    with (
        serving(behaviour) as url,
        gateway(around, classify_url=url, detect_url=url, study_url=url, **limits) as images,
        gateway(around, auth_url=url, **limits) as accounts,
    ):

        def send(method: str, path: str, operation: dict[str, Any]) -> httpx2.Response:
            used = str(operation["security"])
            client = images if "analyses" in used or "studies" in used else accounts
            return client.request(method, where(path), headers=bearer(around), **body_of(operation))

        expect(slug, images, send)


@contextmanager
def of_its_own(around: Surroundings, folder: Path, **settings: object) -> Iterator[PublicApi]:
    """A system with one administrator. settings: of auth_service."""
    files = {
        "database_url": f"sqlite+aiosqlite:///{folder / 'a.sqlite3'}",
        "keys_folder": folder / "keys",
        "secret_key_file": folder / "secret.key",
    }
    with serving(create_auth(AuthSettings.model_validate(files | settings))) as url:
        own = replace(around, auth_url=url, folder=folder)
        with gateway(own) as client:
            yield PublicApi(client, own)


@pytest.fixture(scope="module")
def api(around: Surroundings) -> Iterator[PublicApi]:
    with gateway(around) as client:
        yield PublicApi(client, around)


@pytest.fixture(scope="module")
def closed(around: Surroundings, tmp_path_factory: pytest.TempPathFactory) -> Iterator[PublicApi]:
    """Nobody can sign up."""
    with of_its_own(around, tmp_path_factory.mktemp("closed"), signup="closed") as made:
        yield made


@pytest.fixture(scope="module")
def crowded(around: Surroundings, tmp_path_factory: pytest.TempPathFactory) -> Iterator[PublicApi]:
    with of_its_own(around, tmp_path_factory.mktemp("crowded"), signup_burst=1) as made:
        yield made


@pytest.fixture(scope="module")
def mail() -> Iterator[MailServer]:
    with mail_server() as server:
        yield server


@pytest.fixture(scope="module")
def mailing(around: Surroundings, mail: MailServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[PublicApi]:
    """Links are sent by e-mail."""
    settings = mail_settings(mail.port, email_verification=True)
    with of_its_own(around, tmp_path_factory.mktemp("mailing"), **settings) as made:
        yield made


def test_the_table_has_no_problem_that_is_not_published() -> None:
    assert PROBLEMS.keys() | WITH_MAIL.keys() | set(WITH_A_LINK) == SPECIFIC
    published = {slug for operation in OPERATIONS.values() for slug in problems_of(operation)}
    assert published == {slug for _, slug in SPECIFIC} | OF_MANY | ELSEWHERE.keys()


@pytest.mark.parametrize(("name", "slug"), sorted(PROBLEMS))
def test_a_published_problem_occurs(
    api: PublicApi, closed: PublicApi, crowded: PublicApi, name: str, slug: str
) -> None:
    scene = closed if slug in ("last-administrator", "sign-up-closed") else api
    scene = crowded if (name, slug) == ("sign_up", "too-many-attempts") else scene
    answer = PROBLEMS[name, slug](scene)
    assert problem(answer).type == f"/problems/{slug}", answer.text


@pytest.mark.parametrize(("name", "slug"), sorted(WITH_MAIL))
def test_a_published_problem_of_a_link_occurs(mailing: PublicApi, name: str, slug: str) -> None:
    assert problem(WITH_MAIL[name, slug](mailing)).type == f"/problems/{slug}"


def test_weak_passwords_with_a_link_are_refused_and_limited(mailing: PublicApi, mail: MailServer) -> None:
    answers = weak_passwords_with_a_link(mailing, mail)
    kinds = [problem(answer).type.removeprefix("/problems/") for answer in answers]
    assert kinds == [WITH_A_LINK[0][1]] * 10 + [WITH_A_LINK[1][1]]
