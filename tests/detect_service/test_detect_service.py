from __future__ import annotations

import base64
import io
import shutil
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from fastapi.testclient import TestClient
from PIL import Image

from detect_service.app import create_app
from detect_service.detectors import DetectorOutput, boxes_in_image
from detect_service.settings import DetectSettings
from hepar.contracts.analyses import Detection
from hepar.contracts.cards import ModelCard
from hepar.imaging.letterbox import letterbox
from hepar.inference.triton import InferenceResult
from tests.support.pictures import ct_dataset, dicom_bytes, encoded, gradient
from tests.support.tiny_models import agree_on, write_detector
from tests.support.triton import INVALID_DETECTORS, RunningTriton


@pytest.fixture
def client(triton: RunningTriton) -> Iterator[TestClient]:
    settings = DetectSettings(triton=triton.grpc, model_repository=triton.repository, deadline_s=10)
    with TestClient(create_app(settings), base_url="http://127.0.0.1") as client:
        yield client


def client_for(triton: RunningTriton, repository: Path) -> TestClient:
    settings = DetectSettings(triton=triton.grpc, model_repository=repository, deadline_s=10)
    return TestClient(create_app(settings), base_url="http://127.0.0.1")


def detect(client: TestClient, content: bytes, **parameters: str) -> Detection:
    answer = client.post("/v1/detections", params=parameters, files={"image": ("x.png", content)})
    assert answer.status_code == 200, answer.text
    return Detection.model_validate_json(answer.content)


def test_boxes_of_both_detectors_are_fused_in_pixels_of_the_image(client: TestClient) -> None:
    answer = detect(client, encoded(gradient(128, 128)))
    (box,) = answer.boxes
    weighted = (0.9 * 0.25 + 0.5 * 0.27) / 1.4 * 128
    assert (box.x_min, box.y_min, box.x_max, box.y_max) == pytest.approx((weighted, 32, 64, 64), abs=0.06)
    assert (box.label, box.detectors) == ("metastasis", ["detect_left", "detect_right"])
    assert box.score == pytest.approx(0.7)
    assert [(report.model, report.box_count) for report in answer.detectors] == [
        ("detect_left", 1),
        ("detect_right", 1),
    ]


@pytest.mark.parametrize(
    ("fitted", "scores"),
    [
        ({"method": "non_maximum_suppression", "overlap": 0.5}, [0.9]),
        ({"method": "soft_non_maximum_suppression", "sigma": 100.0}, [0.9, 0.496]),
        ({"method": "soft_non_maximum_suppression", "sigma": 0.1}, [0.9]),
        ({"method": "weighted_box_fusion", "overlap": 0.5, "member_threshold": 0.6}, [0.45]),
        ({"method": "weighted_box_fusion", "overlap": 0.99}, [0.45, 0.25]),
        ({"method": "weighted_box_fusion", "overlap": 0.5, "decision_threshold": 0.71}, []),
    ],
)
def test_the_fitted_method_of_the_cards_fuses_the_boxes(
    triton: RunningTriton, tmp_path: Path, fitted: dict[str, object], scores: list[float]
) -> None:
    repository = tmp_path / "models"
    shutil.copytree(triton.repository, repository)
    agree_on(repository, ["detect_left", "detect_right"], **{"decision_threshold": 0.1} | fitted)
    settings = DetectSettings(triton=triton.grpc, model_repository=repository, deadline_s=10)
    with TestClient(create_app(settings), base_url="http://127.0.0.1") as client:
        answer = detect(client, encoded(gradient(128, 128)))
    assert [box.score for box in answer.boxes] == pytest.approx(scores, abs=0.001)


def test_boxes_of_an_image_that_is_not_square_lie_inside_it(client: TestClient) -> None:
    (box,) = detect(client, encoded(gradient(64, 128))).boxes
    assert 0 <= box.y_min < box.y_max <= 64
    assert (box.y_min, box.y_max) == pytest.approx((0, 32), abs=0.1)


def test_readiness_asks_triton(client: TestClient) -> None:
    assert client.get("/readyz").json() == {"ready": True, "parts": {"detectors": True}}


def result_of(scores: list[float], labels: list[int], boxes: list[list[float]]) -> InferenceResult:
    return InferenceResult({"scores": np.array(scores), "labels": np.array(labels), "boxes": np.array(boxes)}, "1", 1.0)


def test_unused_rows_boxes_without_area_and_scores_below_the_threshold_are_left_out(triton: RunningTriton) -> None:
    card = ModelCard.model_validate_json((triton.repository / "detect_left" / "card.json").read_bytes())
    _, transform = letterbox(gradient(), 64, 64)
    result = result_of(
        [0.9, 0.8, 0.49, 0.0], [0, 1, 0, 0], [[0, 0, 0.5, 0.5], [0.5, 0.5, 0.5, 0.9], [0, 0, 1, 1], [0, 0, 0, 0]]
    )
    (box,) = boxes_in_image(DetectorOutput(card, result, transform), 0.5)
    assert (box.corners, box.label) == ((0, 0, 32, 32), "cholangiocarcinoma")


