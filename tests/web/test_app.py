"""The request guard, uploads and errors of an app created by new_app."""

from __future__ import annotations

import json
import logging
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from typing import Annotated

import httpx
import httpx2
import pytest
from fastapi import FastAPI, Query, Request
from fastapi.testclient import TestClient
from pydantic import BaseModel, Field

from hepar.contracts.problems import Problem
from hepar.core.errors import Unavailable
from hepar.core.logs import configure_logging
from hepar.core.request_context import current_request_id
from hepar.core.settings import ServiceSettings
from hepar.web.app import new_app
from hepar.web.uploads import read_image
from tests.support.serving import serving

LIMIT = 1000
TWICE = b'--b\r\nContent-Disposition: form-data; name="image"\r\n\r\na\r\n' * 2 + b"--b--"


class Note(BaseModel):
    text: str
    tags: dict[str, list[str]] = Field(default={})


def make_app() -> FastAPI:
    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        async def readiness() -> dict[str, bool]:
            return {"part": app.state.part_ready}

        app.state.part_ready = True
        app.state.readiness = readiness
        yield

    app = new_app("Test", "for tests", ServiceSettings(concurrent_max=2), lifespan, frozenset({"/upload"}))

    @app.post("/upload", tags=["test"])
    async def upload(request: Request) -> dict[str, str]:
        return {"image": (await read_image(request, LIMIT)).decode("latin-1")}

    @app.post("/notes", tags=["test"])
    async def notes(note: Note, page: Annotated[int, Query(ge=1)] = 1) -> dict[str, str]:
        del page
        return {"text": note.text, "id": current_request_id()}

    @app.get("/bug", tags=["test"])
    async def bug() -> None:
        raise RuntimeError("secret detail")

    @app.get("/away", tags=["test"])
    async def away(token: str = "") -> None:
        del token
        raise Unavailable

    return app


@pytest.fixture
def client(monkeypatch: pytest.MonkeyPatch) -> Iterator[TestClient]:
    monkeypatch.setattr("hepar.web.health.READINESS_S", 0.0)  # each request checks again
    with TestClient(make_app(), base_url="http://127.0.0.1") as client:
        yield client


def problem(response: httpx2.Response) -> Problem:
    assert response.headers["content-type"] == "application/problem+json"
    document = Problem.model_validate_json(response.content)
    assert document.status == response.status_code
    assert document.request_id == response.headers["x-request-id"]
    return document


def test_health_and_readiness_are_different_questions(client: TestClient) -> None:
    assert client.get("/readyz").json() == {"ready": True, "parts": {"part": True}}
    assert isinstance(client.app, FastAPI)
    client.app.state.part_ready = False
    assert client.get("/readyz").status_code == 503
    assert client.get("/healthz").status_code == 200


@pytest.mark.parametrize("query", ["pages=1", "page=1&x%7E%2F=", "=1"])
def test_a_query_parameter_that_a_route_does_not_know_is_refused(client: TestClient, query: str) -> None:
    assert client.post("/notes?page=1", json={"text": "a"}).status_code == 200
    answer = client.post(f"/notes?{query}", json={"text": "a"})
    assert answer.status_code == 422
    (field,) = problem(answer).errors or []
    assert (field.location, field.code) == ("query", "unknown")
    assert field.pointer in ("/pages", "/x~0~1", "/")


def test_a_health_check_may_have_any_query(client: TestClient) -> None:
    assert client.get("/healthz?time=1").status_code == 200


@pytest.mark.parametrize("kind", ["image/png", "application/dicom", "application/octet-stream", "IMAGE/JPEG; q=1"])
def test_a_raw_body_is_the_image(client: TestClient, kind: str) -> None:
    assert client.post("/upload", content=b"abc", headers={"content-type": kind}).json() == {"image": "abc"}


def test_a_multipart_body_holds_the_image_in_the_part_of_that_name(client: TestClient) -> None:
    answer = client.post("/upload", files={"image": ("x.png", b"abc"), "other": ("y", b"zzz")}, data={"note": "n"})
    assert answer.json() == {"image": "abc"}


