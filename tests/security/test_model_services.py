"""The model services trust nobody: without the caller's token they read nothing, whoever reaches their ports."""

from __future__ import annotations

import json
import re
import socket
import time

import httpx
import pytest

from tests.support.callers import sign_up
from tests.support.pictures import encoded, gradient
from tests.support.stack import Stack

IMAGE = encoded(gradient())
ROUTES = {
    "classify": ("/v1/classifications", "/v1/classifications/batch"),
    "detect": ("/v1/detections", "/v1/detections/batch"),
}
UPLOADS = [(service, path) for service, paths in ROUTES.items() for path in paths]


@pytest.fixture(scope="module")
def caller(client: httpx.Client) -> dict[str, str]:
    return sign_up(client)


def port(stack: Stack, service: str) -> int:
    return stack.settings.classify_port if service == "classify" else stack.settings.detect_port


def request(stack: Stack, service: str, method: str, path: str, headers: dict[str, str]) -> httpx.Response:
    url = f"http://127.0.0.1:{port(stack, service)}{path}"
    files = {"image": ("a.png", IMAGE)} if method == "POST" else None
    return httpx.request(method, url, files=files, headers=headers, timeout=60, trust_env=False)


@pytest.mark.parametrize(("service", "path"), UPLOADS)
def test_the_callers_token_is_accepted(stack: Stack, caller: dict[str, str], service: str, path: str) -> None:
    assert request(stack, service, "POST", path, caller).status_code == 200
    assert request(stack, service, "GET", "/v1/models", caller).status_code == 200


@pytest.mark.parametrize("kind", ["no token", "no bearer", "one letter changed"])
@pytest.mark.parametrize(("service", "path"), [*UPLOADS, ("classify", "/v1/models"), ("detect", "/v1/models")])
def test_anything_but_the_callers_token_is_401(
    stack: Stack, caller: dict[str, str], service: str, path: str, kind: str
) -> None:
    valid = caller["authorization"]
    middle = len(valid) - 40
    forged = valid[:middle] + ("A" if valid[middle] != "A" else "B") + valid[middle + 1 :]
    headers = {
        "no token": [],
        "no bearer": [valid.replace("Bearer", "Basic")],
        "one letter changed": [forged],
    }[kind]
    method = "GET" if path == "/v1/models" else "POST"
    url = f"http://127.0.0.1:{port(stack, service)}{path}"
    files = {"image": ("a.png", IMAGE)} if method == "POST" else None
    sent = [("authorization", value) for value in headers]
    answer = httpx.request(method, url, files=files, headers=sent, timeout=60, trust_env=False)
    assert answer.status_code == 401, answer.text
    assert answer.headers["www-authenticate"] == "Bearer"
    assert answer.headers["content-type"] == "application/problem+json"


@pytest.mark.parametrize(("service", "path"), UPLOADS)
def test_two_tokens_are_refused(stack: Stack, caller: dict[str, str], service: str, path: str) -> None:
    url = f"http://127.0.0.1:{port(stack, service)}{path}"
    sent = [("authorization", caller["authorization"])] * 2
    answer = httpx.post(url, files={"image": ("a.png", IMAGE)}, headers=sent, timeout=60, trust_env=False)
    assert answer.status_code == 400, answer.text


@pytest.mark.parametrize("service", ROUTES)
def test_every_route_but_the_health_checks_needs_a_token(stack: Stack, service: str) -> None:
    """By the service's own document: a new route is included."""
    url = f"http://127.0.0.1:{port(stack, service)}/openapi.json"
    paths = httpx.get(url, timeout=60, trust_env=False).json()["paths"]
    assert paths.keys() >= {*ROUTES[service], "/v1/models"}
    statuses = {
        (method, path): request(stack, service, method.upper(), path, {}).status_code
        for path, operations in paths.items()
        for method in operations
    }
    assert {path for (_, path), status in statuses.items() if status != 401} == {"/healthz", "/readyz"}


@pytest.mark.parametrize(("service", "path"), UPLOADS)
def test_the_refusal_comes_before_the_body(stack: Stack, service: str, path: str) -> None:
    """Only the headers of a large upload are sent."""
    head = f"POST {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: image/png\r\nContent-Length: 60000000\r\n\r\n"
    with socket.create_connection(("127.0.0.1", port(stack, service)), timeout=30) as connection:
        connection.sendall(head.encode())
        assert connection.recv(4096).startswith(b"HTTP/1.1 401 ")


@pytest.mark.parametrize("service", ROUTES)
def test_the_access_line_names_the_account(stack: Stack, caller: dict[str, str], service: str) -> None:
    headers = caller | {"x-request-id": f"who-calls-{service}"}
    assert request(stack, service, "POST", ROUTES[service][0], headers).status_code == 200
    deadline, lines = time.monotonic() + 60, list[str]()
    while not lines:  # it is written after the answer
        assert time.monotonic() < deadline
        written = re.findall(rf"(?m)^.*{headers['x-request-id']}.*\n", stack.logs())
        lines = [line for line in written if "hepar.access" in line]
    (row,) = [json.loads(line[line.index("{") :]) for line in lines]
    assert len(row["account"]) > 10
