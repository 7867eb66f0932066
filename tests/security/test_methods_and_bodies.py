"""What a request may rely on: HEAD, 405 with Allow, Content-Encoding, the preamble of multipart bodies."""

from __future__ import annotations

import gzip
import http.client
import re

import httpx
import pytest

from gateway.openapi import load_public_document
from tests.end_to_end.conftest import Stack
from tests.support.pictures import encoded, gradient

PICTURE = encoded(gradient(128, 128))
PATHS: dict[str, set[str]] = {
    re.sub(r"\{.*?\}", "0" * 32, path): {method.upper() for method in methods}
    for path, methods in load_public_document()["paths"].items()
}
METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "TRACE")
PAGES = ("/docs", "/redoc", "/problems", "/problems/busy", "/v1/openapi.json", "/docs/assets/swagger-ui.css")
MULTIPART = {"content-type": "multipart/form-data; boundary=b"}
FORM = b'--b\r\nContent-Disposition: form-data; name="image"; filename="a.png"\r\n\r\n%s\r\n--b--\r\n' % PICTURE
PREAMBLES = [b"", b"\r\n", b"This is a message with several parts in MIME format.\r\n", b"x" * 30_000 + b"\r\n--c\r\n"]


@pytest.mark.parametrize("path", [*(path for path, methods in PATHS.items() if "GET" in methods), *PAGES])
def test_head_is_get_without_the_body(stack: Stack, client: httpx.Client, bearer: dict[str, str], path: str) -> None:
    got = client.get(path, headers=bearer)
    connection = http.client.HTTPConnection("127.0.0.1", stack.settings.gateway_port, timeout=40)
    connection.request("HEAD", path, headers=bearer)
    answer = connection.getresponse()
    assert answer.read() == b""
    assert answer.status == got.status_code
    assert answer.headers["content-type"] == got.headers["content-type"]
    connection.request("GET", "/healthz")  # on the same connection: nothing of a body is left in it
    assert connection.getresponse().status == 200
    connection.close()


def allowed_at(path: str) -> set[str]:
    return PATHS[path] | ({"HEAD"} if "GET" in PATHS[path] else set())


@pytest.mark.parametrize(
    ("method", "path"), [(method, path) for path in PATHS for method in METHODS if method not in allowed_at(path)]
)
def test_another_method_is_a_405_that_lists_the_methods(
    client: httpx.Client, bearer: dict[str, str], path: str, method: str
) -> None:
    answer = client.request(method, path, headers=bearer)
    assert answer.status_code == 405
    assert {name.strip() for name in answer.headers["allow"].split(",")} == allowed_at(path)
    assert method == "HEAD" or answer.json()["type"] == "/problems/http-405"


@pytest.mark.parametrize("path", ["/v1/analyses", "/v1/classifications/batch", "/v1/token"])
@pytest.mark.parametrize("coding", ["gzip", "br", "x" * 500])
def test_a_content_encoding_is_refused_by_name(
    client: httpx.Client, bearer: dict[str, str], path: str, coding: str
) -> None:
    headers = bearer | {"content-type": "image/png", "content-encoding": coding}
    answer = client.post(path, content=gzip.compress(PICTURE), headers=headers)
    assert (answer.status_code, answer.headers["accept-encoding"]) == (415, "identity")
    assert coding[:40] in answer.json()["detail"]
    assert len(answer.json()["detail"]) < 200


def test_a_body_as_it_is_may_be_called_identity(client: httpx.Client, bearer: dict[str, str]) -> None:
    headers = bearer | {"content-type": "image/png", "content-encoding": "identity"}
    assert client.post("/v1/classifications", content=PICTURE, headers=headers).status_code == 200


@pytest.mark.parametrize("path", ["/v1/classifications", "/v1/detections/batch"])
@pytest.mark.parametrize("preamble", PREAMBLES)
def test_text_before_the_first_boundary_is_ignored(
    client: httpx.Client, bearer: dict[str, str], path: str, preamble: bytes
) -> None:
    answer = client.post(path, content=preamble + FORM, headers=bearer | MULTIPART)
    assert answer.status_code == 200, answer.text


def test_a_boundary_in_the_middle_of_a_line_is_text(client: httpx.Client, bearer: dict[str, str]) -> None:
    answer = client.post("/v1/classifications", content=b"text" + FORM, headers=bearer | MULTIPART)
    assert answer.status_code == 422
