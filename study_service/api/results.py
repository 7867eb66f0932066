"""Results of studies: the document, slices and masks."""

from __future__ import annotations

from fastapi import APIRouter

from hepar.contracts.studies import STUDIES_PATH
from hepar.contracts.study_results import StudyResult
from hepar.web.openapi import problems
from study_service.api.dependencies import PRINCIPAL, CallerDep, Dependencies, StudyId, VersionDep

router = APIRouter(
    prefix=STUDIES_PATH,
    tags=["studies"],
    dependencies=[PRINCIPAL],
    responses=problems("unavailable", "no-such-study", "study-not-finished"),
)


@router.get("/{study_id}/result", summary="Read the result of a study")
async def get_study_result(
    study_id: StudyId, caller: CallerDep, dependencies: Dependencies, version: VersionDep = None
) -> StudyResult:
    """The decision about the patient, and every lesion with its axes, volume and type."""
    return await dependencies.repository.result(caller, study_id, version)
