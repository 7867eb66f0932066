"""The segmenter in both services on a real Triton: liver gate, scope, outlines, and POST /v1/segmentations."""

from __future__ import annotations

import base64
import io
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from fastapi.testclient import TestClient
from numpy.typing import NDArray
from PIL import Image

from hepar.contracts.segmentations import Segmentation
from tests.serving.test_scope_check import answers, both_services, counted
from tests.support.model_services import ModelServices
from tests.support.pictures import ct_dataset, dicom_bytes, encoded
from tests.support.tiny_models import agree_on, write_segmenter
from tests.support.triton import SHIPPED, RunningTriton

DETECTORS = ["detect_left", "detect_right"]
BOX = (16, 16, 32, 32)
"""Where both tiny detectors see a lesion in an image of 64 x 64, about."""


@pytest.fixture
def repository(triton: RunningTriton, tmp_path: Path) -> Path:
    """The services' own copy of the cards, with the segmenter: liver from grey level 100 on, lesions from 200 on."""
    copy = Path(shutil.copytree(triton.repository, tmp_path / "models"))
    shutil.rmtree(copy / "segment_grey")
    write_segmenter(copy, "segment_grey")
    return copy


def slice_with(liver: tuple[int, int, int, int] | None, lesion: tuple[int, int, int, int] | None) -> NDArray[np.uint8]:
    pixels = np.full((64, 64), 30, dtype=np.uint8)
    pixels[0, :8] = 90  # enough contrast to be accepted
    for region, grey in ((liver, 150), (lesion, 220)):
        if region is not None:
            x_min, y_min, x_max, y_max = region
            pixels[y_min:y_max, x_min:x_max] = grey
    return pixels


IN_LIVER = encoded(slice_with((8, 8, 56, 56), (20, 20, 28, 28)))
NOT_IN_LIVER = encoded(slice_with((40, 8, 60, 60), None))
NO_LIVER = encoded(slice_with(None, None))


def fit_gate(repository: Path, **gate: float) -> None:
    agree_on(
        repository,
        DETECTORS,
        method="weighted_box_fusion",
        overlap=0.5,
        decision_threshold=0.5,
        liver_gate={"minimum_share": 0.35, "decision_threshold": 0.2} | gate,
    )


def test_a_box_in_the_liver_is_kept_with_its_outline(services: ModelServices, repository: Path) -> None:
    fit_gate(repository)
    with both_services(services, repository) as clients:
        classified, detected = answers(clients, IN_LIVER)
    (box,) = detected.boxes
    assert (box.inside_liver, box.liver_share, detected.boxes_outside_liver) == (True, 1, 0)
    assert box.outline is not None
    (polygon,) = box.outline
    points = np.array(polygon[0])
    assert (*points.min(axis=0), *points.max(axis=0)) == pytest.approx((20, 20, 28, 28), abs=0.5)
    for answer in (classified, detected):
        assert answer.scope is not None
        assert answer.scope.liver is not None
        assert (answer.scope.in_scope, answer.scope.input_check) == (True, None)
        assert (answer.scope.liver.model, answer.scope.liver.area_px) == ("segment_grey", 48 * 48)


def test_a_box_outside_the_liver_is_left_out_and_counted(services: ModelServices, repository: Path) -> None:
    fit_gate(repository)
    with both_services(services, repository) as clients:
        _, detected = answers(clients, NOT_IN_LIVER)
        marked = post(clients[1], "/v1/detections", NOT_IN_LIVER, outside_liver=True)
    assert (detected.boxes, detected.boxes_outside_liver) == ([], 1)
    (box,) = marked["boxes"]
    assert (box["inside_liver"], box["liver_share"], box["outline"], marked["boxes_outside_liver"]) == (False, 0, [], 1)


def test_inside_the_liver_the_gates_threshold_decides_and_outside_that_of_the_ensemble(
    services: ModelServices, repository: Path
) -> None:
    """The fused box has a score of 0.7."""
    agree_on(
        repository,
        DETECTORS,
        method="weighted_box_fusion",
        overlap=0.5,
        decision_threshold=0.8,
        liver_gate={"minimum_share": 0.35, "decision_threshold": 0.6},
    )
    with both_services(services, repository) as clients:
        assert [box.score for box in answers(clients, IN_LIVER)[1].boxes] == pytest.approx([0.7], abs=0.01)
        outside = post(clients[1], "/v1/detections", NOT_IN_LIVER, outside_liver=True)
    assert (outside["boxes"], outside["boxes_outside_liver"]) == ([], 0)


def test_without_a_fitted_gate_boxes_are_located_and_none_is_left_out(
    services: ModelServices, repository: Path
) -> None:
    with both_services(services, repository) as clients:
        (box,) = answers(clients, NOT_IN_LIVER)[1].boxes
    assert (box.inside_liver, box.liver_share) == (True, 0)


