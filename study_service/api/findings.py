"""Findings of a study: reading and correcting them, and the export of corrections."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Annotated, Any

from fastapi import APIRouter, Header, Path, Query, Response
from fastapi.responses import StreamingResponse

from hepar.contracts.base import example_of
from hepar.contracts.correction_records import CorrectionRecord
from hepar.contracts.findings import CorrectionForm, Finding, FindingList, NewFinding
from hepar.contracts.studies import STUDIES_PATH
from hepar.web.moments import Moment
from hepar.web.openapi import problems
from study_service.api.dependencies import PRINCIPAL, CallerDep, Dependencies, StudyId, VersionDep
from study_service.findings.store import Target

router = APIRouter(tags=["findings"], dependencies=[PRINCIPAL], responses=problems("unavailable"))

JSON_LINES = "application/jsonl"
_FINDINGS = f"{STUDIES_PATH}/{{study_id}}/findings"
_STUDY_PROBLEMS = ("no-such-study", "study-not-finished")
_EXAMPLE = CorrectionRecord.model_validate(example_of(CorrectionRecord)).model_dump_json() + "\n"
_LINES: dict[int | str, dict[str, Any]] = {
    200: {
        "content": {
            JSON_LINES: {
                "schema": {"type": "string", "description": "one JSON document per line"},
                "example": _EXAMPLE,
            }
        }
    }
}
FindingId = Annotated[str, Path(pattern="^[LR][1-9][0-9]{0,6}$", description="`id` of the finding")]
IfMatch = Annotated[
    str,
    Header(
        alias="If-Match",
        max_length=64,
        pattern='^"[^"]+"$',
        description="`etag` of what the caller has read, so that nobody overwrites what somebody else has changed",
    ),
]


@router.get(_FINDINGS, summary="List the findings of a study", responses=problems(*_STUDY_PROBLEMS))
async def list_findings(
    study_id: StudyId, response: Response, caller: CallerDep, dependencies: Dependencies, version: VersionDep = None
) -> FindingList:
    """Each finding with the models' answer, its state as readers left it, and the history of its corrections."""
    found = await dependencies.findings.read(caller, study_id, version)
    response.headers["ETag"] = found.etag
    return found


@router.post(
    _FINDINGS,
    summary="Add a finding",
    status_code=201,
    responses=problems(*_STUDY_PROBLEMS, "finding-changed", "correction-not-possible"),
)
async def add_finding(
    study_id: StudyId,
    form: NewFinding,
    response: Response,
    caller: CallerDep,
    dependencies: Dependencies,
    if_match: IfMatch,
    version: VersionDep = None,
) -> Finding:
    """A lesion that the models missed, measured on its outlines. `If-Match` is the `etag` of the list."""
    made = await dependencies.findings.add(caller, Target(study_id, version, if_match), form)
    response.headers["ETag"] = made.etag
    response.headers["Location"] = f"{STUDIES_PATH}/{study_id}/findings"
    return made


@router.post(
    f"{_FINDINGS}/{{finding_id}}/corrections",
    summary="Correct a finding",
    responses=problems(*_STUDY_PROBLEMS, "no-such-finding", "finding-changed", "correction-not-possible"),
)
async def correct_finding(
    study_id: StudyId,
    finding_id: FindingId,
    form: CorrectionForm,
    response: Response,
    caller: CallerDep,
    dependencies: Dependencies,
    if_match: IfMatch,
    version: VersionDep = None,
) -> Finding:
    """Saved at once with author and time, and never removed: an `undo` is an entry of its own. `If-Match` is the `etag`
    of the finding. A corrected outline changes the finding's axes, volume, centre and slices, and the summed volume of
    the lesions; slices without an outline keep the models' mask, and the liver's volume stays.
    """
    corrected = await dependencies.findings.correct(caller, Target(study_id, version, if_match), finding_id, form)
    response.headers["ETag"] = corrected.etag
    return corrected


@router.get("/v1/corrections", summary="Export corrections", response_class=Response, responses=_LINES)
async def export_corrections(
    caller: CallerDep,
    dependencies: Dependencies,
    since: Annotated[
        Moment | None, Query(description="only corrections made at this time or later, with its time zone")
    ] = None,
    deidentified: Annotated[
        bool, Query(description="with the ids of de-identified exports, and times shifted like dates there")
    ] = False,
) -> Response:
    """As JSON lines for training, oldest first: every correction of the studies that the caller may read, with the
    models' own answer, their names and versions. With the scope `all-studies`, of all studies. Comments are left out:
    they may name a patient. What leaves the hospital is exported with `deidentified=true`.
    """
    batches = dependencies.correction_export.batches(caller, since, deidentified=deidentified)
    first = await anext(batches)  # before the status is sent: it raises Unavailable

    async def content() -> AsyncIterator[bytes]:
        yield first
        async for lines in batches:
            yield lines

    return StreamingResponse(content(), media_type=JSON_LINES)
