"""One patient in fields of view of several sizes, on a real Triton with the shipped models."""

from __future__ import annotations

import base64
import io
from collections.abc import Iterator

import numpy as np
import pytest
from fastapi.testclient import TestClient
from PIL import Image

from hepar.contracts.analyses import Classification, Detection
from hepar.contracts.cards import ModelCard
from hepar.contracts.segmentations import Mask, Segmentation
from hepar.contracts.slices import (
    FRAME_HEADER,
    LIVER_PATH,
    PIXEL_MM_HEADER,
    SEGMENTER_HEADER,
    SLICES_PATH,
    SliceClassifications,
    SliceDetections,
)
from hepar.imaging import decode
from hepar.imaging.input_frame import choose_frame
from hepar.imaging.npy import read_arrays
from tests.support.fields_of_view import SIDE_PX, dicom_with_field, sample_hu
from tests.support.model_services import ModelServices
from tests.support.slices import body, worker
from tests.support.tokens import TokenAuthority
from tests.support.triton import SHIPPED, running_triton

HU = sample_hu()
FIELDS_MM = (350, 410, 500, 600)
MIDDLE_PX = SIDE_PX / 2
CLOSEST_MM = (
    min(ModelCard.model_validate_json(card.read_bytes()).input.field_mm for card in SHIPPED.glob("detect_*/card.json"))
    / 256
)
Box = tuple[float, float, float, float]


@pytest.fixture(scope="module")
def clients(
    tmp_path_factory: pytest.TempPathFactory, authority: TokenAuthority
) -> Iterator[tuple[TestClient, TestClient]]:
    """Of classify_service and detect_service."""
    with running_triton(tmp_path_factory.mktemp("shipped"), SHIPPED) as running:
        services = ModelServices(authority, running.grpc)
        with services.classify(SHIPPED) as classifier, services.detect(SHIPPED) as detector:
            yield classifier, detector


def answer_of(client: TestClient, path: str, content: bytes) -> bytes:
    answer = client.post(path, content=content, headers={"content-type": "application/dicom"})
    assert answer.status_code == 200, answer.text
    return answer.content


def detected(client: TestClient, content: bytes) -> Detection:
    return Detection.model_validate_json(answer_of(client, "/v1/detections", content))


def in_mm(box: Box, field_mm: float) -> Box:
    """From pixels as sent to millimetres from the middle of the image, where the patient does not move."""
    x_min, y_min, x_max, y_max = ((value - MIDDLE_PX) * field_mm / SIDE_PX for value in box)
    return x_min, y_min, x_max, y_max


def best_box_mm(detection: Detection, field_mm: float) -> Box:
    box = max(detection.boxes, key=lambda item: item.score)
    return in_mm((box.x_min, box.y_min, box.x_max, box.y_max), field_mm)


def mask_picture(mask: Mask) -> Image.Image:
    return Image.open(io.BytesIO(base64.b64decode(mask.png))).convert("L")


def share_covered(picture: Image.Image, box_mm: Box, field_mm: float) -> float:
    """The share of a box in a mask. The segmenter sees more of the image than the detectors do."""
    x_min, y_min, x_max, y_max = (round(value * SIDE_PX / field_mm + MIDDLE_PX) for value in box_mm)
    return float((np.asarray(picture)[y_min:y_max, x_min:x_max] > 0).mean())


def mask_mm(mask: Mask, field_mm: float) -> Box:
    """The bounds of the picture; those of the largest outline agree with it."""
    bounds = mask_picture(mask).getbbox()
    assert bounds is not None
    points = np.concatenate([np.array(region.polygon[0]) for region in mask.regions])
    assert bounds == pytest.approx((*points.min(axis=0), *points.max(axis=0)), abs=2)
    return in_mm(bounds, field_mm)


