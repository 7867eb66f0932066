"""Two readers who correct one finding at the same time, in both databases."""

from __future__ import annotations

import asyncio
from pathlib import Path

from hepar.contracts.base import example_of
from hepar.contracts.findings import CorrectionForm
from hepar.contracts.study_results import StudyResult
from hepar.storage.objects import open_objects
from study_service.errors import FindingChanged
from study_service.findings.store import Findings, Target
from tests.support.study_rows import ANN, new_study, open_studies, queue_of, uploads_of


def test_of_two_corrections_at_once_one_is_stored(database_url: str, tmp_path: Path) -> None:
    async def scenario() -> None:
        async with (
            open_studies(database_url, tmp_path) as (database, keys),
            open_objects(str(tmp_path / "objects")) as objects,
        ):
            uploads = uploads_of(database, keys)
            study_id = (await uploads.receive(ANN, new_study(uploads, {"1.1"}))).study.id
            queue = queue_of(database, keys)
            job = await queue.claim()
            assert job is not None
            result = StudyResult.model_validate(example_of(StudyResult) | {"study_id": study_id})
            await queue.finish(job, result, {}, None)
            findings = Findings(database, keys, objects)
            for turn in range(3):
                before = (await findings.read(ANN, study_id)).items[0]
                target = Target(study_id, None, before.etag)
                forms = [CorrectionForm(action="accept"), CorrectionForm(action="reject")]
                answers = await asyncio.gather(
                    *(findings.correct(ANN, target, "L1", form) for form in forms), return_exceptions=True
                )
                assert sorted(isinstance(answer, FindingChanged) for answer in answers) == [False, True], answers
                assert len((await findings.read(ANN, study_id)).items[0].history) == turn + 1
            await database.migrate("base")
            await database.migrate()

    asyncio.run(scenario())
