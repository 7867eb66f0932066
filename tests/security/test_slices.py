"""Internal routes for slices of volumes: only the study worker, not through the gateway, and no hostile array."""

from __future__ import annotations

import io
import json
import struct
from collections.abc import Iterator

import httpx
import numpy as np
import pytest
from numpy.typing import NDArray

from hepar.contracts.slices import LIVER_PATH, SEGMENTER_HEADER, SLICES_PATH
from hepar.imaging.npy import npy_bytes
from tests.support.callers import sign_up
from tests.support.raw_http import exchange, head
from tests.support.stack import Stack

ROUTES = [("classify", SLICES_PATH), ("detect", SLICES_PATH), ("detect", LIVER_PATH)]
SLICES = np.tile(np.arange(64, dtype=np.uint8), (2, 64, 1))
BINARY = {"content-type": "application/octet-stream"}
INTERNAL_PATHS = (SLICES_PATH, LIVER_PATH, "/internal/", "//internal/v1/slices", "/internal%2Fv1/slices")
SEGMENTER = {SEGMENTER_HEADER: "segment_resunet/1"}


@pytest.fixture(scope="module")
def worker(stack: Stack) -> dict[str, str]:
    """The Authorization header of the study worker."""
    form = {
        "grant_type": "client_credentials",
        "client_id": "study-worker",
        "client_secret": stack.settings.study_worker_secret.get_secret_value(),
    }
    url = f"http://127.0.0.1:{stack.settings.auth_port}/v1/token"
    token = httpx.post(url, data=form, timeout=60, trust_env=False).raise_for_status().json()
    assert token["scope"] == "slices"
    return {"authorization": f"Bearer {token['access_token']}"}


def url_of(stack: Stack, service: str, path: str) -> str:
    port = stack.settings.classify_port if service == "classify" else stack.settings.detect_port
    return f"http://127.0.0.1:{port}{path}"


def post(stack: Stack, service: str, path: str, content: bytes, headers: dict[str, str]) -> httpx.Response:
    return httpx.post(
        url_of(stack, service, path), content=content, headers=BINARY | headers, timeout=60, trust_env=False
    )


def test_the_worker_gets_an_answer(stack: Stack, worker: dict[str, str]) -> None:
    for service, path in ROUTES[:2]:
        answer = post(stack, service, path, npy_bytes(SLICES), worker)
        assert answer.status_code == 200, answer.text
        assert len(answer.json()["items"]) == 2
    assert post(stack, *ROUTES[2], npy_bytes(SLICES), worker).status_code == 503, "this stack has no segmenter"


@pytest.mark.parametrize(("service", "path"), ROUTES)
def test_nobody_but_the_worker_gets_an_answer(
    stack: Stack, client: httpx.Client, worker: dict[str, str], service: str, path: str
) -> None:
    person = sign_up(client)
    answer = post(stack, service, path, npy_bytes(SLICES), person)
    assert (answer.status_code, answer.json()["detail"]) == (403, "the token lacks the scope `slices`")
    assert post(stack, service, path, npy_bytes(SLICES), {}).status_code == 401
    middle = len(worker["authorization"]) - 40
    forged = worker["authorization"]
    forged = forged[:middle] + ("A" if forged[middle] != "A" else "B") + forged[middle + 1 :]
    assert post(stack, service, path, npy_bytes(SLICES), {"authorization": forged}).status_code == 401


def test_the_worker_gets_nothing_else(stack: Stack, worker: dict[str, str]) -> None:
    for service, path in (("classify", "/v1/models"), ("detect", "/v1/models")):
        answer = httpx.get(url_of(stack, service, path), headers=worker, timeout=60, trust_env=False)
        assert answer.status_code == 403
    answer = httpx.get(f"{stack.settings.gateway_url}/v1/account", headers=worker, timeout=60, trust_env=False)
    assert answer.status_code in (401, 403, 404)


@pytest.mark.parametrize("scope", ["slices", "analyses slices"])
def test_nobody_else_gets_the_workers_scope(stack: Stack, client: httpx.Client, scope: str) -> None:
    form = {"email": f"{scope.replace(' ', '-')}-worker@example.org", "password": "a long enough password for this"}
    client.post("/v1/users", json=form).raise_for_status()
    answer = client.post("/v1/token", data={"username": form["email"], "password": form["password"], "scope": scope})
    assert "slices" not in answer.json()["scope"].split()
    for secret in ("", "x" * 40, "study-worker"):
        stolen = {"grant_type": "client_credentials", "client_id": "study-worker", "client_secret": secret}
        assert client.post("/v1/token", data=stolen).status_code in (400, 401)


@pytest.mark.parametrize(
    "path", [SLICES_PATH, LIVER_PATH, "/internal/", "//internal/v1/slices", "/internal%2Fv1/slices"]
)
def test_the_gateway_forwards_no_internal_path(stack: Stack, worker: dict[str, str], path: str) -> None:
    port = stack.settings.gateway_port
    content = npy_bytes(SLICES)
    request = head(
        "POST",
        path,
        f"Content-Length: {len(content)}",
        "Content-Type: application/octet-stream",
        f"Authorization: {worker['authorization']}",
        "Connection: close",
    )
    (answer,) = exchange(port, request + content)
    assert answer.status in (404, 405), answer.body
    assert b"items" not in answer.body


def test_no_document_describes_the_internal_routes(stack: Stack) -> None:
    documents = [url_of(stack, "classify", "/openapi.json"), url_of(stack, "detect", "/openapi.json")]
    for url in [*documents, f"{stack.settings.gateway_url}/v1/openapi.json"]:
        text = httpx.get(url, timeout=60, trust_env=False).raise_for_status().text
        assert "/internal/" not in text
        assert '"slices":' not in json.dumps(json.loads(text)["components"].get("securitySchemes"))


