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

from detect_service.detectors import DetectorOutput, boxes_in_display
from hepar.contracts.analyses import Box, Detection
from hepar.contracts.cards import ModelCard
from hepar.contracts.images import PatientSides
from hepar.imaging.letterbox import letterbox
from hepar.inference.triton import InferenceResult
from tests.support.model_services import ModelServices
from tests.support.orientations import EXIF_ORIENTATIONS, IMAGE_ORIENTATIONS
from tests.support.pictures import ct_dataset, dicom_bytes, encoded, gradient
from tests.support.tiny_models import agree_on, write_detector
from tests.support.triton import INVALID_DETECTORS, RunningTriton


@pytest.fixture
def client(triton: RunningTriton, services: ModelServices) -> Iterator[TestClient]:
    with services.detect(triton.repository) as client:
        yield client


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
    triton: RunningTriton, tmp_path: Path, fitted: dict[str, object], scores: list[float], services: ModelServices
) -> None:
    repository = tmp_path / "models"
    shutil.copytree(triton.repository, repository)
    agree_on(repository, ["detect_left", "detect_right"], **{"decision_threshold": 0.1} | fitted)
    with services.detect(repository) as client:
        answer = detect(client, encoded(gradient(128, 128)))
    assert [box.score for box in answer.boxes] == pytest.approx(scores, abs=0.001)


def test_boxes_of_an_image_that_is_not_square_lie_inside_it(client: TestClient) -> None:
    (box,) = detect(client, encoded(gradient(64, 128))).boxes
    assert 0 <= box.y_min < box.y_max <= 64
    assert (box.y_min, box.y_max) == pytest.approx((0, 32), abs=0.1)


UPRIGHT_BOX = np.zeros((64, 128), dtype=np.uint8)
UPRIGHT_BOX[:32, 32:64] = 250
"""Bright where detect_left finds a lesion in an image of this size."""


def bright_box(stored: np.ndarray) -> list[int]:
    (y_min, *_, y_end), (x_min, *_, x_end) = (np.unique(places) for places in np.nonzero(stored > 125))
    return [x_min, y_min, x_end + 1, y_end + 1]


def corners_of(box: Box) -> list[float]:
    return [box.x_min, box.y_min, box.x_max, box.y_max]


@pytest.mark.parametrize("name", IMAGE_ORIENTATIONS)
def test_the_box_of_a_turned_slice_is_in_pixels_as_sent(client: TestClient, name: str) -> None:
    values, turn = IMAGE_ORIENTATIONS[name]
    stored = np.ascontiguousarray(turn(UPRIGHT_BOX))
    dataset = ct_dataset(stored.astype(np.int32))
    dataset.ImageOrientationPatient, dataset.PixelSpacing = values, ["0.8", "0.8"]
    answer = detect(client, dicom_bytes(dataset), detectors="detect_left")
    assert corners_of(answer.boxes[0]) == bright_box(stored)
    image = answer.image
    assert (image.height, image.width) == stored.shape
    assert (image.display.width, image.display.height) == (128, 64)
    assert image.display.patient_sides == PatientSides(left="R", top="A", right="L", bottom="P")
    a, b, c, d, e, f = image.display.matrix
    x, y = bright_box(stored)[:2]
    assert (a * x + c * y + e, b * x + d * y + f) in {(32, 0), (64, 0), (32, 32), (64, 32)}


@pytest.mark.parametrize("value", EXIF_ORIENTATIONS)
def test_the_box_of_a_picture_with_an_exif_orientation_is_in_pixels_as_stored(client: TestClient, value: int) -> None:
    stored = np.ascontiguousarray(EXIF_ORIENTATIONS[value](UPRIGHT_BOX))
    exif = Image.Exif()
    exif[0x0112] = value
    answer = detect(client, encoded(stored, exif=exif), detectors="detect_left")
    assert corners_of(answer.boxes[0]) == bright_box(stored)
    assert (answer.image.height, answer.image.width) == stored.shape
    assert answer.image.display.patient_sides is None


@pytest.mark.parametrize("name", ["as displayed", "decubitus left"])
def test_the_box_of_a_slice_with_high_pixels_is_in_pixels_as_sent(client: TestClient, name: str) -> None:
    """Every second row is left out; the box is that of the slice with square pixels."""
    values, turn = IMAGE_ORIENTATIONS[name]
    stored = np.ascontiguousarray(turn(UPRIGHT_BOX)[::2])
    dataset = ct_dataset(stored.astype(np.int32))
    dataset.ImageOrientationPatient, dataset.PixelSpacing = values, ["1.6", "0.8"]
    answer = detect(client, dicom_bytes(dataset), detectors="detect_left")
    assert corners_of(answer.boxes[0]) == bright_box(stored)
    assert answer.boxes[0].size_mm == (25.6, 25.6)
    assert (answer.image.display.width, answer.image.display.height) == (128, 64)


