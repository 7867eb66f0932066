"""Answers made from a finished version of a study. It never changes, so what an answer is made from identifies it."""

from __future__ import annotations

import hashlib
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Annotated, Any

from fastapi import Depends, Header, Response

from study_service.analysed_volume import AnalysedVolume
from study_service.api.dependencies import CallerDep, Dependencies, StudyDependencies, StudyId, VersionDep
from study_service.documents import AccessEvent, Caller

NOT_MODIFIED: dict[int | str, dict[str, Any]] = {304: {"description": "The caller has it: `If-None-Match` is its ETag"}}
_CACHE_CONTROL = "private, no-cache"
"""A browser may keep it, and asks each time whether its reader may still see it."""


@dataclass(frozen=True)
class VersionRequest:
    """version: the newest that is finished where it is None.  if_none_match: the ETag of what the caller has."""

    study_id: str
    version: int | None
    caller: Caller
    dependencies: StudyDependencies
    if_none_match: str | None = None

    async def picture(
        self,
        access: AccessEvent,
        index: int | None,
        made_from: str,
        make: Callable[[AnalysedVolume], Awaitable[Response]],
    ) -> Response:
        """access: how it is recorded.  index: of a slice.  made_from: what tells it from others of this version."""
        repository, objects = self.dependencies.repository, self.dependencies.objects
        stored = await repository.analysed(self.caller, self.study_id, self.version, access, index)
        volume = AnalysedVolume(objects, stored.data_key, self.study_id, stored.version)
        return await self.unchanging(f"{made_from} {stored.version} {index}", lambda: make(volume))

    async def unchanging(self, made_from: str, make: Callable[[], Awaitable[Response]]) -> Response:
        """304 where the caller has it. made_from: what tells the answer from others of this study."""
        digest = hashlib.sha256(f"{self.study_id} {made_from}".encode()).hexdigest()
        etag = f'"{digest[:32]}"'
        response = Response(status_code=304) if self.if_none_match == etag else await make()
        response.headers.update({"Cache-Control": _CACHE_CONTROL, "ETag": etag})
        return response


async def _version_request(
    study_id: StudyId,
    caller: CallerDep,
    dependencies: Dependencies,
    version: VersionDep = None,
    if_none_match: Annotated[
        str | None, Header(alias="If-None-Match", max_length=200, description="the ETag of what the caller has")
    ] = None,
) -> VersionRequest:
    return VersionRequest(study_id, version, caller, dependencies, if_none_match)


VersionRequestDep = Annotated[VersionRequest, Depends(_version_request)]