@pytest.mark.parametrize(
    ("body", "kind", "status"),
    [
        (b"abc", "text/plain", 415),
        (b"abc", "", 415),
        (b"", "image/png", 422),
        (b"x" * (LIMIT + 1), "image/png", 413),
        (b"x" * (LIMIT + 70_000), "image/png", 413),
        (b"--b--", "multipart/form-data", 422),
        (b"--b--", "multipart/form-data; boundary=" + "b" * 71, 422),
        (b"nonsense", "multipart/form-data; boundary=b", 422),
        (b'--b\r\nContent-Disposition: form-data; name="image"\r\n\r\nabc', "multipart/form-data; boundary=b", 422),
        (
            b'--b\r\nContent-Disposition: form-data; name="file"\r\n\r\nabc\r\n--b--\r\n',
            "multipart/form-data; boundary=b",
            422,
        ),
        (
            b'--b\r\nContent-Disposition: form-data; name="image"\r\n\r\n\r\n--b--\r\n',
            "multipart/form-data; boundary=b",
            422,
        ),
        (TWICE, "multipart/form-data; boundary=b", 422),
    ],
)  # fmt: skip
def test_invalid_uploads_are_rejected(client: TestClient, body: bytes, kind: str, status: int) -> None:
    document = problem(client.post("/upload", content=body, headers={"content-type": kind}))
    assert document.status == status
    assert (document.errors is not None) == (status == 422)


def test_an_upload_path_may_have_a_time_of_its_own() -> None:
    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        app.state.readiness = None
        yield

    def slow() -> Iterator[bytes]:
        yield b"a"
        time.sleep(0.3)
        yield b"b"

    paths = frozenset({"/short", "/long"})
    app = new_app("Test", "for tests", ServiceSettings(), lifespan, paths, upload_s={"/short": 0.1, "/long": 60.0})
    for path in paths:

        @app.post(path, tags=["test"], name=path.strip("/"))
        async def upload(request: Request) -> dict[str, str]:
            return {"image": (await read_image(request, LIMIT)).decode("latin-1")}

    headers = {"content-type": "image/png"}
    with serving(app) as url, httpx.Client(base_url=url, headers=headers, trust_env=False, timeout=60) as client:
        refused = client.post("/short", content=slow())
        assert Problem.model_validate_json(refused.content).type == "/problems/upload-too-slow"
        assert client.post("/long", content=slow()).json() == {"image": "ab"}


def test_a_body_at_an_upload_path_is_small_for_every_other_method(client: TestClient) -> None:
    answer = client.request("DELETE", "/upload", content=b"x" * 70_000)
    assert problem(answer).type == "/problems/too-large"


def test_an_upload_of_unknown_length_is_stopped_at_the_limit(client: TestClient) -> None:
    sent = 0

    def endless() -> Iterator[bytes]:
        nonlocal sent
        for _ in range(1000):
            sent += 1
            yield b"x" * 1000

    answer = client.post("/upload", content=endless(), headers={"content-type": "image/png"})
    assert problem(answer).status == 413


def test_a_content_length_that_is_not_a_number_is_refused(client: TestClient) -> None:
    answer = client.post("/upload", content=b"abc", headers={"content-type": "image/png", "content-length": "-3"})
    assert problem(answer).type.endswith("bad-content-length")


def test_other_bodies_are_limited_to_64_kilobytes(client: TestClient) -> None:
    assert client.post("/notes", json={"text": "x" * 60_000}).status_code == 200
    assert problem(client.post("/notes", json={"text": "x" * 70_000})).status == 413


