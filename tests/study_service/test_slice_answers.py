"""Answers about slices, asked in parts before a step needs them."""

from __future__ import annotations

import asyncio

import pytest

from hepar.contracts.slices import DetectedBox, SliceClassification, SliceClassifications, SliceDetections
from hepar.contracts.study_results import ModelVersion
from hepar.core.errors import Unavailable
from study_service.slice_answers import PART_SLICES, PARTS_IN_FLIGHT, AskedSlices, SliceAnswers


class Models:
    """Each slice has its number as its score, in thousandths. by_model: whether they can say what each model said."""

    def __init__(self) -> None:
        self.asked: list[range] = []
        self.in_flight = self.most_in_flight = 0
        self.by_model = True
        self.fails = False

    async def ask(self, part: range) -> SliceAnswers:
        self.asked.append(part)
        self.in_flight += 1
        self.most_in_flight = max(self.most_in_flight, self.in_flight)
        await asyncio.sleep(0)
        self.in_flight -= 1
        if self.fails:
            raise Unavailable("down")
        boxes = [[box(index)] for index in part]
        versions = [ModelVersion(model="m", version="2" if part.start < 20 else "1")]
        return SliceAnswers(
            start=part.start,
            classifications=SliceClassifications(
                items=[
                    SliceClassification(outcome="decided", tumour_probability=index / 1000, type_probabilities={})
                    for index in part
                ],
                models=versions,
                missing_models=["late"] if part.start == 20 else [],
            ),
            detections=SliceDetections(
                items=boxes, single=boxes if self.by_model else [], models=versions, missing_models=[]
            ),
        )


def box(index: int) -> DetectedBox:
    return DetectedBox(
        x_min=0, y_min=0, x_max=1, y_max=1, label="metastasis", score=index / 1000, detectors=["detect_one"]
    )


def test_steps_get_the_answers_of_the_parts_that_were_asked_before() -> None:
    models = Models()

    async def run() -> tuple[SliceAnswers, SliceAnswers]:
        asked = AskedSlices()
        asked.ask(range(20, 36), models.ask)
        asked.ask(range(20, 40), models.ask)
        return await asked.answers(range(17, 33), models.ask), await asked.answers(range(33, 42), models.ask)

    first, second = asyncio.run(run())
    assert sorted(models.asked, key=lambda part: part.start) == [
        range(17, 20), range(20, 28), range(28, 36), range(36, 40), range(40, 42),
    ]  # fmt: skip
    for answers, indices in ((first, range(17, 33)), (second, range(33, 42))):
        assert answers.start == indices.start
        shown = [index / 1000 for index in indices]
        assert [item.tumour_probability for item in answers.classifications.items] == shown
        assert [boxes[0].score for boxes in answers.detections.items] == shown
        assert [boxes[0].score for boxes in answers.detections.single] == shown
    assert first.classifications.missing_models == ["late"]
    assert second.classifications.missing_models == []
    assert {model.version for model in first.classifications.models} == {"1", "2"}


def test_few_parts_are_in_flight() -> None:
    models = Models()

    async def run() -> None:
        await AskedSlices().answers(range(PART_SLICES * (PARTS_IN_FLIGHT + 3)), models.ask)

    asyncio.run(run())
    assert models.most_in_flight == PARTS_IN_FLIGHT
    assert {len(part) for part in models.asked} == {PART_SLICES}


def test_slices_of_which_single_models_said_nothing_keep_their_places() -> None:
    """A service of an earlier version answered the first part."""
    models = Models()

    async def run() -> SliceAnswers:
        asked = AskedSlices()
        models.by_model = False
        await asked.answers(range(4), models.ask)
        models.by_model = True
        return await asked.answers(range(2, 6), models.ask)

    single = asyncio.run(run()).detections.single
    assert single == [[], [], [box(4)], [box(5)]]


def test_an_error_of_a_part_is_that_of_the_step() -> None:
    models = Models()
    models.fails = True

    async def run() -> None:
        asked = AskedSlices()
        asked.ask(range(8), models.ask)
        try:
            with pytest.raises(Unavailable):
                await asked.answers(range(4, 12), models.ask)
        finally:
            await asked.stop()

    asyncio.run(run())
