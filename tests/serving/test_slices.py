"""Slices of volumes on a real Triton with the shipped models: the same results as the single-image routes."""

from __future__ import annotations

import json
import shutil
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from fastapi.testclient import TestClient

from hepar.contracts.analyses import Classification, Detection
from hepar.contracts.slices import (
    BY_MODEL_HEADER,
    LIVER_PATH,
    SEGMENTER_HEADER,
    SLICES_PATH,
    SliceClassifications,
    SliceDetections,
)
from hepar.imaging.ct_image import GreyImage
from hepar.imaging.npy import read_arrays
from tests.support.model_services import ModelServices
from tests.support.pictures import encoded, gradient
from tests.support.slices import body, sample_slices, worker
from tests.support.tokens import TokenAuthority
from tests.support.triton import COMBINED, SHIPPED, RunningTriton, running_triton

SLICES = sample_slices(11)
"""More than one call of Triton, the last one not full; one is no CT slice."""
SLICES[5] = gradient(512, 512)
CLASSIFIERS = {f"classify_{name}" for name in ("densenet", "resnet", "resunet", "unet", "xception")}
DETECTORS = {"detect_faster_rcnn", "detect_yolov3", "detect_yolov5"}
BOTH = {"check_input", "segment_resunet"}


@pytest.fixture(scope="module")
def shipped(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningTriton]:
    with running_triton(tmp_path_factory.mktemp("shipped"), SHIPPED) as running:
        yield running


@pytest.fixture(scope="module")
def own(shipped: RunningTriton, authority: TokenAuthority) -> ModelServices:
    return ModelServices(authority, shipped.grpc)


@pytest.fixture
def classifier(own: ModelServices) -> Iterator[TestClient]:
    with own.classify(SHIPPED) as client:
        yield client


@pytest.fixture
def detector(own: ModelServices) -> Iterator[TestClient]:
    with own.detect(SHIPPED) as client:
        yield client


def post(client: TestClient, authority: TokenAuthority, path: str, content: bytes, **headers: str) -> bytes:
    answer = client.post(path, content=content, headers=worker(authority) | headers)
    assert answer.status_code == 200, answer.text
    return answer.content


def one_image(client: TestClient, path: str, pixels: GreyImage) -> bytes:
    answer = client.post(path, content=encoded(pixels), headers={"content-type": "image/png"})
    assert answer.status_code == 200, answer.text
    return answer.content


def test_a_slice_is_classified_as_the_picture_of_it_is(classifier: TestClient, authority: TokenAuthority) -> None:
    answer = SliceClassifications.model_validate_json(post(classifier, authority, SLICES_PATH, body(SLICES)))
    assert len(answer.items) == len(SLICES)
    assert {model.model for model in answer.models} == CLASSIFIERS | BOTH
    assert answer.missing_models == []
    assert {item.outcome for item in answer.items} >= {"decided", "out_of_scope"}
    for pixels, item in zip(SLICES, answer.items, strict=True):
        single = Classification.model_validate_json(one_image(classifier, "/v1/classifications", pixels))
        assert item.outcome == single.outcome
        assert item.tumour_probability == pytest.approx(single.tumour_probability, abs=1e-4)
        assert item.type_probabilities == pytest.approx(single.type_probabilities, abs=1e-4)


def test_one_call_for_all_classifiers_gives_the_numbers_of_single_calls(
    classifier: TestClient, own: ModelServices, authority: TokenAuthority, shipped: RunningTriton, tmp_path: Path
) -> None:
    """A service that has the cards alone, without graphs, calls each model by itself."""
    cards = shutil.copytree(SHIPPED, tmp_path / "cards", ignore=shutil.ignore_patterns("*.onnx"))
    calls: list[int] = []
    answers: list[tuple[bytes, dict[str, Any]]] = []
    with own.classify(cards) as single:
        for client in (single, classifier):
            if client is classifier:
                _wait_until_combined(client, shipped)
            before = shipped.runs(COMBINED)[0]
            of_slices = post(client, authority, SLICES_PATH, body(SLICES), **{BY_MODEL_HEADER: "true"})
            of_picture = json.loads(one_image(client, "/v1/classifications", SLICES[3]))
            answers.append((of_slices, _timeless(of_picture)))
            calls.append(shipped.runs(COMBINED)[0] - before)
    assert calls == [0, len(SLICES) + 1]
    assert answers[0] == answers[1]


