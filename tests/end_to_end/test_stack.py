"""Analyses and invalid input through real processes and sockets."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator

import httpx
import numpy as np
import pytest

from hepar.contracts.analyses import Analysis, Classification, Detection
from hepar.contracts.problems import Problem
from tests.end_to_end.conftest import EMAIL, PASSWORD, Stack
from tests.support.pictures import ct_dataset, dicom_bytes, encoded, gradient, png_header_only

PNG = {"content-type": "image/png"}
PATHS = ("/v1/classifications", "/v1/detections", "/v1/analyses")


def analyse(client: httpx.Client, bearer: dict[str, str], content: bytes, kind: str = "image/png") -> Analysis:
    answer = client.post("/v1/analyses", content=content, headers=bearer | {"content-type": kind})
    assert answer.status_code == 200, answer.text
    return Analysis.model_validate_json(answer.content)


def test_an_image_gets_a_classification_and_boxes(client: httpx.Client, bearer: dict[str, str]) -> None:
    answer = analyse(client, bearer, encoded(gradient(128, 128)))
    assert isinstance(answer.classification, Classification)
    assert isinstance(answer.detection, Detection)
    assert answer.classification.label == "metastasis"
    assert answer.classification.probability == pytest.approx(np.exp(2) / (np.exp(2) + 2), abs=1e-5)
    (box,) = answer.detection.boxes
    assert (box.x_min, box.y_min, box.x_max, box.y_max) == (32, 32, 64, 64)
    assert "not a medical device" in answer.notice


def test_multipart_jpeg_and_dicom_work_too(client: httpx.Client, bearer: dict[str, str]) -> None:
    files = {"image": ("scan.jpg", encoded(gradient(), "JPEG"), "image/jpeg")}
    assert client.post("/v1/detections", files=files, headers=bearer).json()["image"]["format"] == "JPEG"
    hu = np.tile(np.linspace(-100, 300, 80).astype(np.int32), (50, 1))
    answer = analyse(client, bearer, dicom_bytes(ct_dataset(hu)), "application/dicom")
    assert isinstance(answer.classification, Classification)
    assert answer.classification.image.pixel_spacing_mm == (0.8, 0.7)


def test_the_own_profile_can_be_read(client: httpx.Client, bearer: dict[str, str]) -> None:
    assert client.get("/v1/users/me", headers=bearer).json()["email"] == EMAIL


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize(
    ("content", "status"),
    [
        (b"", 422),
        (b"these are words, not pixels", 415),
        (encoded(gradient())[:60], 422),
        (png_header_only(40_000, 64), 413),
        (encoded(gradient(8, 8)), 422),
        (b"x" * (64 * 1024 * 1024 + 70_000), 413),
        (b"\x89PNG\r\n\x1a\n" + b"\0" * 21_000_000, 413),
    ],
    ids=["empty", "text", "truncated", "40,000 pixels wide", "tiny", "too large", "too large a picture"],
)
def test_bad_files_get_a_clear_4xx(
    client: httpx.Client, bearer: dict[str, str], path: str, content: bytes, status: int
) -> None:
    answer = client.post(path, content=content, headers=PNG | bearer)
    assert answer.status_code == status
    assert answer.headers["content-type"] == "application/problem+json"
    problem = Problem.model_validate_json(answer.content)
    assert problem.detail
    assert problem.request_id == answer.headers["x-request-id"]


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("token", [None, "", "x", "e30.e30.AA", "W1tbW1tbW1tb.e30.AA"])
def test_a_missing_or_invalid_token_is_401(client: httpx.Client, path: str, token: str | None) -> None:
    headers = PNG if token is None else PNG | {"authorization": f"Bearer {token}".strip()}
    answer = client.post(path, content=encoded(gradient()), headers=headers)
    assert answer.status_code == 401
    assert answer.headers["www-authenticate"] == "Bearer"
    assert Problem.model_validate_json(answer.content).status == 401


def test_a_token_with_one_changed_letter_is_401(client: httpx.Client, bearer: dict[str, str]) -> None:
    token = bearer["authorization"]
    place = token.rindex(".") + 10
    forged = token[:place] + ("A" if token[place] != "A" else "B") + token[place + 1 :]
    assert client.get("/v1/users/me", headers={"authorization": forged}).status_code == 401


def test_the_request_id_travels_through_all_services_to_triton(
    client: httpx.Client, bearer: dict[str, str], stack: Stack
) -> None:
    request_id = "trace-me-0123456789"
    answer = client.post(
        "/v1/analyses", content=encoded(gradient()), headers=PNG | bearer | {"x-request-id": request_id}
    )
    assert answer.json()["request_id"] == answer.headers["x-request-id"] == request_id
    triton_lines, rows = 0, list[dict[str, object]]()
    deadline = time.monotonic() + 10
    while (triton_lines, len(rows)) < (2, 3) and time.monotonic() < deadline:
        time.sleep(0.05)
        triton_lines = (stack.folder / "triton.log").read_text().count(f"answered request {request_id}")
        lines = [line for line in stack.logs().splitlines(keepends=True) if request_id in line]
        rows = [json.loads(line[line.index("{") :]) for line in lines if line.endswith("\n")]
    assert triton_lines == 2
    seen = {(row["service"], row["route"], row["status"]) for row in rows}
    assert seen == {
        ("gateway", "/v1/analyses", 200),
        ("classify_service", "/v1/classifications", 200),
        ("detect_service", "/v1/detections", 200),
    }


def test_the_gateway_streams_uploads_in_constant_memory(
    client: httpx.Client, bearer: dict[str, str], stack: Stack
) -> None:
    """64 MB raise its memory by less than 4 MB, also while they pass."""
    process = stack.process("-m gateway")

    def chunks() -> Iterator[bytes]:
        for _ in range(64):
            seen.append(process.memory_info().rss)
            yield b"x" * (1024 * 1024)

    headers = {"content-type": "application/dicom"} | bearer
    seen: list[int] = []
    for attempt in range(2):  # the first takes what its connections and buffers keep
        before, seen = process.memory_info().rss, []
        answer = client.post("/v1/analyses", content=chunks(), headers=headers)
        assert answer.status_code == 415
        assert max(*seen, process.memory_info().rss) - before < (16_000_000, 4_000_000)[attempt]


def test_every_service_has_its_own_openapi_page(stack: Stack) -> None:
    settings = stack.settings
    ports = {
        settings.gateway_port: "/v1/analyses",
        settings.auth_port: "/v1/token",
        settings.classify_port: "/v1/classifications",
        settings.detect_port: "/v1/detections",
    }
    for port, path in ports.items():
        address = f"http://127.0.0.1:{port}"
        document = "/v1/openapi.json" if port == settings.gateway_port else "/openapi.json"
        assert path in httpx.get(f"{address}{document}", timeout=60).json()["paths"]
        assert "swagger" in httpx.get(f"{address}/docs", timeout=60).text
        assert httpx.get(f"{address}/healthz", timeout=60).json() == {"status": "alive"}
        assert httpx.get(f"{address}/readyz", timeout=60).json()["ready"] is True


def test_logs_contain_no_secret(client: httpx.Client, bearer: dict[str, str], stack: Stack) -> None:
    client.post("/v1/token", data={"username": EMAIL, "password": "a wrong but long password"})
    logs = stack.logs() + (stack.folder / "triton.log").read_text()
    for secret in (PASSWORD, "a wrong but long password", bearer["authorization"].split()[1], EMAIL):
        assert secret not in logs


def test_a_killed_triton_makes_the_stack_not_ready_within_5_s_and_recovers(
    client: httpx.Client, bearer: dict[str, str], stack: Stack
) -> None:
    def post() -> httpx.Response:
        return client.post("/v1/analyses", content=encoded(gradient()), headers=PNG | bearer)

    assert post().status_code == 200
    stack.process("bin/tritonserver").kill()
    killed = time.monotonic()
    while client.get("/readyz").status_code != 503:
        assert time.monotonic() - killed < 5
    refused = post()
    assert refused.status_code == 503
    assert refused.headers["content-type"] == "application/problem+json"
    assert time.monotonic() - killed < 10
    while client.get("/readyz").status_code != 200:
        assert time.monotonic() - killed < 60
        time.sleep(0.1)
    assert post().status_code == 200
