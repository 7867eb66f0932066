"""The steps of an analysis: repeated, after an upgrade, and with models that are replaced in the middle."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from contextlib import AsyncExitStack, aclosing
from pathlib import Path

import pytest
from pydantic import SecretStr

from hepar.contracts.study_results import StudyModelAnswers
from hepar.storage.encryption import DataKey
from study_service import study_analysis
from study_service.analysed_volume import LIVER_LABEL, MODEL_ANSWERS, AnalysedVolume
from study_service.documents import Caller
from study_service.errors import NoSuchSlice
from study_service.job_queue import JobQueue, QueueRules
from study_service.slice_answers import PART_SLICES
from study_service.slice_models import slice_models
from study_service.study_analysis import AnalysisTools, StudyAnalysis
from study_service.volume_inference import MixedModels
from study_service.volume_reader import VolumeReader
from tests.support.slice_services import SliceServices, slice_services
from tests.support.study_rows import sqlite_url
from tests.support.study_workers import Installation, Studies

ANN = Caller("ann")
SLICES = 20
New = Callable[[], Awaitable[StudyAnalysis]]


@pytest.fixture
def services() -> Iterator[SliceServices]:
    with slice_services() as running:
        yield running


def with_analysis(folder: Path, services: SliceServices, work: Callable[[Studies, str, New], Awaitable[None]]) -> None:
    """New: the analysis as a worker makes it that begins or takes over."""

    async def scenario() -> None:
        async with Installation(folder, sqlite_url(folder), services).opened() as studies:
            study_id = await studies.send(ANN, SLICES)
            queue = JobQueue(studies.database, studies.keys, "w", QueueRules(60, 0, 3))
            job = await queue.claim()
            assert job is not None
            reader = VolumeReader(folder, 60)
            urls = services.variables
            async with slice_models(
                urls["HEPAR_STUDY_AUTH_URL"], urls["HEPAR_STUDY_CLASSIFY_URL"], urls["HEPAR_STUDY_DETECT_URL"],
                SecretStr("s" * 32),
            ) as models:  # fmt: skip
                tools = AnalysisTools(
                    queue=queue, objects=studies.objects, reader=reader, models=models, folder=folder, call_s=60
                )

                async def new() -> StudyAnalysis:
                    return await stack.enter_async_context(aclosing(StudyAnalysis(tools, job, await queue.files(job))))

                async with AsyncExitStack() as stack:
                    stack.callback(reader.close)
                    await work(studies, study_id, new)

    asyncio.run(scenario())


async def until_answers(analysis: StudyAnalysis) -> None:
    assert await analysis.load() == SLICES
    assert await analysis.liver() == [0, SLICES - 1]
    assert await analysis.slices(0, 16) == 16
    assert await analysis.slices(16, SLICES) == SLICES


def test_every_step_can_be_repeated_by_another_worker_without_asking_again(
    tmp_path: Path, services: SliceServices
) -> None:
    async def work(studies: Studies, study_id: str, new: New) -> None:
        for _ in range(2):
            await until_answers(await new())
        await (await new()).finish()
        assert set(services.classified.values()) == set(services.segmented.values()) == {1}
        result = await studies.result(ANN, study_id)
        assert (result.outcome, result.label, len(result.lesions)) == ("decided", "metastasis", 1)
        assert [model.model for model in result.models] == ["classify_stand_in", "detect_stand_in", "segment_stand_in"]
        assert result.volume.liver_slices == (0, SLICES - 1)

    with_analysis(tmp_path, services, work)


def test_slices_and_masks_are_read_one_at_a_time(tmp_path: Path, services: SliceServices) -> None:
    async def work(studies: Studies, study_id: str, new: New) -> None:
        analysis = await new()
        await until_answers(analysis)
        await analysis.finish()
        row = await studies.row(study_id)
        stored = AnalysedVolume(studies.objects, studies.keys.data_key(row.data_key), study_id, 1)
        volume, masks = await stored.volume(), await stored.masks()
        first, third = [await stored.hounsfield(volume, index, index + 1) for index in (0, 2)]
        assert first.shape == (1, *volume.geometry.shape[1:])
        together = await stored.hounsfield(volume, 0, 3)
        assert (together[0] == first[0]).all()
        assert (together[2] == third[0]).all()
        assert (first != third).any()
        labels = await stored.labels(masks, volume, 10)
        assert set(labels.ravel().tolist()) == {0, LIVER_LABEL, LIVER_LABEL + 1}
        for call in (stored.hounsfield(volume, SLICES, SLICES + 1), stored.labels(masks, volume, SLICES)):
            with pytest.raises(NoSuchSlice):
                await call
        foreign = AnalysedVolume(studies.objects, DataKey(b"k" * 32), study_id, 2)
        with pytest.raises(NoSuchSlice):
            await foreign.volume()

    with_analysis(tmp_path, services, work)


@pytest.mark.parametrize("by_model", [True, False])
def test_what_each_model_said_is_stored_where_the_services_tell_it(
    tmp_path: Path, services: SliceServices, by_model: bool
) -> None:
    services.by_model = by_model

    async def work(studies: Studies, study_id: str, new: New) -> None:
        analysis = await new()
        await until_answers(analysis)
        await analysis.finish()
        row = await studies.row(study_id)
        stored = AnalysedVolume(studies.objects, studies.keys.data_key(row.data_key), study_id, 1)
        said = await stored.document(MODEL_ANSWERS, StudyModelAnswers)
        assert [item.slice for item in said.slices] == list(range(SLICES))
        box_scores = [[box.score for box in item.boxes] for item in said.slices]
        assert box_scores == [[0.7] if by_model else []] * SLICES
        assert {tuple(item.votes) for item in said.slices} == {("classify_stand_in",) if by_model else ()}

    with_analysis(tmp_path, services, work)


def test_an_upgrade_of_the_steps_begins_the_study_again(
    tmp_path: Path, services: SliceServices, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def work(studies: Studies, study_id: str, new: New) -> None:
        await until_answers(await new())
        before = await studies.objects.keys(f"studies/{study_id}")
        monkeypatch.setattr(study_analysis, "PIPELINE_VERSION", "next")
        upgraded = await new()
        await upgraded.load()
        after = await studies.objects.keys(f"studies/{study_id}")
        arrays = {key for key in before if "hounsfield" in key}
        assert not arrays & set(after)
        assert not [key for key in after if "answers" in key or key.endswith("/liver")]
        await until_answers(upgraded)
        await upgraded.finish()
        assert set(services.classified.values()) == {2}

    with_analysis(tmp_path, services, work)


def test_a_result_never_mixes_versions_of_a_model(tmp_path: Path, services: SliceServices) -> None:
    async def work(studies: Studies, study_id: str, new: New) -> None:
        first = await new()
        await first.load()
        await first.liver()
        await first.slices(0, 16)
        await first.aclose()
        services.version = "2"
        second = await new()
        await second.slices(16, SLICES)
        with pytest.raises(MixedModels):
            await second.finish()
        second = await new()
        await until_answers(second)
        await second.finish()
        versions = {model.model: model.version for model in (await studies.result(ANN, study_id)).models}
        assert versions["classify_stand_in"] == versions["detect_stand_in"] == "2"

    with_analysis(tmp_path, services, work)


def test_the_models_are_asked_ahead_of_the_steps(tmp_path: Path, services: SliceServices) -> None:
    """While the worker stores slices the segmenter works, and during one step of slices the models have the next."""

    async def work(_studies: Studies, _study_id: str, new: New) -> None:
        analysis = await new()
        await analysis.load()
        while sum(services.segmented.values()) < SLICES:  # noqa: ASYNC110  counted in another thread
            await asyncio.sleep(0.01)
        await analysis.liver()
        await analysis.slices(0, 16)
        while sum(services.classified.values()) < SLICES:  # noqa: ASYNC110  counted in another thread
            await asyncio.sleep(0.01)
        assert await analysis.slices(16, SLICES) == SLICES
        assert set(services.classified.values()) == set(services.segmented.values()) == {1}

    with_analysis(tmp_path, services, work)


def test_the_models_are_asked_before_the_extent_of_the_liver_is_known(tmp_path: Path, services: SliceServices) -> None:
    """The segmenter's last answer is held until the classifiers have answered."""
    services.holds = lambda slices: len(slices) == 1 and services.classified.total() < PART_SLICES

    async def work(_studies: Studies, _study_id: str, new: New) -> None:
        analysis = await new()
        await until_answers(analysis)
        assert set(services.classified.values()) == set(services.segmented.values()) == {1}
        await analysis.finish()

    with_analysis(tmp_path, services, work)