def _wait_until_combined(client: TestClient, shipped: RunningTriton) -> None:
    before, deadline = shipped.runs(COMBINED)[0], time.monotonic() + 60
    while shipped.runs(COMBINED)[0] == before:
        assert time.monotonic() < deadline
        one_image(client, "/v1/classifications", SLICES[3])


def _timeless(document: dict[str, Any]) -> dict[str, Any]:
    votes = [vote | {"duration_ms": 0} for vote in document["votes"]]
    return document | {"votes": votes, "request_id": ""}


def test_a_slice_has_the_boxes_of_the_picture_of_it(detector: TestClient, authority: TokenAuthority) -> None:
    answer = SliceDetections.model_validate_json(post(detector, authority, SLICES_PATH, body(SLICES)))
    assert {model.model for model in answer.models} == DETECTORS | BOTH
    assert any(answer.items)
    for pixels, boxes in zip(SLICES, answer.items, strict=True):
        single = Detection.model_validate_json(one_image(detector, "/v1/detections", pixels))
        fields = ("x_min", "y_min", "x_max", "y_max", "label", "score", "detectors")
        assert [box.model_dump() for box in boxes] == [box.model_dump(include=set(fields)) for box in single.boxes]


def test_a_caller_that_wants_them_gets_the_boxes_and_votes_of_each_model(
    classifier: TestClient, detector: TestClient, authority: TokenAuthority
) -> None:
    told = {BY_MODEL_HEADER: "true"}
    slices = SLICES[3:6]
    votes = SliceClassifications.model_validate_json(post(classifier, authority, SLICES_PATH, body(slices), **told))
    boxes = SliceDetections.model_validate_json(post(detector, authority, SLICES_PATH, body(slices), **told))
    for pixels, item in zip(slices, votes.items, strict=True):
        single = Classification.model_validate_json(one_image(classifier, "/v1/classifications", pixels))
        assert {name: pytest.approx(vote, abs=1e-4) for name, vote in item.votes.items()} == {
            vote.model: vote.probabilities for vote in single.votes
        }
    for pixels, found in zip(slices, boxes.single, strict=True):
        report = Detection.model_validate_json(one_image(detector, "/v1/detections", pixels)).detectors
        counted = Counter(name for box in found for name in box.detectors)
        assert counted == Counter({model.model: model.box_count for model in report})
    assert sum(len(found) for found in boxes.single) > len(boxes.items[0])


def test_masks_that_are_sent_on_replace_the_segmenters_run(
    classifier: TestClient, detector: TestClient, authority: TokenAuthority, shipped: RunningTriton
) -> None:
    answer = detector.post(LIVER_PATH, content=body(SLICES), headers=worker(authority))
    assert answer.status_code == 200, answer.text
    (masks,) = read_arrays(answer.content)
    assert masks.shape == (len(SLICES), 2, 256, 256)
    assert answer.headers[SEGMENTER_HEADER] == "segment_resunet/1"
    for client in (classifier, detector):
        computed = post(client, authority, SLICES_PATH, body(SLICES))
        before, _ = shipped.runs("segment_resunet")
        sent_on = post(client, authority, SLICES_PATH, body(SLICES, masks), **{SEGMENTER_HEADER: "segment_resunet/1"})
        assert sent_on == computed
        assert shipped.runs("segment_resunet")[0] == before
        empty = np.zeros_like(masks)
        without = post(client, authority, SLICES_PATH, body(SLICES, empty), **{SEGMENTER_HEADER: "segment_resunet/1"})
        if client is classifier:
            items = SliceClassifications.model_validate_json(without).items
            assert {item.outcome for item in items} == {"out_of_scope"}, "no liver, by the masks that were sent"


def test_masks_of_another_segmenter_are_computed_again(detector: TestClient, authority: TokenAuthority) -> None:
    slices = SLICES[:2]
    computed = post(detector, authority, SLICES_PATH, body(slices))
    for name, side in (("segment_other", 256), ("segment_resunet", 128)):
        masks = np.zeros((2, 2, side, side), np.uint8)
        headers = {SEGMENTER_HEADER: f"{name}/1"}
        assert post(detector, authority, SLICES_PATH, body(slices, masks), **headers) == computed


def test_triton_runs_the_slices_in_batches(
    classifier: TestClient, authority: TokenAuthority, shipped: RunningTriton
) -> None:
    called = f"classify_unet|{COMBINED}"
    images_before, runs_before = shipped.runs(called)
    post(classifier, authority, SLICES_PATH, body(SLICES))
    images, runs = shipped.runs(called)
    assert images - images_before == len(SLICES)
    assert runs - runs_before <= 2