def test_an_image_without_a_liver_is_out_of_scope_for_that_reason(services: ModelServices, repository: Path) -> None:
    with both_services(services, repository) as clients:
        classified, detected = answers(clients, NO_LIVER)
        segmented = Segmentation.model_validate(post(clients[1], "/v1/segmentations", NO_LIVER))
    assert (classified.outcome, classified.label, detected.boxes) == ("out_of_scope", None, [])
    for answer in (classified, detected, segmented):
        assert answer.scope is not None
        assert (answer.scope.code, answer.scope.reason) == ("no_liver", "the segmenter sees no liver in the image")
    assert (segmented.liver, segmented.lesions) == (None, None)


def test_without_an_answer_of_the_segmenter_there_is_no_gate_and_it_is_reported(
    services: ModelServices, repository: Path
) -> None:
    write_segmenter(repository, "segment_absent")
    shutil.rmtree(repository / "segment_grey")
    fit_gate(repository)
    before = counted("hepar_missing_models_total", model="segment_absent")
    with both_services(services, repository) as clients:
        classified, detected = answers(clients, NOT_IN_LIVER)
        refused = clients[1].post("/v1/segmentations", content=NOT_IN_LIVER, headers={"content-type": "image/png"})
    (box,) = detected.boxes
    assert (box.inside_liver, box.liver_share, box.outline, detected.boxes_outside_liver) == (None, None, None, None)
    assert classified.missing_models == detected.missing_models == ["segment_absent"]
    assert counted("hepar_missing_models_total", model="segment_absent") == before + 3
    assert (refused.status_code, refused.json()["type"]) == (503, "/problems/unavailable")


def test_a_repository_without_a_segmenter_cannot_segment(services: ModelServices, repository: Path) -> None:
    shutil.rmtree(repository / "segment_grey")
    with both_services(services, repository) as clients:
        refused = clients[1].post("/v1/segmentations", content=IN_LIVER, headers={"content-type": "image/png"})
    assert refused.status_code == 503


def test_a_segmentation_has_polygons_and_pictures_in_the_size_of_the_image(
    services: ModelServices, repository: Path
) -> None:
    with both_services(services, repository) as clients:
        segmented = Segmentation.model_validate(post(clients[1], "/v1/segmentations", IN_LIVER))
    assert (segmented.model, segmented.version, segmented.missing_models) == ("segment_grey", "1", [])
    assert segmented.liver is not None
    assert segmented.lesions is not None
    for mask, (x_min, y_min, x_max, y_max) in (
        (segmented.liver, (8, 8, 56, 56)),
        (segmented.lesions, (20, 20, 28, 28)),
    ):
        (region,) = mask.regions
        points = np.array(region.polygon[0])
        assert (*points.min(axis=0), *points.max(axis=0)) == pytest.approx((x_min, y_min, x_max, y_max), abs=0.5)
        assert region.area_px == pytest.approx((x_max - x_min) * (y_max - y_min), rel=0.02)
        assert region.area_mm2 is None
        picture = np.asarray(Image.open(io.BytesIO(base64.b64decode(mask.png))))
        expected = np.zeros((64, 64), dtype=bool)
        expected[y_min:y_max, x_min:x_max] = True
        assert (picture == expected).all()


def test_areas_are_in_square_millimetres_where_the_file_states_the_spacing(
    services: ModelServices, repository: Path
) -> None:
    dataset = ct_dataset(slice_with((8, 8, 56, 56), (20, 20, 28, 28)).astype(np.int16))
    dataset.PixelSpacing = [0.5, 0.5]
    with both_services(services, repository) as clients:
        answer = clients[1].post(
            "/v1/segmentations", content=dicom_bytes(dataset), headers={"content-type": "application/dicom"}
        )
    assert answer.status_code == 200, answer.text
    scope = answer.json()["scope"]
    assert scope["liver"]["area_mm2"] == pytest.approx(scope["liver"]["area_px"] / 4, abs=0.1)


@pytest.mark.parametrize("sample", sorted(Path("samples").glob("*.png")), ids=lambda path: path.stem)
def test_the_shipped_segmenter_sees_a_liver_in_the_samples(
    services: ModelServices, repository: Path, sample: Path
) -> None:
    shutil.rmtree(repository / "segment_grey")
    shutil.copy(SHIPPED / "segment_resunet" / "card.json", repository / "segment_resunet")
    with both_services(services, repository) as clients:
        segmented = Segmentation.model_validate(post(clients[1], "/v1/segmentations", sample.read_bytes()))
    assert segmented.scope.in_scope
    assert segmented.liver is not None
    assert segmented.lesions is not None
    assert 0.05 < segmented.liver.regions[0].area_px / (512 * 512) < 0.3
    assert bool(segmented.lesions.regions) == (sample.stem != "no_tumour")


def post(client: TestClient, path: str, content: bytes, **parameters: bool) -> dict[str, Any]:
    answer = client.post(path, params=parameters, content=content, headers={"content-type": "image/png"})
    assert answer.status_code == 200, answer.text
    document: dict[str, Any] = answer.json()
    return document
