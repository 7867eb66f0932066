"""Studies: sending, listing, reading, cancelling, analysing again, deleting."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from fastapi import APIRouter, Query, Request, Response

from hepar.contracts.studies import STUDIES_PATH, Priority, Study, StudyList, StudyStatus
from hepar.web.multipart import FORM
from hepar.web.openapi import problems
from hepar.web.query import WrittenDate
from study_service.api.body import BODY_PROBLEMS, FILE_FIELD, announced_bytes, received_file
from study_service.api.dependencies import PRINCIPAL, CallerDep, Dependencies, PageDep, StudyId
from study_service.documents import StudyFilter
from study_service.ingestion import INGESTION_PROBLEMS, UploadOptions

router = APIRouter(prefix=STUDIES_PATH, tags=["studies"], dependencies=[PRINCIPAL], responses=problems("unavailable"))

_FILE = {"type": "string", "format": "binary"}
_LINKS = {
    target: {"operationId": target, "parameters": {"study_id": "$response.body#/id"}}
    for target in (
        "get_study", "follow_study", "get_study_result", "cancel_study", "analyse_study_again", "delete_study",
    )
}  # fmt: skip
_BODY: dict[str, Any] = {
    "responses": {"202": {"links": _LINKS}},
    "requestBody": {
        "required": True,
        "description": f"The study, in parts named `{FILE_FIELD}`: a ZIP as exported from a PACS, many DICOM files, or "
        "one NIfTI volume in Hounsfield units (`.nii`, `.nii.gz`). What a file is, is detected from its bytes. The "
        "body may also be one such file itself, with a Content-Type of `application/zip`, `application/dicom` or "
        "`application/octet-stream`.",
        "content": {
            FORM: {
                "schema": {
                    "type": "object",
                    "required": [FILE_FIELD],
                    "properties": {FILE_FIELD: {"type": "array", "items": _FILE, "minItems": 1}},
                }
            }
        },
    },
}
SeriesChoice = Annotated[
    str | None,
    Query(
        min_length=1,
        max_length=64,
        pattern="^[A-Za-z0-9._-]+$",
        description="analyse this series (its `id` or its SeriesInstanceUID) instead of the one that the rules choose",
    ),
]


@router.post(
    "",
    summary="Send a study",
    status_code=202,
    response_model=Study,
    responses=problems(*BODY_PROBLEMS, *INGESTION_PROBLEMS, "quota-exceeded", "no-such-webhook"),
    openapi_extra=_BODY,
)
async def create_study(
    request: Request,
    response: Response,
    caller: CallerDep,
    dependencies: Dependencies,
    name: Annotated[
        str | None,
        Query(
            min_length=1,
            max_length=120,
            pattern=r"^[^\x00-\x1f\x7f]*$",
            description="a name of your own, by which you find the study",
        ),
    ] = None,
    series: SeriesChoice = None,
    priority: Annotated[Priority, Query(description="`urgent`: before the studies that wait")] = "normal",
    webhook: Annotated[
        str | None, Query(pattern="^[0-9a-f]{32}$", description="`id` of a webhook to be called for this study")
    ] = None,
) -> Study:
    """Checks and stores the files, and queues their analysis. A file that cannot be read is reported in the result; the
    study is refused where none can, where the files are of several patients, and where an archive is unsafe.

    A study that the caller sent before is recognised by its images: it keeps its id, and nothing is computed twice.
    With further images it gets a new version.
    """
    settings = dependencies.settings
    if webhook is not None:
        await dependencies.webhooks.require(caller, webhook)
    await dependencies.uploads.require_room(caller, announced_bytes(request))
    async with received_file(request, settings.spool_folder, settings.upload_bytes_max, settings.images_max) as file:
        options = UploadOptions(name=name, series=series, priority=priority, group=next(iter(caller.groups), None))
        study = await dependencies.ingestion.store(caller, file.path, file.size_bytes, options)
    if webhook is not None:
        await dependencies.webhooks.call_for(webhook, study.id)
    response.headers["Location"] = f"{STUDIES_PATH}/{study.id}"
    return study


@router.get("", summary="List studies")
async def list_studies(
    caller: CallerDep,
    dependencies: Dependencies,
    page: PageDep,
    accession: Annotated[
        str | None, Query(max_length=64, description="only studies with this accession number, as a whole")
    ] = None,
    date_from: Annotated[WrittenDate | None, Query(description="first day of the examination, YYYY-MM-DD")] = None,
    date_to: Annotated[WrittenDate | None, Query(description="last day of the examination, YYYY-MM-DD")] = None,
    status: Annotated[StudyStatus | None, Query(description="only studies with this status")] = None,
    label: Annotated[
        str | None, Query(max_length=64, description="only studies whose newest result has this type of tumour")
    ] = None,
    search: Annotated[
        str | None,
        Query(
            max_length=120,
            description="only studies with this name, accession number, pseudonym or id. Names and accession numbers "
            "are stored encrypted: they are found as a whole, whatever their case",
        ),
    ] = None,
    order: Annotated[
        Literal["newest", "attention"],
        Query(
            description="`attention`: failed ones first, then undecided or contradictory results, then tumours, then "
            "all others; within each, the newest first"
        ),
    ] = "newest",
) -> StudyList:
    """The caller's own and those of the caller's group; all of them with the scope `all-studies`. Newest first unless
    `order` asks for another order.
    """
    chosen = StudyFilter(
        status=status,
        label=label,
        accession_number=accession,
        study_date_from=date_from,
        study_date_to=date_to,
        search=search,
        order=order,
    )
    found, following = await dependencies.repository.page(caller, chosen, page)
    return StudyList(items=found, next=following)


@router.get("/{study_id}", summary="Read a study", responses=problems("no-such-study"))
async def get_study(study_id: StudyId, caller: CallerDep, dependencies: Dependencies) -> Study:
    """Its status, its progress and, once it is finished, its result in one line."""
    return await dependencies.repository.read(caller, study_id)


@router.delete("/{study_id}", summary="Delete a study", status_code=204, responses=problems("no-such-study"))
async def delete_study(study_id: StudyId, caller: CallerDep, dependencies: Dependencies) -> None:
    """Deletes its images, masks, results and identifiers; a running analysis stops. It cannot be undone. The access log
    keeps who deleted it and when.
    """
    for prefix in await dependencies.repository.delete(caller, study_id):
        await dependencies.objects.delete_prefix(prefix)


@router.post(
    "/{study_id}/cancel", summary="Cancel the analysis of a study", responses=problems("no-such-study", "study-ended")
)
async def cancel_study(study_id: StudyId, caller: CallerDep, dependencies: Dependencies) -> Study:
    """The study stays stored, and can be analysed again."""
    return await dependencies.repository.cancel(caller, study_id)


@router.post(
    "/{study_id}/analyses",
    summary="Analyse a study again",
    status_code=202,
    response_model=Study,
    responses=problems("no-such-study"),
)
async def analyse_study_again(
    study_id: StudyId, response: Response, caller: CallerDep, dependencies: Dependencies, series: SeriesChoice = None
) -> Study:
    """Queues a new version with the models of today. Results of earlier versions stay, with `?version=`."""
    study = await dependencies.repository.reanalyse(caller, study_id, series)
    response.headers["Location"] = f"{STUDIES_PATH}/{study.id}"
    return study
