"""Many images in one request, at the services and through the gateway."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from fastapi.testclient import TestClient

from hepar.contracts.analyses import Classification, Detection
from hepar.contracts.batches import AnalysisBatch, ClassificationBatch, DetectionBatch
from hepar.contracts.problems import Problem
from tests.support.gateway_client import NOWHERE, Misbehaving, Surroundings, bearer, gateway, problem
from tests.support.model_services import ModelServices
from tests.support.pictures import encoded, nearly_flat
from tests.support.serving import serving
from tests.support.triton import COMBINED, RunningTriton

BLACK, WHITE, BROKEN = encoded(nearly_flat(0)), encoded(nearly_flat(255)), encoded(nearly_flat(0))[:60]
MULTIPART = {"content-type": "multipart/form-data; boundary=x"}


def parts(*images: bytes, name: str = "image") -> list[tuple[str, tuple[str, bytes]]]:
    return [(name, (f"{index}.png", image)) for index, image in enumerate(images)]


@pytest.fixture
def client(triton: RunningTriton, services: ModelServices) -> Iterator[TestClient]:
    limits = {"upload_bytes_max": 20_000, "batch_bytes_max": 100_000, "batch_images_max": 24}
    with services.classify(triton.repository, **limits) as client:
        yield client


def test_results_are_in_the_order_of_the_images_each_with_its_own_error(client: TestClient) -> None:
    files = parts(WHITE, BROKEN, BLACK, b"", b"text", b"\x89PNG" + bytes(20_000))
    answer = client.post("/v1/classifications/batch", files=files)
    assert answer.status_code == 200, answer.text
    items = ClassificationBatch.model_validate_json(answer.content).items
    outcomes = [item.votes[0].label if isinstance(item, Classification) else item.status for item in items]
    assert outcomes == ["cholangiocarcinoma", 422, "metastasis", 422, 415, 413]
    assert {item.request_id for item in items} == {answer.headers["x-request-id"]}


def test_triton_runs_images_of_a_batch_together(client: TestClient, triton: RunningTriton) -> None:
    """By Triton's metrics."""
    images_before, runs_before = triton.runs(f"classify_bright|{COMBINED}")
    answer = client.post("/v1/classifications/batch", files=parts(*[WHITE, BLACK] * 12))
    assert len(answer.json()["items"]) == 24
    images, runs = triton.runs(f"classify_bright|{COMBINED}")
    assert images - images_before == 24
    assert 0 < runs - runs_before < 24


def test_options_apply_to_every_image(client: TestClient) -> None:
    parameters = {"classifiers": "classify_steady", "explain": "true"}
    items = client.post("/v1/classifications/batch", params=parameters, files=parts(BLACK, WHITE)).json()["items"]
    assert [(item["agreeing_models"], item["voting_models"]) for item in items] == [(1, 1)] * 2
    assert all(item["explanation"]["overlay_png"] for item in items)


@pytest.mark.parametrize(
    ("request_of", "status", "reason"),
    [
        ({"files": parts(*[BLACK] * 25)}, 413, "at most 24 images"),
        ({"files": parts(bytes(90_000), bytes(90_000))}, 413, "at most 100000 bytes"),
        ({"files": parts(BLACK, name="picture")}, 422, "at least one part"),
        ({"content": BLACK, "headers": {"content-type": "image/png"}}, 415, "multipart/form-data"),
        ({"content": b"--x\r\nnonsense", "headers": MULTIPART}, 422, "multipart body"),
    ],
)
def test_an_invalid_batch_is_rejected_as_a_whole(
    client: TestClient, request_of: dict[str, object], status: int, reason: str
) -> None:
    answer = client.post("/v1/classifications/batch", **request_of)  # type: ignore[arg-type]
    assert answer.status_code == status
    assert reason in answer.json()["detail"]


def test_the_gateway_combines_both_parts_of_every_image(around: Surroundings) -> None:
    with gateway(around) as client:
        headers = bearer(around)
        answer = client.post("/v1/analyses/batch", files=parts(BLACK, BROKEN, WHITE), headers=headers)
        assert answer.status_code == 200, answer.text
        dark, broken, bright = AnalysisBatch.model_validate_json(answer.content).items
        assert isinstance(dark.classification, Classification)
        assert isinstance(dark.detection, Detection)
        assert isinstance(bright.classification, Classification)
        assert (dark.classification.label, bright.classification.votes[0].label) == ("metastasis", "cholangiocarcinoma")
        assert isinstance(broken.classification, Problem)
        assert isinstance(broken.detection, Problem)
        assert (broken.classification.status, broken.detection.status) == (422, 422)
        one = client.post("/v1/classifications/batch", files=parts(BLACK), headers=headers)
        assert len(ClassificationBatch.model_validate_json(one.content).items) == 1
        other = client.post("/v1/detections/batch", files=parts(BLACK, BLACK), headers=headers)
        assert len(DetectionBatch.model_validate_json(other.content).items) == 2


def test_the_failure_of_a_service_is_reported_for_every_image(around: Surroundings) -> None:
    with gateway(around, detect_url=NOWHERE) as client:
        answer = client.post("/v1/analyses/batch", files=parts(BLACK, WHITE), headers=bearer(around))
        assert [item["detection"]["status"] for item in answer.json()["items"]] == [503, 503]
        assert all("label" in item["classification"] for item in answer.json()["items"])
    with gateway(around, classify_url=NOWHERE) as client:
        answer = client.post("/v1/analyses/batch", files=parts(BLACK, WHITE), headers=bearer(around))
        assert [item["classification"]["status"] for item in answer.json()["items"]] == [503, 503]
    with gateway(around, classify_url=NOWHERE, detect_url=NOWHERE) as client:
        answer = client.post("/v1/analyses/batch", files=parts(BLACK, WHITE), headers=bearer(around))
        assert problem(answer).status == 503


def test_services_that_return_different_numbers_of_images_are_a_502(around: Surroundings) -> None:
    nothing = Misbehaving(body=DetectionBatch(items=[], request_id="r").model_dump_json().encode())
    with serving(nothing) as url, gateway(around, detect_url=url) as client:
        answer = client.post("/v1/analyses/batch", files=parts(BLACK), headers=bearer(around))
        assert problem(answer).status == 502


def test_a_batch_needs_a_token(around: Surroundings) -> None:
    with gateway(around) as client:
        for path in ("/v1/classifications/batch", "/v1/detections/batch", "/v1/analyses/batch"):
            assert problem(client.post(path, files=parts(BLACK))).status == 401
            refused = client.post(path, files=parts(BLACK), headers=bearer(around, "account"))
            assert problem(refused).status == 403