@pytest.mark.parametrize(
    ("body", "query", "expected"),
    [
        (b"{}", "", [("body", "/text", "missing")]),
        (b'{"text": 1}', "?page=0", [("query", "/page", "greater_than_equal"), ("body", "/text", "string_type")]),
        (b'{"text": "x", "tags": {"a/b~c": ["x", 1]}}', "", [("body", "/tags/a~1b~0c/1", "string_type")]),
        (b"{", "", [("body", "", "json_invalid")]),
        (b"", "", [("body", "", "missing")]),
    ],
)
def test_a_problem_lists_each_invalid_field(
    client: TestClient, body: bytes, query: str, expected: list[tuple[str, str, str]]
) -> None:
    answer = client.post(f"/notes{query}", content=body, headers={"content-type": "application/json"})
    document = problem(answer)
    assert (document.status, document.type) == (422, "/problems/invalid-request")
    assert document.errors is not None
    assert [(error.location, error.pointer, error.code) for error in document.errors] == expected
    assert all(error.message in document.detail for error in document.errors)


def test_unknown_paths_and_methods_return_problems(client: TestClient) -> None:
    assert problem(client.get("/nothing")).status == 404
    wrong = client.get("/notes")
    assert problem(wrong).status == 405
    assert wrong.headers["allow"] == "POST"


def test_an_unexpected_error_discloses_nothing(client: TestClient, caplog: pytest.LogCaptureFixture) -> None:
    answer = client.get("/bug")
    assert problem(answer).status == 500
    assert "secret" not in answer.text
    assert "secret detail" in caplog.text


def test_unavailable_has_a_retry_after_header(client: TestClient) -> None:
    assert client.get("/away").headers["retry-after"] == "5"


@pytest.mark.parametrize("host", ["", "evil.example", "127.0.0.1.evil.example", "[::2]"])
def test_other_hosts_are_refused(client: TestClient, host: str) -> None:
    assert problem(client.get("/healthz", headers={"host": host})).type.endswith("unknown-host")


@pytest.mark.parametrize("host", ["127.0.0.1", "127.0.0.1:8080", "LOCALHOST:1", "[::1]:80", "[::1]"])
def test_configured_hosts_are_accepted(client: TestClient, host: str) -> None:
    assert client.get("/healthz", headers={"host": host}).status_code == 200


def test_too_many_headers_large_headers_and_long_urls_are_refused(client: TestClient) -> None:
    many = [(f"x-{number}", "1") for number in range(100)]
    assert problem(client.get("/healthz", headers=many)).status == 431
    assert problem(client.get("/healthz", headers={"x-large": "a" * 17_000})).status == 431
    assert problem(client.get("/healthz?" + "a" * 5000)).status == 414


def test_a_well_formed_request_id_is_kept_and_another_replaced(client: TestClient) -> None:
    kept = client.post("/notes", json={"text": ""}, headers={"x-request-id": "abcdef-12345"})
    assert kept.json()["id"] == kept.headers["x-request-id"] == "abcdef-12345"
    replaced = client.post("/notes", json={"text": ""}, headers={"x-request-id": 'x"} forged'})
    assert len(replaced.headers["x-request-id"]) == 32


def test_log_lines_are_json_with_service_and_request_id(client: TestClient, capsys: pytest.CaptureFixture[str]) -> None:
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    try:
        configure_logging("tested", "INFO")
        client.get("/away?token=secret", headers={"x-request-id": "abcdef-12345"})
        client.get("/healthz")
    finally:
        root.handlers[:] = handlers
        root.setLevel(level)
    (line,) = [line for line in capsys.readouterr().out.splitlines() if "hepar.access" in line]
    row = json.loads(line)
    assert (row["service"], row["request_id"], row["route"], row["status"]) == ("tested", "abcdef-12345", "/away", 503)
    assert "secret" not in line


def test_readiness_is_logged_only_when_it_changes(client: TestClient, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "hepar")
    assert isinstance(client.app, FastAPI)
    for part_ready in (False, False, True, True, False):
        client.app.state.part_ready = part_ready
        client.get("/readyz")
    ours = [record.message for record in caplog.records if record.name.startswith("hepar")]
    assert ours == ["not ready", "ready", "not ready"]
