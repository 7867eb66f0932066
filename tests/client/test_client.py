"""Both clients with the running stack."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest
from hepar_client import AsyncHepar, Hepar, HeparProblem, Options
from hepar_client.contracts.analyses import Analysis, Classification, Detection
from hepar_client.contracts.problems import Problem

from tests.support.pictures import encoded, gradient
from tests.support.stack import Stack

PASSWORD = "a long enough password"
PICTURE = encoded(gradient(128, 128))


@pytest.fixture
def hepar(stack: Stack) -> Iterator[Hepar]:
    with Hepar(stack.settings.gateway_url) as hepar:
        email = f"{uuid.uuid4().hex}@example.org"
        assert hepar.sign_up(email, PASSWORD, "Ada").email == email
        hepar.sign_in(email, PASSWORD)
        yield hepar


def test_every_method_of_the_synchronous_client(hepar: Hepar, tmp_path: Path) -> None:
    assert hepar.me().name == "Ada"
    assert {model.card.name for model in hepar.models().models} == {"classify_tiny", "detect_tiny"}
    assert hepar.classify(PICTURE).label == "metastasis"
    file = tmp_path / "x.png"
    file.write_bytes(PICTURE)
    detection = hepar.detect(file, Options(annotate=True, fusion="non_maximum_suppression"))
    assert (len(detection.boxes), detection.method) == (1, "non_maximum_suppression")
    assert detection.annotated_png
    analysis = hepar.analyse(PICTURE, Options(explain=True, classifiers=["classify_tiny"]))
    assert isinstance(analysis.classification, Classification)
    assert analysis.classification.explanation is not None
    batch = hepar.analyse_many([file, b"not an image"])
    assert isinstance(batch.items[0].detection, Detection)
    assert isinstance(batch.items[1].detection, Problem)
    assert sorted(item.index for item in hepar.analyse_as_ready([file, PICTURE])) == [0, 1]


def test_a_refusal_raises_its_problem(hepar: Hepar, stack: Stack) -> None:
    with pytest.raises(HeparProblem, match="not supported") as caught:
        hepar.classify(b"not an image")
    assert caught.value.problem.status == 415
    with Hepar(stack.settings.gateway_url) as signed_out:
        for refused in (signed_out.me, lambda: list(signed_out.analyse_as_ready([PICTURE]))):
            with pytest.raises(HeparProblem) as caught:
                refused()
            assert caught.value.problem.status == 401


def test_the_client_continues_with_a_stored_token_and_forgets_it(hepar: Hepar, stack: Stack) -> None:
    with Hepar(stack.settings.gateway_url, hepar.token) as later:
        assert later.me().name == "Ada"
        later.forget_token()
        with pytest.raises(HeparProblem):
            later.me()


async def _every_method(url: str) -> tuple[str | None, int, list[int]]:
    async with AsyncHepar(url) as hepar:
        email = f"{uuid.uuid4().hex}@example.org"
        await hepar.sign_up(email, PASSWORD)
        token = await hepar.sign_in(email, PASSWORD)
        assert (await hepar.me()).email == email
        assert len((await hepar.models()).models) == 2
        label = (await hepar.classify(PICTURE)).label
        boxes = len((await hepar.detect(PICTURE)).boxes)
        assert isinstance(await hepar.analyse(PICTURE), Analysis)
        assert len((await hepar.analyse_many([PICTURE])).items) == 1
        indices = [item.index async for item in hepar.analyse_as_ready([PICTURE, PICTURE])]
    async with AsyncHepar(url, token) as later:
        assert (await later.me()).email == email
    async with AsyncHepar(url) as signed_out:
        with pytest.raises(HeparProblem):
            [item async for item in signed_out.analyse_as_ready([PICTURE])]
    return label, boxes, sorted(indices)


def test_every_method_of_the_asynchronous_client(stack: Stack) -> None:
    assert asyncio.run(_every_method(stack.settings.gateway_url)) == ("metastasis", 1, [0, 1])
