"""The frame that the networks see of the slices of a study."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from contextlib import AsyncExitStack
from pathlib import Path
from typing import TypeVar

import numpy as np
import pytest
from numpy.typing import NDArray
from pydantic import SecretStr

from hepar.contracts.views import FIELD_MM
from hepar.core.deadlines import Deadline
from hepar.core.errors import Unavailable
from hepar.imaging.input_frame import bodies_of_volume
from hepar.imaging.letterbox import InputFrame
from hepar.imaging.volume import CtVolume, VolumeGeometry
from hepar.storage.encryption import DataKey
from hepar.storage.objects import open_objects
from study_service.analysed_volume import AnalysedVolume, StoredVolume
from study_service.slice_arrays import SliceArray
from study_service.slice_models import SliceLimits, SliceModels, slice_models
from study_service.volume_inference import LiverFound, VolumeInference
from tests.support.slice_services import SliceServices, slice_services

SIDE, PIXEL_MM, SPACING_MM = 64, 8.0, 5.0
LIVER = range(4, 24)
SHOULDERS = range(30, 40)
Answer = TypeVar("Answer")


@pytest.fixture
def services() -> Iterator[SliceServices]:
    with slice_services() as running:
        yield running


def volume(width_px: int) -> CtVolume:
    """A body of 240 mm, in the slices of the liver a bright organ, and shoulders of `width_px` pixels above."""
    hu = np.full((40, SIDE, SIDE), -1000, dtype=np.int16)
    hu[:, 20:44, 20:50] = 30
    hu[LIVER.start : LIVER.stop, 24:40, 24:40] = 120
    start = (SIDE - width_px) // 2
    hu[SHOULDERS.start :, 20:44, start : start + width_px] = 30
    return CtVolume(hu, VolumeGeometry(hu.shape, (SPACING_MM, PIXEL_MM, PIXEL_MM)), ())


def shows_liver(pixels: NDArray[np.uint8]) -> bool:
    return bool(pixels.max() > 60)


def asked(
    folder: Path, services: SliceServices, work: Callable[[SliceModels, AnalysedVolume], Awaitable[Answer]]
) -> Answer:
    async def run() -> Answer:
        async with AsyncExitStack() as stack:
            objects = await stack.enter_async_context(open_objects(str(folder / "objects")))
            auth, classify, detect = (
                services.variables[f"HEPAR_STUDY_{name}_URL"] for name in ("AUTH", "CLASSIFY", "DETECT")
            )
            limits = SliceLimits(batch_slices=8, tries=3)
            opened = slice_models(auth, classify, detect, SecretStr("s" * 32), limits)
            models = await stack.enter_async_context(opened)
            return await work(models, AnalysedVolume(objects, DataKey(b"k" * 32), "study", 1))

    return asyncio.run(run())


def found_liver(folder: Path, services: SliceServices, of: CtVolume) -> LiverFound:
    services.shows_liver = shows_liver
    bodies = bodies_of_volume(of.hu, SPACING_MM)
    nothing = SliceArray(key="k", dtype="<i2", shape=(SIDE, SIDE), first=0, offsets=(0,))
    stored = StoredVolume(
        slices=nothing, geometry=of.geometry, sources=(), thickness_mm=None, series=(), unreadable=(), warnings=()
    )

    async def work(models: SliceModels, analysed: AnalysedVolume) -> LiverFound:
        inference = VolumeInference(models, analysed, 60)
        inference.begin(of, bodies)
        try:
            return await inference.found_liver(stored.model_copy(update={"bodies": bodies}))
        finally:
            await inference.aclose()

    return asked(folder, services, work)


def test_all_slices_have_one_frame_around_the_body(tmp_path: Path, services: SliceServices) -> None:
    of = volume(30)
    found = found_liver(tmp_path, services, of)
    assert found.extent == (LIVER.start, LIVER.stop - 1)
    assert found.masks.frame is not None
    assert found.masks.frame.side == pytest.approx(FIELD_MM / PIXEL_MM)
    assert (found.masks.frame.centre_x, found.masks.frame.centre_y) == pytest.approx((33.5, 32), abs=0.5)
    assert set(services.frames) == {found.masks.frame.text}
    assert services.segmented.total() <= len(of.hu)


def test_shoulders_do_not_shrink_the_liver(tmp_path: Path, services: SliceServices) -> None:
    """The volume is searched in a frame that holds them, and the liver's slices are segmented again in their own."""
    found = found_liver(tmp_path, services, volume(60))
    assert found.extent == (LIVER.start, LIVER.stop - 1)
    assert found.masks.frame is not None
    assert found.masks.frame.side == pytest.approx(FIELD_MM / PIXEL_MM)
    searched, closer = dict.fromkeys(services.frames)
    assert closer == found.masks.frame.text
    assert searched is not None
    assert InputFrame.parse(searched).side >= 60
    assert found.masks.shares.shape == (len(LIVER), 2, 32, 32)


def test_masks_are_sent_on_with_their_frame(tmp_path: Path, services: SliceServices) -> None:
    slices, frame = np.zeros((2, SIDE, SIDE), dtype=np.uint8), InputFrame(30.0, 31.5, 51.2)

    async def work(models: SliceModels, analysed: AnalysedVolume) -> None:
        masks = await models.liver(slices, Deadline.after(60), frame)
        assert masks.of(slice(1)).frame == frame
        await models.classify(slices, Deadline.after(60), masks)
        await models.detect(slices, Deadline.after(60), masks)

    asked(tmp_path, services, work)
    assert services.frames == ["30.000 31.500 51.200"] * 3


def test_a_service_that_knows_no_frames_is_not_used(tmp_path: Path, services: SliceServices) -> None:
    """The masks of whole slices would lie elsewhere: the study waits until the service is replaced."""
    services.knows_frames = False
    slices = np.zeros((2, SIDE, SIDE), dtype=np.uint8)

    async def work(models: SliceModels, analysed: AnalysedVolume) -> None:
        with pytest.raises(Unavailable, match="earlier version"):
            await models.liver(slices, Deadline.after(60), InputFrame(32, 32, 51.2))
        assert (await models.liver(slices, Deadline.after(60))).frame is None

    asked(tmp_path, services, work)
