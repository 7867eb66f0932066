"""What a browser, a proxy and a log meet: CORS, compression, security headers, pages, models, traces, goners."""

from __future__ import annotations

import json
import logging
import re
import socket
import time
from pathlib import Path

import pytest

from hepar.contracts.models import ModelList
from hepar.contracts.problem_types import PROBLEM_TYPES
from tests.support.gateway_client import DARK, NOWHERE, PNG, Misbehaving, Surroundings, bearer, gateway, problem
from tests.support.serving import serving

PAGE = "https://pacs.example.org"
TRACE = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"


def test_only_pages_of_listed_sites_may_call(around: Surroundings) -> None:
    asked = {"origin": PAGE, "access-control-request-method": "POST", "access-control-request-headers": "authorization"}
    with gateway(around, cors_origins=[PAGE]) as client:
        allowed = client.options("/v1/analyses", headers=asked)
        assert allowed.headers["access-control-allow-origin"] == PAGE
        assert "Idempotency-Key" in allowed.headers["access-control-allow-headers"]
        refused = client.post("/v1/analyses", content=DARK, headers=PNG | {"origin": PAGE})
        assert (refused.status_code, refused.headers["access-control-allow-origin"]) == (401, PAGE)
        assert "RateLimit" in refused.headers["access-control-expose-headers"]
        stranger = client.options("/v1/analyses", headers=asked | {"origin": "https://evil.example"})
        assert "access-control-allow-origin" not in stranger.headers
    with gateway(around) as client:
        assert "access-control-allow-origin" not in client.options("/v1/analyses", headers=asked).headers


@pytest.mark.parametrize("coding", ["gzip", "br"])
def test_json_is_compressed_for_who_asks(around: Surroundings, coding: str) -> None:
    with gateway(around) as client:
        plain = client.get("/v1/openapi.json", headers={"accept-encoding": "identity"})
        packed = client.get("/v1/openapi.json", headers={"accept-encoding": coding})
        assert "content-encoding" not in plain.headers
        assert packed.headers["content-encoding"] == coding
        assert int(packed.headers.get("content-length", 0)) < len(plain.content) / 4
        assert packed.json() == plain.json()
        small = client.get("/healthz", headers={"accept-encoding": coding})
        assert "content-encoding" not in small.headers


def test_every_answer_has_the_security_headers(around: Surroundings) -> None:
    with gateway(around) as client:
        for answer in (
            client.get("/healthz"),
            client.get("/nothing"),
            client.get("/healthz", headers={"host": "evil"}),
        ):
            assert answer.headers["content-security-policy"] == "default-src 'none'; frame-ancestors 'none'"
            assert answer.headers["x-frame-options"] == "DENY"
            assert answer.headers["x-content-type-options"] == "nosniff"
            assert answer.headers["referrer-policy"] == "no-referrer"
            assert answer.headers["cache-control"] == "no-store"
            assert "strict-transport-security" not in answer.headers
            assert "server" not in answer.headers
        assert client.get("/nothing").json()["type"] == "/problems/http-404"
        assert client.put("/healthz").json()["type"] == "/problems/http-405"


@pytest.mark.parametrize("page", ["/docs", "/redoc"])
def test_the_documentation_needs_no_other_host(around: Surroundings, page: str) -> None:
    with gateway(around) as client:
        html = client.get(page)
        assert html.status_code == 200
        assert "/v1/openapi.json" in html.text
        addresses = re.findall(r'(?:src|href|spec-url)="([^"]+)"', html.text)
        assert addresses
        assert all(address.startswith("/") for address in addresses)
        assert "script-src 'self'" in html.headers["content-security-policy"]
        assert "<script>" not in html.text, "its policy allows no inline script"
        for address in addresses:
            answer = client.get(address)
            assert answer.status_code == 200
            assert len(answer.content) > 100


def test_every_problem_has_its_page(around: Surroundings) -> None:
    with gateway(around) as client:
        refused = client.get("/v1/models")
        page = client.get(refused.json()["type"])
        assert "Sign in first" in page.text
        assert "POST /v1/token" in page.text
        listed = client.get("/problems").text
        assert all(f"/problems/{name}" in listed for name in PROBLEM_TYPES)
        assert problem(client.get("/problems/nonsense")).status == 404


def test_models_are_listed_with_their_cards_and_whether_they_answer(around: Surroundings) -> None:
    with gateway(around) as client:
        answer = client.get("/v1/models", headers=bearer(around))
        models = ModelList.model_validate_json(answer.content)
        assert [model.card.name for model in models.models] == [
            "classify_bright", "classify_steady", "detect_left", "detect_right", "segment_dark",
        ]  # fmt: skip
        assert all(model.serving for model in models.models)
        assert models.missing_tasks == []
        assert problem(client.get("/v1/models", headers=bearer(around, "account"))).status == 403
    with gateway(around, detect_url=NOWHERE) as client:
        models = ModelList.model_validate_json(client.get("/v1/models", headers=bearer(around)).content)
        assert [model.card.task for model in models.models] == ["classification"] * 2
        assert models.missing_tasks == ["detection"]
    with gateway(around, detect_url=NOWHERE, classify_url=NOWHERE) as client:
        assert problem(client.get("/v1/models", headers=bearer(around))).status == 503


