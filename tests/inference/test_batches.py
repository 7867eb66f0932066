"""Batches of images through models on a real Triton: order, calls, and errors of single images."""

from __future__ import annotations

import asyncio

import numpy as np
import pytest

from hepar.core.deadlines import Deadline
from hepar.core.errors import BadUpstream, HeparError, Unavailable
from hepar.inference import TritonClient
from hepar.inference.outputs import ExpectedOutput, has_expected_form, valid_images
from hepar.inference.triton import BATCH_MAX, InferenceResult
from tests.support.tiny_models import SIZE
from tests.support.triton import RunningTriton

LOGITS = {"logits": ExpectedOutput((3,), "f")}
GREYS = list(range(0, 190, 10))


def images(greys: list[int]) -> np.ndarray:
    return np.stack([np.full((SIZE, SIZE), grey, dtype=np.uint8) for grey in greys])


def infer(
    triton: RunningTriton, model: str, greys: list[int], expected: dict[str, ExpectedOutput] = LOGITS
) -> list[InferenceResult | HeparError]:
    async def run() -> list[InferenceResult | HeparError]:
        async with TritonClient(triton.grpc) as client:
            return await client.infer_batch(model, images(greys), expected, Deadline.after(60))

    return asyncio.run(run())


def first_logits(results: list[InferenceResult | HeparError]) -> list[float]:
    return [float(result.outputs["logits"][0]) for result in results if isinstance(result, InferenceResult)]


@pytest.mark.parametrize("model", ["classify_bright", "single"])
def test_results_are_in_the_order_of_the_images(triton: RunningTriton, model: str) -> None:
    """`single` is a graph without a batch axis."""
    images_before, runs_before = triton.runs(model)
    results = infer(triton, model, GREYS)
    assert first_logits(results) == pytest.approx([4 * grey / 255 for grey in GREYS], abs=1e-4)
    count, runs = triton.runs(model)
    assert count - images_before == len(GREYS)
    if model == "classify_bright":
        assert runs - runs_before <= -(-len(GREYS) // BATCH_MAX), "as many images in a call as Triton takes"


def test_one_image_is_a_batch_of_one(triton: RunningTriton) -> None:
    async def run() -> InferenceResult:
        async with TritonClient(triton.grpc) as client:
            return await client.infer("classify_bright", images([51])[0], LOGITS, Deadline.after(60))

    (of_batch,) = infer(triton, "classify_bright", [51])
    assert isinstance(of_batch, InferenceResult)
    assert asyncio.run(run()).outputs["logits"].tolist() == of_batch.outputs["logits"].tolist()


def test_an_invalid_output_is_an_error_of_its_image_alone(triton: RunningTriton) -> None:
    expected = {"logits": ExpectedOutput((3,), "f", high=2.0)}
    results = infer(triton, "classify_bright", GREYS, expected)
    assert [isinstance(result, BadUpstream) for result in results] == [4 * grey / 255 > 2 for grey in GREYS]


def test_a_call_that_fails_leaves_the_other_calls_as_they_are(triton: RunningTriton) -> None:
    """The graph fails for a whole call in which any pixel is not 0."""
    results = infer(triton, "broken", [0] * (BATCH_MAX + 1) + [200])
    assert [isinstance(result, Unavailable) for result in results] == [False] * BATCH_MAX + [True] * 2


def test_a_model_that_is_not_there_is_an_error_of_every_image(triton: RunningTriton) -> None:
    assert [type(result) for result in infer(triton, "no_such_model", [0] * 10)] == [Unavailable] * 10


def test_a_broken_model_opens_its_circuit_breaker_by_batches_too(triton: RunningTriton) -> None:
    async def run() -> float:
        async with TritonClient(triton.grpc) as client:
            for _ in range(5):
                await client.infer_batch("broken", images([200] * 20), LOGITS, Deadline.after(60))
            _, before = triton.runs("broken")
            await client.infer_batch("broken", images([0]), LOGITS, Deadline.after(60))
            return triton.runs("broken")[1] - before

    assert asyncio.run(run()) == 0


@pytest.mark.parametrize(
    "value",
    [
        np.zeros((2, 4), np.float32),
        np.zeros((1, 3), np.float32),
        np.zeros((2, 3, 1), np.float32),
        np.zeros((2, 3), np.int32),
        np.empty(0),
    ],
)
def test_an_output_of_another_form_is_noticed(value: np.ndarray) -> None:
    assert has_expected_form(np.zeros((2, 3), np.float32), 2, ExpectedOutput((3,), "f"))
    assert has_expected_form(np.zeros((2, 3), np.float32), 2, ExpectedOutput((-1,), "f"))
    assert not has_expected_form(value, 2, ExpectedOutput((3,), "f"))


@pytest.mark.parametrize(
    ("wrong", "expected"),
    [
        (np.nan, ExpectedOutput((3,), "f")),
        (np.inf, ExpectedOutput((3,), "f")),
        (-np.inf, ExpectedOutput((3,), "f")),
        (1.5, ExpectedOutput((3,), "f", 0, 1)),
        (-0.5, ExpectedOutput((3,), "f", 0, 1)),
    ],
)
def test_a_value_out_of_range_is_noticed_in_its_image(wrong: float, expected: ExpectedOutput) -> None:
    values = np.full((4, 3), 0.5, np.float32)
    values[2, 1] = wrong
    other = np.zeros((4, 2, 5), np.uint8)
    outputs = {"logits": expected, "masks": ExpectedOutput((2, 5), "u", 0, 255)}
    assert valid_images({"logits": values, "masks": other}, outputs, 4).tolist() == [True, True, False, True]


def test_an_output_without_elements_is_valid() -> None:
    assert valid_images({"boxes": np.zeros((2, 0, 4))}, {"boxes": ExpectedOutput((-1, 4), "f")}, 2).all()
