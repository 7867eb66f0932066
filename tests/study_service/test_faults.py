"""Workers that are killed, studies that cannot be analysed, services that are down: real processes and databases."""

from __future__ import annotations

import asyncio
import os
import random
import signal
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path

import pytest

from study_service.documents import Caller
from study_service.repository import StudyRepository
from tests.support.postgresql import PostgreSql, postgresql_server
from tests.support.slice_services import SliceServices, slice_services
from tests.support.study_workers import STAGES, Installation, Studies, Workers, comparable, ended, in_stage

ANN, BEN = Caller("ann"), Caller("ben")
KILLS = int(os.environ.get("STUDY_KILLS", "4"))
FINAL_OBJECTS = ["hounsfield", "labels", "liver", "masks", "model_answers", "pipeline", "shares", "volume"]

pytestmark = pytest.mark.timeout(600 + 120 * KILLS)


@pytest.fixture
def services() -> Iterator[SliceServices]:
    with slice_services() as running:
        yield running


@pytest.fixture
def installation(database_url: str, tmp_path: Path, services: SliceServices) -> Installation:
    return Installation(tmp_path, database_url, services)


def with_studies(installation: Installation, work: Callable[[Studies], Awaitable[None]]) -> None:
    async def scenario() -> None:
        async with installation.opened() as studies:
            await work(studies)

    asyncio.run(scenario())


def test_a_study_survives_kill_9_in_every_phase(installation: Installation, services: SliceServices) -> None:
    """Nothing is lost, and the result is the one of an undisturbed analysis."""

    async def work(studies: Studies) -> None:
        with Workers(installation) as workers:
            undisturbed = await studies.send(ANN)
            await studies.wait(undisturbed, ended)
            expected = comparable(await studies.result(ANN, undisturbed))
            services.delay_s = 0.2
            chance = random.Random(7)  # noqa: S311
            for number in range(KILLS):
                stage = STAGES[number % len(STAGES)]
                services.classified.clear()
                study_id = await studies.send(ANN)
                await studies.wait(study_id, in_stage(stage))
                await asyncio.sleep(chance.uniform(0, 0.3))
                workers.kill(await studies.row(study_id))
                row = await studies.wait(study_id, ended)
                assert (row.status, row.problem) == ("finished", None)
                assert comparable(await studies.result(ANN, study_id)) == expected
                names = await studies.objects_of(study_id)  # answers remain where the kill came after the result
                assert [name for name in names if not name.isdigit()] == FINAL_OBJECTS
                assert max(services.classified.values()) <= 2

    with_studies(installation, work)


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_a_study_that_kills_every_worker_fails_and_blocks_nobody(
    installation: Installation, services: SliceServices
) -> None:
    async def work(studies: Studies) -> None:
        services.holds_votes = True
        with Workers(installation) as workers:
            poison = await studies.send(ANN)
            for tries in (1, 2, 3):
                await studies.wait(poison, in_stage("inference", tries))
                assert workers.kill(await studies.row(poison))
            services.holds_votes = False
            other = await studies.send(BEN)
            row = await studies.wait(poison, ended)
            assert row.status == "failed"
            assert row.problem is not None
            assert row.problem["type"] == "/problems/analysis-failed"
            assert (await studies.wait(other, ended)).status == "finished"

    with_studies(installation, work)


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_a_study_that_cannot_be_read_fails_at_once_with_the_reason(installation: Installation) -> None:
    async def work(studies: Studies) -> None:
        with Workers(installation, 1):
            study_id = await studies.send(ANN, content=b"this is neither DICOM nor a ZIP")
            row = await studies.wait(study_id, ended)
            assert (row.status, row.tries) == ("failed", 1)
            assert row.problem is not None
            assert row.problem["type"] == "/problems/unreadable-study"

    with_studies(installation, work)


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_an_outage_of_the_model_services_costs_no_try(installation: Installation, services: SliceServices) -> None:
    async def work(studies: Studies) -> None:
        services.holds_votes = True
        with Workers(installation, 1):
            study_id = await studies.send(ANN)
            await studies.wait(study_id, in_stage("inference"))
            services.down = True
            await studies.wait(study_id, lambda row: row.status == "queued")
            services.down = services.holds_votes = False
            row = await studies.wait(study_id, ended)
            assert (row.status, row.tries) == ("finished", 1)

    with_studies(installation, work)


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_a_study_whose_slices_the_models_cannot_answer_fails_after_three_tries(
    installation: Installation, services: SliceServices
) -> None:
    async def work(studies: Studies) -> None:
        services.broken = True
        with Workers(installation, 1):
            study_id = await studies.send(ANN)
            row = await studies.wait(study_id, ended)
            assert (row.status, row.tries) == ("failed", 3)

    with_studies(installation, work)


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_a_cancelled_study_stops_and_the_next_one_is_analysed(
    installation: Installation, services: SliceServices
) -> None:
    async def work(studies: Studies) -> None:
        services.holds_votes = True
        with Workers(installation, 1):
            study_id = await studies.send(ANN)
            await studies.wait(study_id, in_stage("inference"))
            repository = StudyRepository(studies.database, studies.keys)
            assert (await repository.cancel(ANN, study_id)).status == "cancelled"
            services.holds_votes = False
            other = await studies.send(ANN)
            assert (await studies.wait(other, ended)).status == "finished"
            assert (await studies.row(study_id)).status == "cancelled"

    with_studies(installation, work)


def test_a_study_survives_the_end_of_postgresql_in_every_phase(tmp_path: Path, services: SliceServices) -> None:
    async def work(own: Installation, studies: Studies, server: PostgreSql) -> None:
        with Workers(own, 1):
            for stage in STAGES:
                services.delay_s = 0.3
                study_id = await studies.send(ANN)
                await studies.wait(study_id, in_stage(stage))
                server.crash()
                await asyncio.sleep(1)
                await asyncio.to_thread(server.start)
                services.delay_s = 0.0
                assert (await studies.wait(study_id, ended)).status == "finished"

    with postgresql_server() as server:
        own = Installation(tmp_path, server.new_database(), services)
        with_studies(own, lambda studies: work(own, studies, server))


def test_two_workers_share_the_studies_and_compute_none_twice(
    installation: Installation, services: SliceServices
) -> None:
    async def work(studies: Studies) -> None:
        services.delay_s = 0.1
        with Workers(installation):
            ids = [await studies.send(caller, slices=20) for caller in (ANN, BEN, ANN, BEN)]
            for study_id in ids:
                assert (await studies.wait(study_id, ended)).status == "finished"
            assert set(services.classified.values()) == {len(ids)}  # all four have the same slices

    with_studies(installation, work)


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_an_orderly_stop_hands_the_study_over_at_once(installation: Installation, services: SliceServices) -> None:
    """As in a rolling upgrade: the next worker continues after the last finished step, and no try is used up."""

    async def work(studies: Studies) -> None:
        services.holds_votes = True
        with installation.worker() as first:
            study_id = await studies.send(ANN)
            await studies.wait(study_id, in_stage("inference"))
            first.send_signal(signal.SIGTERM)
            await studies.wait(study_id, lambda row: row.status == "queued")
            assert await asyncio.to_thread(first.wait, 30) == 0
        services.holds_votes = False
        with installation.worker():
            row = await studies.wait(study_id, ended)
        assert (row.status, row.tries) == ("finished", 1)
        assert max(services.segmented.values()) == 1

    with_studies(installation, work)