def test_a_trace_context_is_forwarded_unmodified_and_a_malformed_one_replaced(around: Surroundings) -> None:
    """W3C Trace Context, section 3.4: a hop that records no spans forwards what it received."""
    behind = Misbehaving()
    with serving(behind) as url, gateway(around, classify_url=url) as client:
        for sent in (TRACE, "00-zz-1-01", f"00-{'0' * 32}-b7ad6b7169203331-01"):
            headers = PNG | bearer(around) | {"traceparent": sent, "tracestate": "vendor=value"}
            client.post("/v1/classifications", content=DARK, headers=headers)
    first, second, third = behind.seen
    assert (first["traceparent"], first["tracestate"]) == (TRACE, "vendor=value")
    for seen in (second, third):
        assert re.fullmatch("00-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-00", seen["traceparent"])
        assert "tracestate" not in seen
    assert second["traceparent"] != third["traceparent"]


def test_one_access_line_tells_who_what_and_how_long(around: Surroundings, caplog: pytest.LogCaptureFixture) -> None:
    with gateway(around) as client, caplog.at_level(logging.INFO, logger="hepar.access"):
        caplog.clear()
        files = {"image": ("Mustermann^Max.png", DARK)}
        answer = client.post("/v1/analyses", files=files, headers=bearer(around, subject="0f8b7a6c"))
        assert answer.status_code == 200
        lines = [record for record in caplog.records if getattr(record, "route", "") == "/v1/analyses"]
        (line,) = lines
    facts = vars(line)
    assert (facts["account"], facts["method"], facts["status"]) == ("0f8b7a6c", "POST", 200)
    assert set(facts["stages_ms"]) == {"classification", "detection"}
    assert all(0 < spent <= facts["duration_ms"] for spent in facts["stages_ms"].values())
    assert re.fullmatch("[0-9a-f]{32}", facts["trace_id"])
    told = json.dumps({key: str(value) for key, value in facts.items()})
    assert "Mustermann" not in told
    assert bearer(around)["authorization"][:40] not in told


def test_a_client_that_goes_away_ends_the_work_behind_it(around: Surroundings) -> None:
    """Over a real socket: the whole upload is there, the answer is awaited, and then nobody is."""
    slow = Misbehaving(wait_s=20)
    with serving(slow) as url, gateway(around, classify_url=url) as client, serving(client.app) as door:
        host, port = door.removeprefix("http://").split(":")
        request = (
            f"POST /v1/classifications HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nContent-Type: image/png\r\n"
            f"Authorization: {bearer(around)['authorization']}\r\nContent-Length: {len(DARK)}\r\n\r\n"
        )
        with socket.create_connection((host, int(port))) as connection:
            connection.sendall(request.encode() + DARK)
            deadline = time.monotonic() + 5
            while not slow.seen and time.monotonic() < deadline:
                time.sleep(0.02)
            assert slow.seen
        while slow.cancelled == 0 and time.monotonic() < deadline:
            time.sleep(0.02)
        assert slow.cancelled == 1


def test_the_browsers_pages_come_from_us_under_a_policy_of_their_own(around: Surroundings, tmp_path: Path) -> None:
    (tmp_path / "assets").mkdir()
    (tmp_path / "index.html").write_text("<!doctype html><title>Hepar</title>")
    (tmp_path / "icon.svg").write_text("<svg/>")
    (tmp_path / "assets" / "index-abc.js").write_text("1")
    (tmp_path.parent / "secret.txt").write_text("secret")
    browser = {"accept": "text/html,application/xhtml+xml"}
    with gateway(around, web_folder=tmp_path) as client:
        for path in ("/", "/upload", "/results/some-id"):
            page = client.get(path, headers=browser)
            assert "<title>Hepar</title>" in page.text
            assert "script-src 'self';" in page.headers["content-security-policy"]
            assert "unsafe" not in page.headers["content-security-policy"]
            assert page.headers["cache-control"] == "no-cache"
        asset = client.get("/assets/index-abc.js")
        assert (asset.text, asset.headers["cache-control"]) == ("1", "public, max-age=31536000, immutable")
        assert client.get("/icon.svg").text == "<svg/>"
        for nothing in ("/v1/nothing", "/assets/nothing.js", "/problems/nothing", "/docs/nothing"):
            assert problem(client.get(nothing, headers=browser)).status == 404
        assert problem(client.get("/nothing")).status == 404, "a program gets a problem, not a page"
        wrong_method = client.get("/v1/token", headers=browser)
        assert (problem(wrong_method).status, wrong_method.headers["allow"]) == (405, "POST")
        for outside in ("/../secret.txt", "/%2e%2e/secret.txt", "/assets/..%2f..%2fsecret.txt"):
            assert "secret" not in client.get(outside, headers=browser).text
    with gateway(around, web_folder=tmp_path / "nothing") as client:
        assert problem(client.get("/", headers=browser)).status == 404