def test_boxes_and_masks_lie_on_the_same_lesion_in_any_field_of_view(clients: tuple[TestClient, TestClient]) -> None:
    classifier, detector = clients
    found: dict[float, tuple[Box, Box, float | None]] = {}
    for field_mm in FIELDS_MM:
        content = dicom_with_field(HU, field_mm)
        detection = detected(detector, content)
        assert detection.image.scale.mm_per_pixel == pytest.approx(1.6, abs=0.001)
        assert detection.image.scale.source == "file"
        assert detection.image.scale.cropped == (field_mm > 410)
        assert detection.image.scale.closest_mm_per_pixel == pytest.approx(CLOSEST_MM, abs=0.001)
        segmented = Segmentation.model_validate_json(answer_of(detector, "/v1/segmentations", content))
        assert segmented.liver is not None
        classified = Classification.model_validate_json(answer_of(classifier, "/v1/classifications", content))
        assert classified.image.scale.closest_mm_per_pixel == classified.image.scale.mm_per_pixel
        box = best_box_mm(detection, field_mm)
        assert segmented.lesions is not None
        assert share_covered(mask_picture(segmented.lesions), box, field_mm) > 0.3
        found[field_mm] = box, mask_mm(segmented.liver, field_mm), classified.tumour_probability
    reference_box, reference_liver, reference_probability = found[410]
    for box, liver, probability in found.values():
        assert box == pytest.approx(reference_box, abs=4)
        assert liver == pytest.approx(reference_liver, abs=6)
        assert probability == pytest.approx(reference_probability, abs=0.1)


def test_boxes_of_a_turned_image_are_in_its_pixels_as_sent(clients: tuple[TestClient, TestClient]) -> None:
    _, detector = clients
    upright = best_box_mm(detected(detector, dicom_with_field(HU, 500)), 500)
    x_min, y_min, x_max, y_max = best_box_mm(detected(detector, dicom_with_field(HU, 500, transposed=True)), 500)
    assert (y_min, x_min, y_max, x_max) == pytest.approx(upright, abs=0.5)


def test_a_slice_in_the_frame_of_an_image_is_answered_as_the_image_is(
    clients: tuple[TestClient, TestClient], authority: TokenAuthority
) -> None:
    """And the frame is repeated, which tells the study worker that the service knows frames."""
    classifier, detector = clients
    content = dicom_with_field(HU, 500)
    image = decode(content)
    frame = choose_frame(image).frame
    assert frame is not None
    assert image.spacing_mm is not None
    headers = worker(authority) | {FRAME_HEADER: frame.text, PIXEL_MM_HEADER: f"{image.spacing_mm[1]:.6f}"}
    sent = body(image.pixels[None])
    liver = detector.post(LIVER_PATH, content=sent, headers=headers)
    (shares,) = read_arrays(liver.content)
    assert liver.headers[FRAME_HEADER] == frame.text
    with_masks = headers | {SEGMENTER_HEADER: liver.headers[SEGMENTER_HEADER]}
    for own in ((sent, headers), (body(image.pixels[None], shares), with_masks)):
        answer = detector.post(SLICES_PATH, content=own[0], headers=own[1])
        (boxes,) = SliceDetections.model_validate_json(answer.content).items
        fields = {"x_min", "y_min", "x_max", "y_max", "label", "score", "detectors"}
        single = [box.model_dump(include=fields) for box in detected(detector, content).boxes]
        assert [box.model_dump() for box in boxes] == single
        assert answer.headers[FRAME_HEADER] == frame.text
    answer = classifier.post(SLICES_PATH, content=sent, headers=headers)
    (item,) = SliceClassifications.model_validate_json(answer.content).items
    alone = Classification.model_validate_json(answer_of(classifier, "/v1/classifications", content))
    assert item.tumour_probability == pytest.approx(alone.tumour_probability, abs=1e-3)
    assert answer.headers[FRAME_HEADER] == frame.text


@pytest.mark.parametrize("frame", ["1 2", "1 2 0", "-1 2 3", "1 2 nan", "1e9 1 1", "1 2 3 4"])
def test_a_frame_that_is_none_is_refused(
    clients: tuple[TestClient, TestClient], authority: TokenAuthority, frame: str
) -> None:
    content = body(np.zeros((1, 64, 64), dtype=np.uint8))
    answer = clients[1].post(LIVER_PATH, content=content, headers=worker(authority) | {FRAME_HEADER: frame})
    assert answer.status_code == 422