def with_header(text: bytes, version: tuple[int, int] = (1, 0), data: bytes = bytes(64 * 64)) -> bytes:
    """An array whose header is the given text."""
    length = struct.pack("<H" if version == (1, 0) else "<I", len(text))
    return b"\x93NUMPY" + bytes(version) + length + text + data


def described(shape: str, kind: str = "|u1", order: str = "False") -> bytes:
    return f"{{'descr': '{kind}', 'fortran_order': {order}, 'shape': {shape}, }}".encode()


def saved(array: NDArray[np.generic], **options: bool) -> bytes:
    file = io.BytesIO()
    np.save(file, array, **options)
    return file.getvalue()


def hostile() -> Iterator[tuple[str, bytes, int]]:
    """A name, a body, and the status of the answer."""
    valid = npy_bytes(SLICES)
    yield "nothing", b"", 422
    yield "text", b"no array at all, but long enough to be one", 422
    yield "only the magic", valid[:6], 422
    yield "an end within the header", valid[:40], 422
    yield "an end within the data", valid[:-1], 422
    yield "bytes after the data", valid + b"x", 422
    yield "a second array without a name", valid + valid, 422
    yield "a pickled object", saved(np.array([{"a": 1}], dtype=object), allow_pickle=True), 422
    yield "floats", saved(SLICES.astype(np.float32)), 422
    yield "a structure", saved(np.zeros((2, 64, 64), dtype=[("a", "u1")])), 422
    yield "column-major", saved(np.asfortranarray(SLICES)), 422
    yield "one slice without its axis", npy_bytes(SLICES[0]), 422
    yield "four axes", npy_bytes(SLICES[None]), 422
    yield "too small", npy_bytes(SLICES[:, :8, :8]), 422
    yield "too wide", with_header(described("(1, 32, 20000)"), data=bytes(32 * 20000)), 413
    yield "too many slices", npy_bytes(np.zeros((33, 32, 32), np.uint8)), 413
    yield "version 2", with_header(described("(1, 64, 64)"), (2, 0)), 422
    yield "version 3", with_header(described("(1, 64, 64)"), (3, 0)), 422
    yield "a header of 4 GB", b"\x93NUMPY\x02\x00\xff\xff\xff\xff", 422
    yield "a header of 64 KB", with_header(b"(" * 65_535), 422
    yield "nested parentheses", with_header(b"(" * 250), 422
    yield "nested lists", with_header(b"[" * 120 + b"]" * 120), 422
    yield "a call", with_header(b"__import__('os').system('true')"), 422
    yield "no dictionary", with_header(b"(1, 2, 3)"), 422
    yield "no text", with_header(bytes(range(256))), 422
    yield "Python 2", with_header(described("(1L, 64L, 64L)")), 200
    for shape in (
        "()", "(0, 64, 64)", "(-1, 64, 64)", "(True, 64, 64)", "(1.0, 64, 64)", "('1', 64, 64)", "(64, 64)", "None",
        "(1, 64, 65)", "(9223372036854775807, 64, 64)", f"({'9' * 100}, 64, 64)", "(1, 4294967296, 4294967296)",
        f"({'1, ' * 60})",
    ):  # fmt: skip
        yield f"shape {shape[:30]}", with_header(described(shape)), 422
    for kind in ("|O", "|i1", "|S1", "|V1", "<u2", "|b1", "nonsense", "<M8[s]", "(64,)u1"):
        yield f"kind {kind}", with_header(described("(1, 64, 64)", kind)), 422


@pytest.mark.parametrize(("content", "status"), [pytest.param(*case[1:], id=case[0]) for case in hostile()])
def test_a_hostile_array_is_refused(stack: Stack, worker: dict[str, str], content: bytes, status: int) -> None:
    for service, path in ROUTES[:2]:
        answer = post(stack, service, path, content, worker)
        assert answer.status_code == status, answer.text
        if status != 200:
            assert answer.headers["content-type"] == "application/problem+json"


def test_a_hostile_array_of_masks_is_refused(stack: Stack, worker: dict[str, str]) -> None:
    slices = npy_bytes(SLICES)
    for masks in (b"", b"x", saved(np.zeros((2, 2, 8, 8))), npy_bytes(np.zeros((1, 2, 8, 8), np.uint8)), slices):
        assert post(stack, "detect", SLICES_PATH, slices + masks, worker | SEGMENTER).status_code == 422
    for name in ("x", "a/b/c", "../1", "a/1 b", "a/" + "1" * 30):
        refused = post(stack, "detect", SLICES_PATH, slices, worker | {SEGMENTER_HEADER: name})
        assert refused.status_code in (400, 422)


def test_a_body_over_the_limit_ends_early(stack: Stack, worker: dict[str, str]) -> None:
    port = stack.settings.detect_port
    declared = head(
        "POST",
        SLICES_PATH,
        "Content-Length: 70000000",
        "Content-Type: application/octet-stream",
        f"Authorization: {worker['authorization']}",
    )
    (answer,) = exchange(port, declared)
    assert answer.status == 413
    assert (
        post(stack, "detect", SLICES_PATH, npy_bytes(SLICES), worker | {"content-type": "image/png"}).status_code == 415
    )


def test_the_refusal_comes_before_the_body(stack: Stack) -> None:
    request = head("POST", SLICES_PATH, "Content-Type: application/octet-stream", "Content-Length: 60000000")
    (answer,) = exchange(stack.settings.classify_port, request)
    assert answer.status == 401