def test_the_annotated_image_is_upright_with_the_patients_sides(client: TestClient) -> None:
    """A prone slice of rows that are twice as far apart as columns."""
    values, turn = IMAGE_ORIENTATIONS["prone"]
    dataset = ct_dataset(np.ascontiguousarray(turn(UPRIGHT_BOX)[::2]).astype(np.int32))
    dataset.ImageOrientationPatient, dataset.PixelSpacing = values, ["1.6", "0.8"]
    upright = ct_dataset(UPRIGHT_BOX[::2].astype(np.int32))
    upright.PixelSpacing = ["1.6", "0.8"]
    del upright.ImageOrientationPatient
    answer = detect(client, dicom_bytes(dataset), detectors="detect_left", annotate="true")
    assert answer.annotated_png is not None
    picture = Image.open(io.BytesIO(base64.b64decode(answer.annotated_png))).convert("RGB")
    assert picture.size == (768, 384 + 56)
    coloured = (np.asarray(picture) == (0x2E, 0xC4, 0xFF)).all(axis=2)
    assert coloured[28:220, 192:194].all(), "the left edge"
    assert coloured[28:220, 383:386].any(axis=1).all(), "the right edge"
    assert coloured[219:222, 192:384].any(axis=0).all(), "the lower edge"
    assert white_letters(picture) == ["left", "top", "right", "bottom"]
    unknown = detect(client, dicom_bytes(upright), detectors="detect_left", annotate="true")
    assert unknown.annotated_png is not None
    assert white_letters(Image.open(io.BytesIO(base64.b64decode(unknown.annotated_png))).convert("RGB")) == []


def white_letters(picture: Image.Image) -> list[str]:
    """The edges of the image, between the bars, in whose middle something white is drawn over black."""
    white = (np.asarray(picture) == 255).all(axis=2)[28:-28]
    middle = {"x": slice(386, 394), "y": slice(180, 204)}
    places = {"left": white[middle["y"], :30], "top": white[:30, middle["x"]]}
    places |= {"right": white[middle["y"], -30:], "bottom": white[-30:, middle["x"]]}
    return [name for name, place in places.items() if place.any()]


def test_readiness_asks_triton(client: TestClient) -> None:
    assert client.get("/readyz").json() == {"ready": True, "parts": {"sign_in": True, "detectors": True}}


def result_of(scores: list[float], labels: list[int], boxes: list[list[float]]) -> InferenceResult:
    return InferenceResult({"scores": np.array(scores), "labels": np.array(labels), "boxes": np.array(boxes)}, "1", 1.0)


def test_unused_rows_boxes_without_area_and_scores_below_the_threshold_are_left_out(triton: RunningTriton) -> None:
    card = ModelCard.model_validate_json((triton.repository / "detect_left" / "card.json").read_bytes())
    _, transform = letterbox(gradient(), 64, 64)
    result = result_of(
        [0.9, 0.8, 0.49, 0.0], [0, 1, 0, 0], [[0, 0, 0.5, 0.5], [0.5, 0.5, 0.5, 0.9], [0, 0, 1, 1], [0, 0, 0, 0]]
    )
    (box,) = boxes_in_display(DetectorOutput(card, result, transform), 0.5)
    assert (box.corners, box.label) == ((0, 0, 32, 32), "cholangiocarcinoma")


@pytest.mark.parametrize("invalid", INVALID_DETECTORS)
def test_outputs_out_of_range_are_a_502(
    triton: RunningTriton, tmp_path: Path, invalid: str, services: ModelServices
) -> None:
    """Alone it causes a 502; together with a valid detector it is left out and reported."""
    repository = tmp_path / "models"
    write_detector(repository, invalid, *INVALID_DETECTORS[invalid])
    with services.detect(repository) as client:
        answer = client.post("/v1/detections", files={"image": ("x.png", encoded(gradient()))})
        assert answer.status_code == 502
        assert answer.headers["content-type"] == "application/problem+json"
    shutil.copytree(triton.repository / "detect_left", repository / "detect_left")
    with services.detect(repository) as client:
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


def test_a_method_that_was_not_fitted_is_rejected(
    triton: RunningTriton, tmp_path: Path, services: ModelServices
) -> None:
    repository = tmp_path / "models"
    shutil.copytree(triton.repository, repository)
    names = ["detect_left", "detect_right"]
    agree_on(repository, names, method="non_maximum_suppression", overlap=0.5, decision_threshold=0.1)
    with services.detect(repository) as client:
        files = {"image": ("x.png", encoded(gradient()))}
        answer = client.post("/v1/detections", params={"fusion": "weighted_box_fusion"}, files=files)
        assert answer.status_code == 422
        assert "they have non_maximum_suppression" in answer.json()["detail"]


def test_sizes_are_in_pixels_and_with_a_known_spacing_in_millimetres(client: TestClient) -> None:
    """The spacing of the file is 0.8 mm between rows and 0.7 mm between columns."""
    hu = np.tile(np.linspace(-100, 300, 128).astype(np.int32), (128, 1))
    (box,) = detect(client, dicom_bytes(ct_dataset(hu)), detectors="detect_left").boxes
    assert box.size_px == (36.6, 32), "the detector's box is square in millimetres"
    assert box.size_mm == pytest.approx((25.6, 25.6))
    assert (box.longest_diameter_px, box.longest_diameter_mm) == (36.6, 25.6)
    (unknown,) = detect(client, encoded(gradient(128, 128)), detectors="detect_left").boxes
    assert (unknown.size_mm, unknown.longest_diameter_mm) == (None, None)


def test_the_annotated_image_is_returned_on_request(client: TestClient) -> None:
    assert detect(client, encoded(gradient(128, 128))).annotated_png is None
    answer = detect(client, encoded(gradient(128, 128)), annotate="true", detectors="detect_left")
    assert answer.annotated_png is not None
    picture = Image.open(io.BytesIO(base64.b64decode(answer.annotated_png)))
    assert picture.size == (768, 768 + 56)
    assert picture.getpixel((768 // 4, 28 + 768 * 3 // 8)) == (0x2E, 0xC4, 0xFF), "the left edge, in metastasis' colour"