@pytest.mark.parametrize("invalid", INVALID_DETECTORS)
def test_outputs_out_of_range_are_a_502(triton: RunningTriton, tmp_path: Path, invalid: str) -> None:
    """Alone it causes a 502; together with a valid detector it is left out and reported."""
    repository = tmp_path / "models"
    write_detector(repository, invalid, *INVALID_DETECTORS[invalid])
    with client_for(triton, repository) as client:
        answer = client.post("/v1/detections", files={"image": ("x.png", encoded(gradient()))})
        assert answer.status_code == 502
        assert answer.headers["content-type"] == "application/problem+json"
    shutil.copytree(triton.repository / "detect_left", repository / "detect_left")
    with client_for(triton, repository) as client:
        together = detect(client, encoded(gradient()))
    assert together.missing_models == [invalid]
    assert [box.detectors for box in together.boxes] == [["detect_left"]]


def test_a_request_can_choose_the_method_and_the_detectors(client: TestClient) -> None:
    content = encoded(gradient(128, 128))
    assert detect(client, content).method == "weighted_box_fusion"
    kept = detect(client, content, fusion="non_maximum_suppression")
    assert (kept.method, [box.score for box in kept.boxes]) == ("non_maximum_suppression", [0.9])
    assert kept.boxes[0].detectors == ["detect_left", "detect_right"]
    softer = detect(client, content, fusion="soft_non_maximum_suppression")
    assert len(softer.boxes) == 2
    assert 0 < softer.boxes[1].score < 0.5
    alone = detect(client, content, detectors="detect_right")
    assert [report.model for report in alone.detectors] == ["detect_right"]
    assert (alone.boxes[0].score, alone.missing_models) == (0.5, [])


@pytest.mark.parametrize(
    ("parameters", "code", "message"),
    [
        (
            {"detectors": "classify_bright"},
            "unknown_model",
            "there is no model classify_bright; there are detect_left, detect_right",
        ),
        ({"fusion": "soft_vote"}, "literal_error", "Input should be"),
        ({"annotate": "perhaps"}, "bool_parsing", "Input should be a valid boolean"),
    ],
)
def test_an_invalid_parameter_is_named_in_the_problem(
    client: TestClient, parameters: dict[str, str], code: str, message: str
) -> None:
    answer = client.post("/v1/detections", params=parameters, files={"image": ("x.png", encoded(gradient()))})
    assert answer.status_code == 422
    (error,) = answer.json()["errors"]
    (name,) = parameters
    assert (error["location"], error["pointer"], error["code"]) == ("query", f"/{name}", code)
    assert error["message"].startswith(message)
    assert message in answer.json()["detail"]


def test_a_method_that_was_not_fitted_is_rejected(triton: RunningTriton, tmp_path: Path) -> None:
    repository = tmp_path / "models"
    shutil.copytree(triton.repository, repository)
    names = ["detect_left", "detect_right"]
    agree_on(repository, names, method="non_maximum_suppression", overlap=0.5, decision_threshold=0.1)
    with client_for(triton, repository) as client:
        files = {"image": ("x.png", encoded(gradient()))}
        answer = client.post("/v1/detections", params={"fusion": "weighted_box_fusion"}, files=files)
        assert answer.status_code == 422
        assert "they have non_maximum_suppression" in answer.json()["detail"]


def test_sizes_are_in_pixels_and_with_a_known_spacing_in_millimetres(client: TestClient) -> None:
    """The spacing of the file is 0.8 mm between rows and 0.7 mm between columns."""
    hu = np.tile(np.linspace(-100, 300, 128).astype(np.int32), (128, 1))
    (box,) = detect(client, dicom_bytes(ct_dataset(hu)), detectors="detect_left").boxes
    assert box.size_px == (32, 32)
    assert box.size_mm == pytest.approx((22.4, 25.6))
    assert (box.longest_diameter_px, box.longest_diameter_mm) == (32, 25.6)
    (unknown,) = detect(client, encoded(gradient(128, 128)), detectors="detect_left").boxes
    assert (unknown.size_mm, unknown.longest_diameter_mm) == (None, None)


def test_the_annotated_image_is_returned_on_request(client: TestClient) -> None:
    assert detect(client, encoded(gradient(128, 128))).annotated_png is None
    answer = detect(client, encoded(gradient(128, 128)), annotate="true", detectors="detect_left")
    assert answer.annotated_png is not None
    picture = Image.open(io.BytesIO(base64.b64decode(answer.annotated_png)))
    assert picture.size == (768, 768 + 56)
    assert picture.getpixel((768 // 4, 28 + 768 * 3 // 8)) == (0x2E, 0xC4, 0xFF), "the left edge, in metastasis' colour"
