"""Triton, the model services and PostgreSQL are killed in the middle of studies: real processes, all of them."""

from __future__ import annotations

import asyncio
import os
import random
from pathlib import Path

import pytest

from study_service.documents import Caller
from tests.support.postgresql import postgresql_server
from tests.support.real_services import real_services
from tests.support.study_workers import STAGES, Installation, Workers, comparable, ended, in_stage

ANN = Caller("ann")
VICTIMS = ("triton_runtime", "classify_service", "postgresql", "detect_service", "auth_service")
KILLS = int(os.environ.get("STUDY_KILLS", "5"))


@pytest.mark.timeout(600 + 120 * KILLS)
def test_a_study_survives_kill_9_of_every_component(tmp_path: Path) -> None:
    """The result is the one of an undisturbed analysis; only an outage of the database can cost a try."""

    async def scenario() -> None:
        (tmp_path / "services").mkdir()
        with postgresql_server() as server, real_services(tmp_path / "services") as services:
            installation = Installation(tmp_path, server.new_database(), services)
            async with installation.opened() as studies:
                with Workers(installation, 1):
                    undisturbed = await studies.send(ANN)
                    assert (await studies.wait(undisturbed, ended)).status == "finished"
                    expected = comparable(await studies.result(ANN, undisturbed))
                    chance = random.Random(11)  # noqa: S311
                    for number in range(KILLS):
                        victim = VICTIMS[number % len(VICTIMS)]
                        study_id = await studies.send(ANN)
                        await studies.wait(study_id, in_stage(chance.choice(STAGES)))
                        await asyncio.sleep(chance.uniform(0, 0.1))
                        if victim == "postgresql":
                            await asyncio.to_thread(server.kill)
                            await asyncio.to_thread(server.start)
                        else:
                            await asyncio.to_thread(services.kill, victim)
                        row = await studies.wait(study_id, ended)
                        assert (row.status, row.problem) == ("finished", None), victim
                        assert row.tries <= (2 if victim == "postgresql" else 1), victim
                        assert comparable(await studies.result(ANN, study_id)) == expected, victim

    asyncio.run(scenario())
