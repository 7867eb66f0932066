"""The worker's client of the model services, against real ones: auth_service, both services and Triton."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import Awaitable, Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TypeVar

import numpy as np
import pytest
from pydantic import SecretStr

from auth_service.app import create_app as create_auth
from auth_service.settings import AuthSettings
from classify_service.app import create_app as create_classify
from classify_service.settings import ClassifySettings
from detect_service.app import create_app as create_detect
from detect_service.settings import DetectSettings
from hepar.contracts.cards import ModelCard
from hepar.contracts.views import FIELD_MM
from hepar.core.deadlines import Deadline
from hepar.core.errors import BadUpstream, DeadlineExceeded, Unavailable
from hepar.imaging.ct_image import CtImage
from hepar.imaging.input_frame import ChosenFrame
from hepar.imaging.letterbox import InputFrame, letterbox
from hepar.web.upstream import UpstreamProblem
from study_service.slice_models import SliceLimits, SliceModels, slice_models
from tests.support.gateway_client import NOWHERE, Misbehaving
from tests.support.serving import serving
from tests.support.slices import sample_slices
from tests.support.tiny_models import write_segmenter
from tests.support.triton import RunningTriton

WRONG_SECRET = SecretStr("another secret of forty characters or so")
SECRET = SecretStr("a secret of forty characters or more, of one")
PROBLEM = b'{"type":"/problems/busy","title":"t","status":503,"detail":"later","request_id":"12345678"}'
Answer = TypeVar("Answer")
SLICES = sample_slices(7)
CLOSER_MM = 320.0
FOUND = (0.257, 0.25, 0.5, 0.5)
"""What the two stand-ins for detectors find, fused: shares of their input."""
ACTIONS: tuple[Callable[..., Awaitable[object]], ...] = (SliceModels.classify, SliceModels.detect, SliceModels.liver)


@dataclass(frozen=True)
class Services:
    auth_url: str
    classify_url: str
    detect_url: str

    def call(
        self, action: Callable[[SliceModels], Awaitable[Answer]], limits: SliceLimits | None = None, **urls: str
    ) -> Answer:
        async def run() -> Answer:
            async with slice_models(**(vars(self) | urls), secret=SECRET, limits=limits) as models:
                return await action(models)

        return asyncio.run(run())


@pytest.fixture(scope="module")
def services(triton: RunningTriton, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Services]:
    folder = tmp_path_factory.mktemp("worker")
    auth = AuthSettings(
        database_url=f"sqlite+aiosqlite:///{folder / 'a.sqlite3'}",
        keys_folder=folder / "keys",
        secret_key_file=folder / "secret.key",
        study_worker_secret=SECRET,
    )
    repository = models_with_segmenter(triton, folder / "models")
    with ExitStack() as stack:
        auth_url = stack.enter_context(serving(create_auth(auth)))
        models = {"triton": triton.grpc, "model_repository": repository, "auth_url": auth_url}
        classify_url = stack.enter_context(serving(create_classify(ClassifySettings.model_validate(models))))
        detect_url = stack.enter_context(serving(create_detect(DetectSettings.model_validate(models))))
        yield Services(auth_url, classify_url, detect_url)


def models_with_segmenter(triton: RunningTriton, repository: Path) -> Path:
    """The liver is where the grey level is 100 or more, a lesion where it is 200 or more. Detectors see CLOSER_MM."""
    shutil.copytree(triton.repository, repository, ignore=shutil.ignore_patterns("segment_grey"))
    for file in repository.glob("detect_*/card.json"):
        card = ModelCard.model_validate_json(file.read_bytes())
        closer = card.input.model_copy(update={"field_mm": CLOSER_MM})
        file.write_text(card.model_copy(update={"input": closer}).model_dump_json())
    write_segmenter(repository, "segment_grey")
    return repository


@pytest.mark.parametrize("batch", [1, 3, 32])
def test_the_answers_are_in_the_order_of_the_slices_whatever_the_batch(services: Services, batch: int) -> None:
    limits = SliceLimits(batch_slices=batch, in_flight=2)
    deadline = Deadline.after(60)
    masks = services.call(lambda models: models.liver(SLICES, deadline), limits)
    assert masks.shares.shape == (len(SLICES), 2, 64, 64)
    assert (masks.segmenter.model, masks.lesion_threshold) == ("segment_grey", 0.5)
    classified = services.call(lambda models: models.classify(SLICES, deadline, masks), limits)
    alone = services.call(lambda models: models.classify(SLICES[3:4], deadline), limits)
    assert len(classified.items) == len(SLICES)
    assert classified.items[3] == alone.items[0]
    assert len({item.tumour_probability for item in classified.items}) > 1
    assert [model.model for model in classified.models] == ["classify_bright", "classify_steady", "segment_grey"]
    detected = services.call(lambda models: models.detect(SLICES, deadline, masks), limits)
    assert len(detected.items) == len(SLICES)
    (box,) = detected.items[0]
    assert (box.label, box.detectors) == ("metastasis", ["detect_left", "detect_right"])


@pytest.mark.parametrize("pixel_mm", [0.7, 0.8])
def test_detectors_see_their_own_part_of_a_slice_and_their_boxes_return_from_it(
    services: Services, pixel_mm: float
) -> None:
    """The stand-ins for detectors find the same box of their input whatever they see."""
    deadline, grey = Deadline.after(60), SLICES[1:2]
    rows, columns = grey.shape[1:]
    frame = InputFrame(columns / 2, rows / 2, FIELD_MM / pixel_mm)
    masks = services.call(lambda models: models.liver(grey, deadline, frame))

    detected = services.call(lambda models: models.detect(grey, deadline, masks, pixel_mm))
    (found,) = detected.items[0]
    box = np.array([[found.x_min, found.y_min, found.x_max, found.y_max]])
    closer = ChosenFrame(frame, pixel_mm, "file").of_field(CtImage(grey[0], "DICOM"), CLOSER_MM)
    assert closer is not None
    assert closer.side == pytest.approx(CLOSER_MM / pixel_mm, abs=0.01)
    assert letterbox(grey[0], 64, 64, frame=closer)[1].to_input(box)[0] == pytest.approx(FOUND, abs=0.002)


def test_a_worker_without_the_secret_gets_no_token(services: Services) -> None:
    async def run() -> None:
        async with slice_models(**vars(services), secret=WRONG_SECRET) as models:
            await models.classify(SLICES, Deadline.after(60))

    with pytest.raises(UpstreamProblem) as raised:
        asyncio.run(run())
    assert raised.value.problem.status == 401


def test_a_busy_service_is_asked_again_as_often_as_there_are_tries(services: Services) -> None:
    busy = Misbehaving(status=503, body=PROBLEM, kind=b"application/problem+json", retry_after=b"0")
    with serving(busy) as url, pytest.raises(UpstreamProblem):
        services.call(
            lambda models: models.classify(SLICES, Deadline.after(60)), SliceLimits(7, 1, tries=3), classify_url=url
        )
    assert len(busy.seen) == 3
    assert {headers["authorization"].partition(" ")[0] for headers in busy.seen} == {"Bearer"}


def test_there_is_no_try_that_the_deadline_does_not_allow(services: Services) -> None:
    """The service says seven seconds."""
    busy = Misbehaving(status=503, body=PROBLEM, kind=b"application/problem+json")
    with serving(busy) as url, pytest.raises(UpstreamProblem):
        services.call(lambda models: models.classify(SLICES, Deadline.after(5)), SliceLimits(7, 1), classify_url=url)
    assert len(busy.seen) == 1


@pytest.mark.parametrize(
    ("service", "error"),
    [
        (Misbehaving(body=b'{"items":[],"models":[],"missing_models":[]}'), BadUpstream),
        (Misbehaving(body=b"<html>"), BadUpstream),
        (Misbehaving(wait_s=30), DeadlineExceeded),
    ],
)
def test_a_wrong_or_late_answer_is_an_error(services: Services, service: Misbehaving, error: type[Exception]) -> None:
    with serving(service) as url:
        for action in ACTIONS:
            with pytest.raises(error):
                services.call(
                    partial(action, slices=SLICES, deadline=Deadline.after(2)), classify_url=url, detect_url=url
                )


def test_a_service_that_is_not_there_is_unavailable(services: Services) -> None:
    with pytest.raises(Unavailable):
        services.call(
            lambda models: models.classify(SLICES, Deadline.after(30)), SliceLimits(tries=2), classify_url=NOWHERE
        )


def test_no_slices_are_refused(services: Services) -> None:
    with pytest.raises(ValueError, match="no slices"):
        services.call(lambda models: models.classify(np.zeros((0, 64, 64), np.uint8), Deadline.after(5)))
