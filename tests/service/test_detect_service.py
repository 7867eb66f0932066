from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from fastapi.testclient import TestClient

from detect_service.app import create_app
from detect_service.detectors import boxes_in_image
from detect_service.settings import DetectSettings
from hepar.contracts.analyses import Detection
from hepar.contracts.cards import ModelCard
from hepar.imaging.fitting import fit
from hepar.inference.triton import Answer
from hepar.service.problems import BadUpstream
from tests.pictures import encoded, gradient
from tests.service.conftest import RunningTriton
from tests.tiny_models import agree_on


@pytest.fixture
def client(triton: RunningTriton) -> Iterator[TestClient]:
    settings = DetectSettings(triton=triton.grpc, model_repository=triton.repository, deadline_s=10)
    with TestClient(create_app(settings), base_url="http://127.0.0.1") as client:
        yield client


def detect(client: TestClient, content: bytes) -> Detection:
    answer = client.post("/v1/detections", files={"image": ("x.png", content)})
    assert answer.status_code == 200, answer.text
    return Detection.model_validate_json(answer.content)


def test_boxes_of_both_detectors_are_fused_in_pixels_of_the_image(client: TestClient) -> None:
    answer = detect(client, encoded(gradient(128, 128)))
    (box,) = answer.boxes
    weighted = (0.9 * 0.25 + 0.5 * 0.27) / 1.4 * 128
    assert (box.x_min, box.y_min, box.x_max, box.y_max) == pytest.approx((weighted, 32, 64, 64), abs=0.06)
    assert (box.label, box.detectors) == ("metastasis", ["detect_left", "detect_right"])
    assert box.score == pytest.approx(0.7)
    assert [(report.model, report.boxes) for report in answer.detectors] == [("detect_left", 1), ("detect_right", 1)]


@pytest.mark.parametrize(
    ("fitted", "scores"),
    [
        ({"method": "non_maximum_suppression", "overlap": 0.5}, [0.9]),
        ({"method": "soft_non_maximum_suppression", "overlap": 100.0}, [0.9, 0.496]),
        ({"method": "soft_non_maximum_suppression", "overlap": 0.1}, [0.9]),
        ({"method": "weighted_box_fusion", "overlap": 0.5, "member_threshold": 0.6}, [0.45]),
        ({"method": "weighted_box_fusion", "overlap": 0.99}, [0.45, 0.25]),
        ({"method": "weighted_box_fusion", "overlap": 0.5, "decision_threshold": 0.71}, []),
    ],
)
def test_boxes_are_fused_as_the_cards_were_fitted(
    triton: RunningTriton, tmp_path: Path, fitted: dict[str, object], scores: list[float]
) -> None:
    repository = tmp_path / "models"
    shutil.copytree(triton.repository, repository)
    agree_on(repository, ["detect_left", "detect_right"], **{"decision_threshold": 0.1} | fitted)
    settings = DetectSettings(triton=triton.grpc, model_repository=repository, deadline_s=10)
    with TestClient(create_app(settings), base_url="http://127.0.0.1") as client:
        answer = detect(client, encoded(gradient(128, 128)))
    assert [box.score for box in answer.boxes] == pytest.approx(scores, abs=0.001)


def test_boxes_of_an_image_that_is_not_square_lie_in_it(client: TestClient) -> None:
    (box,) = detect(client, encoded(gradient(64, 128))).boxes
    assert 0 <= box.y_min < box.y_max <= 64
    assert (box.y_min, box.y_max) == pytest.approx((0, 32), abs=0.1)


def test_readiness_asks_triton(client: TestClient) -> None:
    assert client.get("/readyz").json() == {"ready": True, "parts": {"detectors": True}}


def answer_of(scores: list[float], labels: list[int], boxes: list[list[float]]) -> Answer:
    return Answer({"scores": np.array(scores), "labels": np.array(labels), "boxes": np.array(boxes)}, "1", 1.0)


def test_unused_rows_boxes_without_area_and_scores_below_the_threshold_are_left_out(triton: RunningTriton) -> None:
    card = ModelCard.model_validate_json((triton.repository / "detect_left" / "card.json").read_bytes())
    _, placement = fit(gradient(), 64, 64)
    answer = answer_of(
        [0.9, 0.8, 0.49, 0.0], [0, 1, 0, 0], [[0, 0, 0.5, 0.5], [0.5, 0.5, 0.5, 0.9], [0, 0, 1, 1], [0, 0, 0, 0]]
    )
    (box,) = boxes_in_image("m", card, answer, placement, 0.5)
    assert (box.corners, box.label) == ((0, 0, 32, 32), "cholangiocarcinoma")


@pytest.mark.parametrize(("score", "label"), [(-0.1, 0), (1.5, 0), (0.5, 2), (0.5, -1)])
def test_scores_and_labels_out_of_range_are_a_wrong_answer(triton: RunningTriton, score: float, label: int) -> None:
    card = ModelCard.model_validate_json((triton.repository / "detect_left" / "card.json").read_bytes())
    _, placement = fit(gradient(), 64, 64)
    with pytest.raises(BadUpstream):
        boxes_in_image("m", card, answer_of([score], [label], [[0, 0, 1, 1]]), placement, 0.5)
