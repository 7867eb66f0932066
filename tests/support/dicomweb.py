"""A study that was sent by STOW-RS and analysed, in a running study_service, for tests of DICOMweb."""

from __future__ import annotations

import io
import uuid
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from email.message import Message
from pathlib import Path
from typing import Any

import httpx
import pydicom

from study_service.app import create_app
from study_service.settings import StudySettings
from tests.support.finished_studies import GEOMETRY, finish_study
from tests.support.serving import serving
from tests.support.study_api import SCOPE, ct_files, study_settings
from tests.support.tokens import TokenAuthority

STUDY_UID = "1.2.826.0.1.3680043.8.498.77"
SERIES_UID = f"{STUDY_UID}.0"
SLICES = GEOMETRY.shape[0]
STUDIES = "/dicom-web/studies"


@dataclass(frozen=True)
class DicomWebServer:
    """url: of study_service, without the gateway."""

    url: str
    authority: TokenAuthority
    settings: StudySettings

    def headers(self, subject: str = "ann", scope: str = SCOPE, group: str | None = None) -> dict[str, str]:
        return {"authorization": f"Bearer {self.authority.issuer.issue(subject, scope, group=group)}"}

    def get(self, path: str, subject: str = "ann", accept: str | None = None, **params: str) -> httpx.Response:
        headers = self.headers(subject) | ({"accept": accept} if accept else {})
        url = httpx.URL(f"{self.url}{STUDIES}{path}").copy_merge_params(params)
        return httpx.get(url, headers=headers, timeout=60, trust_env=False)

    def stow(self, files: Sequence[bytes], subject: str = "ann", path: str = "") -> httpx.Response:
        content, headers = related(files)
        headers |= self.headers(subject)
        return httpx.post(f"{self.url}{STUDIES}{path}", content=content, headers=headers, timeout=60, trust_env=False)


@contextmanager
def dicomweb_server(folder: Path, authority: TokenAuthority, **changes: object) -> Iterator[DicomWebServer]:
    settings = study_settings(folder, authority.url, **{"quiet_s": 0, **changes})
    with serving(create_app(settings)) as url:
        yield DicomWebServer(url, authority, settings)


def analysed_study(server: DicomWebServer, subject: str = "ann", study_uid: str = STUDY_UID) -> list[bytes]:
    """Sends and finishes a study; returns its files."""
    files = ct_files(SLICES, study_uid=study_uid)
    assert server.stow(files, subject).status_code == 200
    answer = httpx.get(f"{server.url}/v1/studies", headers=server.headers(subject), trust_env=False, timeout=60)
    study_id = answer.json()["items"][0]["id"]
    images = [dataset(content) for content in files]
    finish_study(
        server.settings,
        study_id,
        [str(image.SOPInstanceUID) for image in images],
        series_uid=str(images[0].SeriesInstanceUID),
        frame_of_reference_uid=str(images[0].FrameOfReferenceUID),
    )
    return files


def dataset(content: bytes) -> pydicom.FileDataset:
    return pydicom.dcmread(io.BytesIO(content))


def related(files: Sequence[bytes], media_type: str = "application/dicom") -> tuple[bytes, dict[str, str]]:
    """The body of a multipart/related request, and its headers."""
    boundary = uuid.uuid4().hex
    head = f"--{boundary}\r\nContent-Type: {media_type}\r\n\r\n".encode()
    body = b"".join(head + content + b"\r\n" for content in files) + f"--{boundary}--\r\n".encode()
    return body, {"content-type": f'multipart/related; type="{media_type}"; boundary={boundary}'}


def parts_of(answer: httpx.Response) -> list[tuple[str, bytes]]:
    """Content-Type and content of the parts of an answer."""
    message = Message()
    message["content-type"] = answer.headers["content-type"]
    assert message.get_content_type() == "multipart/related", answer.text[:500]
    delimiter = b"--" + str(message.get_param("boundary")).encode()
    pieces = (b"\r\n" + answer.content).split(b"\r\n" + delimiter)
    assert pieces[-1] == b"--\r\n"
    found = []
    for piece in pieces[1:-1]:
        head, _, content = piece.removeprefix(b"\r\n").partition(b"\r\n\r\n")
        found.append((head.decode().partition(": ")[2], content))
    return found


def values(item: Mapping[str, Any], tag: str) -> list[Any]:
    return list(item.get(tag, {}).get("Value", []))
