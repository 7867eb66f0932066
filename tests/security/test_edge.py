"""The same attacks through nginx, as docker-compose.yml runs it."""

from __future__ import annotations

import json
import ssl
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

import httpx
import pytest

from tests.end_to_end.conftest import signed_in
from tests.support.edge import NGINX, over_tls, running_edge
from tests.support.raw_http import ELSEWHERE, RawAnswer, answers, connect, head, read_all
from tests.support.stack import tiny_stack

if NGINX is None:
    sys.stderr.write("tests/security/test_edge.py is skipped: there is no nginx (.ci/install-debian)\n")
pytestmark = pytest.mark.skipif(NGINX is None, reason="there is no nginx (.ci/install-debian)")

SLOW_FORM = head("POST", "/v1/token", "Content-Length: 500", "Content-Type: application/x-www-form-urlencoded") + b"u"
SLOW_PAGE = head("POST", "/docs", "Content-Length: 500") + b"u"


@pytest.fixture(scope="module")
def edge(tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    folder = tmp_path_factory.mktemp("edge")
    with (
        tiny_stack(folder, HEPAR_GATEWAY_TRUSTED_PROXIES='["127.0.0.1"]') as stack,
        running_edge(folder, stack.settings.gateway_port) as port,
    ):
        yield port


@pytest.fixture(scope="module")
def authorization(edge: int) -> str:
    with httpx.Client(base_url=f"https://127.0.0.1:{edge}", timeout=40, trust_env=False, verify=False) as client:  # noqa: S501
        return f"Authorization: {signed_in(client)['authorization']}"


def exchange(port: int, request: bytes, source: str = ELSEWHERE) -> bytes:
    with over_tls(connect(port, source)) as connection:
        connection.sendall(request)
        return read_all(connection)


def get(port: int, path: str, *headers: str) -> RawAnswer:
    """Without the body where it is chunked."""
    (answer,) = answers(exchange(port, head("GET", path, "Connection: close", *headers)))
    return answer


@contextmanager
def waiting(port: int, sources: list[str], request: bytes) -> Iterator[list[ssl.SSLSocket]]:
    with ExitStack() as stack:
        connections = [stack.enter_context(over_tls(connect(port, source, 4096))) for source in sources]
        for connection in connections:
            connection.sendall(request)
        yield connections


def assert_served(port: int, authorization: str) -> None:
    for _ in range(5):
        assert get(port, "/v1/models", authorization).status == 200
        assert get(port, "/problems/busy").status == 200
        assert get(port, "/v1/users/me").status == 401


@pytest.mark.parametrize("sources", [["127.0.0.2"] * 64, [f"127.0.1.{number // 8}" for number in range(8, 136)]])
def test_slow_bodies_without_a_token_stop_nobody(edge: int, authorization: str, sources: list[str]) -> None:
    with waiting(edge, sources, SLOW_FORM) as connections:
        assert_served(edge, authorization)
        received = [answer for connection in connections for answer in answers(read_all(connection))]
    assert {answer.status for answer in received} <= {408, 429}  # nginx resets those that pause for too long


def test_unread_answers_stop_nobody(edge: int, authorization: str) -> None:
    unread = head("GET", "/v1/openapi.json") * 20
    with waiting(edge, [f"127.0.4.{number // 8}" for number in range(8, 88)], unread):
        assert_served(edge, authorization)


def test_nginx_itself_limits_the_requests_of_one_address(edge: int, authorization: str) -> None:
    with waiting(edge, ["127.0.0.5"] * 60, SLOW_PAGE) as connections:
        assert_served(edge, authorization)
        received = [answer for connection in connections for answer in answers(read_all(connection))]
    refused = [answer for answer in received if answer.status == 429]
    assert 1 <= len(refused) <= 60 - 48  # on a busy machine some connections end before they have sent a request
    for answer in refused:
        assert answer.headers["content-type"] == "application/problem+json"
        assert (answer.json()["type"], answer.headers["retry-after"]) == ("/problems/rate-limited", "2")


@pytest.mark.parametrize(
    ("request_bytes", "status", "slug"),
    [
        (b"nonsense\r\n\r\n", 400, "malformed-request"),
        (b"GET / HTTP/1.1\r\n\r\n", 400, "malformed-request"),
        (head("POST", "/v1/token", "Content-Length: x"), 400, "malformed-request"),
        (head("GET", "/", "X-Large: " + "x" * 20_000), 431, "headers-too-large"),
        (head("GET", "/" + "x" * 20_000), 414, "url-too-long"),
        (head("POST", "/v1/analyses", "Content-Length: 90000000"), 413, "too-large"),
    ],
)
def test_what_nginx_refuses_gets_a_problem_document(edge: int, request_bytes: bytes, status: int, slug: str) -> None:
    (answer,) = answers(exchange(edge, request_bytes))
    assert (answer.status, answer.headers["content-type"]) == (status, "application/problem+json")
    assert (answer.json()["status"], answer.json()["type"]) == (status, f"/problems/{slug}")
    assert "retry-after" not in answer.headers


def test_plain_http_is_refused_with_a_problem_document(edge: int) -> None:
    with connect(edge) as connection:
        connection.sendall(head("GET", "/"))
        (answer,) = answers(read_all(connection))
    assert (answer.status, answer.json()["type"]) == (400, "/problems/malformed-request")


def test_urllib_sees_the_401_for_a_large_upload_without_a_token(edge: int) -> None:
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    url = f"https://127.0.0.1:{edge}/v1/classifications"
    request = urllib.request.Request(url, b"x" * 20_000_000, {"Content-Type": "image/png"})
    with pytest.raises(urllib.error.HTTPError) as refused:
        urllib.request.urlopen(request, timeout=60, context=context)  # noqa: S310
    assert refused.value.code == 401
    assert json.loads(refused.value.read())["type"] == "/problems/unauthenticated"
