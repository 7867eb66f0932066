"""Destinations and their queues, for administrators; their names, for everybody."""

from __future__ import annotations

import time
from typing import Annotated

from fastapi import APIRouter, Path, Query, Response

from hepar.contracts.destinations import (
    DESTINATIONS_PATH,
    SENDS_PATH,
    Destination,
    DestinationList,
    DestinationName,
    DestinationQueue,
    DestinationTest,
    FetchRequest,
    RetriedSends,
    Send,
    SendList,
    SendStatus,
)
from hepar.contracts.studies import STUDIES_PATH, Study
from hepar.web.openapi import problems
from study_service.api.body import received_parts
from study_service.api.dependencies import (
    ADMINISTRATOR,
    PRINCIPAL,
    UUID_PATTERN,
    CallerDep,
    Dependencies,
    PageDep,
)
from study_service.destinations.sender import SendFailed
from study_service.ingestion import UploadOptions

router = APIRouter(tags=["destinations"], dependencies=[PRINCIPAL], responses=problems("unavailable"))
Name = Annotated[DestinationName, Path(description="`name` of the destination")]


@router.get(DESTINATIONS_PATH, summary="List destinations")
async def list_destinations(caller: CallerDep, dependencies: Dependencies) -> DestinationList:
    """The archives and record systems that the operator configured. Administrators (scope `all-studies`) also see what
    waits for each, and what it did not take.
    """
    queues = await dependencies.sends.queues() if caller.administrator else {}
    empty = DestinationQueue(waiting=0, failed=0)
    return DestinationList(
        items=[
            Destination(
                name=target.name,
                kind=target.kind,
                title=target.title,
                files=list(target.files),
                queue=queues.get(target.name, empty) if caller.administrator else None,
            )
            for target in dependencies.destinations.all()
        ]
    )


@router.post(
    f"{DESTINATIONS_PATH}/{{destination_name}}/test",
    summary="Test a destination",
    dependencies=[ADMINISTRATOR],
    responses=problems("no-such-destination"),
)
async def test_destination(destination_name: Name, dependencies: Dependencies) -> DestinationTest:
    """Whether it answers and lets Hepar in: C-ECHO for DICOM, a query or the capabilities over HTTP. Nothing is stored
    there.
    """
    target = dependencies.destinations.find(destination_name)
    began, reason = time.monotonic(), None
    try:
        await target.sender.test()
    except SendFailed as error:
        reason = error.reason
    return DestinationTest(reachable=reason is None, reason=reason, duration_s=round(time.monotonic() - began, 3))


@router.post(
    f"{DESTINATIONS_PATH}/{{destination_name}}/retry",
    summary="Retry all failed sends to a destination",
    dependencies=[ADMINISTRATOR],
    responses=problems("no-such-destination"),
)
async def retry_destination(destination_name: Name, caller: CallerDep, dependencies: Dependencies) -> RetriedSends:
    """They wait again, with as many attempts as new ones. For instance after a fault of the archive was corrected."""
    target = dependencies.destinations.find(destination_name)
    return RetriedSends(retried=await dependencies.sends.retry_all(caller, target.name))


@router.post(
    f"{DESTINATIONS_PATH}/{{destination_name}}/fetches",
    summary="Fetch a study from an archive",
    status_code=202,
    response_model=Study,
    responses=problems("no-such-destination", "no-such-study", "insufficient-storage", "quota-exceeded"),
)
async def fetch_study(
    destination_name: Name, form: FetchRequest, response: Response, caller: CallerDep, dependencies: Dependencies
) -> Study:
    """Reads it by DICOMweb (WADO-RS) and queues its analysis, as if the caller had sent it. Only from archives of the
    kind `dicomweb`, and only for accounts that the operator allows to do so. A study that was fetched before is
    recognised by its images.
    """
    settings = dependencies.settings
    await dependencies.uploads.require_room(caller, 0)
    limits = settings.spool_folder, settings.upload_bytes_max, settings.images_max
    async with (
        dependencies.dicomweb.archives.study(caller, destination_name, form.study_uid) as parts,
        received_parts(parts.chunks, parts.boundary, *limits) as file,
    ):
        options = UploadOptions(group=next(iter(caller.groups), None), quiet_s=0.0)
        study = await dependencies.ingestion.store(caller, file.path, file.size_bytes, options)
    response.headers["Location"] = f"{STUDIES_PATH}/{study.id}"
    return study


@router.get(SENDS_PATH, summary="List sends of all studies", dependencies=[ADMINISTRATOR])
async def list_sends(
    dependencies: Dependencies,
    page: PageDep,
    status: Annotated[SendStatus | None, Query(description="only sends with this status")] = None,
    destination: Annotated[DestinationName | None, Query(description="only sends to this destination")] = None,
) -> SendList:
    """Newest first. With `status=failed`, those that are not attempted again."""
    found, following = await dependencies.sends.page(page, status=status, destination=destination)
    return SendList(items=found, next=following)


@router.post(
    f"{SENDS_PATH}/{{send_id}}/retry",
    summary="Retry a failed send",
    dependencies=[ADMINISTRATOR],
    responses=problems("no-such-send", "send-not-failed"),
)
async def retry_send(
    send_id: Annotated[str, Path(pattern=UUID_PATTERN, description="`id` of the send")],
    caller: CallerDep,
    dependencies: Dependencies,
) -> Send:
    """It waits again, with as many attempts as a new one."""
    return await dependencies.sends.retry(caller, send_id)
