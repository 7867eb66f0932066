"""Studies that are read from configured archives by WADO-RS (PS3.18, 10.4.1.1.1)."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from email.message import Message

import httpx

from hepar.core.errors import BadUpstream, DeadlineExceeded, Forbidden, InvalidRequest, Unavailable
from hepar.serving.study_reader import UnreadableStudyUpload, UnsafeArchiveUpload
from study_service.destinations.configuration import ConfiguredDestination, DicomWebDestination
from study_service.dicomweb.accept import DICOM, MULTIPART
from study_service.dicomweb.client import DicomWebClient
from study_service.documents import Caller
from study_service.errors import NoSuchDestination, NoSuchStudy

_ACCEPT = f'{MULTIPART}; type="{DICOM}"; transfer-syntax=*'
_NOT_THERE = (204, 404, 410)


@dataclass(frozen=True)
class ArchivedParts:
    """The body of an archive's answer, still to be read, and the boundary of its parts."""

    chunks: AsyncIterator[bytes]
    boundary: str


class Archives:
    """Those of kind `dicomweb`; each names the accounts that may fetch studies from it."""

    def __init__(self, configured: Iterable[ConfiguredDestination], fetch_s: float) -> None:
        """fetch_s: for one study. Raises OSError for certificates that cannot be used."""
        self._fetch_s = fetch_s
        self._archives = {item.name: item for item in configured if isinstance(item, DicomWebDestination)}
        self._clients = {name: DicomWebClient(item) for name, item in self._archives.items()}

    @asynccontextmanager
    async def study(self, caller: Caller, name: str, study_uid: str) -> AsyncIterator[ArchivedParts]:
        """All objects of a study, as the archive stores them.

        Raises NoSuchDestination, Forbidden, NoSuchStudy, Unavailable, DeadlineExceeded, and BadUpstream, also where the
        block refuses what the archive sent.
        """
        archive = self._archives.get(name)
        if archive is None:
            raise NoSuchDestination
        if not archive.may_fetch(caller.subject):
            raise Forbidden("the operator does not allow this account to fetch studies from this archive")
        client, path = self._clients[name], f"/studies/{study_uid}"
        try:
            async with asyncio.timeout(self._fetch_s), client.request("GET", path, {"accept": _ACCEPT}) as answer:
                yield ArchivedParts(answer.aiter_bytes(), _boundary(answer))
        except TimeoutError as error:
            raise DeadlineExceeded(f"the archive did not send the study within {self._fetch_s:g} s") from error
        except httpx.HTTPError as error:
            raise Unavailable("the archive does not answer") from error
        except (InvalidRequest, UnreadableStudyUpload, UnsafeArchiveUpload) as error:
            raise BadUpstream(f"what the archive sends is not accepted: {error.detail}") from error


def _boundary(answer: httpx.Response) -> str:
    if answer.status_code in _NOT_THERE:
        raise NoSuchStudy("the archive has no such study")
    if answer.status_code != httpx.codes.OK:
        raise BadUpstream(f"the archive answers with status {answer.status_code}")
    message = Message()
    message["content-type"] = answer.headers.get("content-type", "")
    boundary = message.get_param("boundary")
    if message.get_content_type() != MULTIPART or not isinstance(boundary, str):
        raise BadUpstream("the archive does not answer with parts")
    return boundary
