"""study_service's API for tests: small CT series to send, and the running service."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx2
import numpy as np
from fastapi.testclient import TestClient
from pydicom.uid import UID, generate_uid

from study_service.app import create_app
from study_service.settings import StudySettings
from tests.support.pictures import ct_dataset, dicom_bytes
from tests.support.tokens import TokenAuthority

SCOPE = "studies"
ZIP = {"content-type": "application/zip"}


def ct_files(
    count: int = 6,
    *,
    first: int = 0,
    study_uid: str | None = None,
    series_uid: str | None = None,
    patient: str = "4711",
    accession: str = "A-1042",
    size: int = 64,
) -> list[bytes]:
    """Axial slices 5 mm apart from position `first` on; the same UIDs for the same study_uid and position."""
    study_uid = study_uid or generate_uid()
    files = []
    for index in range(first, first + count):
        hu = np.tile(np.linspace(-100, 200, size).astype(np.int32) + index, (size, 1))
        dataset = ct_dataset(hu)
        dataset.SOPInstanceUID = dataset.file_meta.MediaStorageSOPInstanceUID = UID(f"{study_uid[:50]}.{index + 1}")
        dataset.StudyInstanceUID, dataset.SeriesInstanceUID = study_uid, series_uid or f"{study_uid[:50]}.0"
        dataset.PatientID, dataset.PatientName = patient, "Curie^Marie"
        dataset.AccessionNumber, dataset.StudyDate = accession, "20261120"
        dataset.SeriesNumber, dataset.InstanceNumber = 2, index + 1
        dataset.SeriesDescription, dataset.ImageType = "Abdomen portal venous", ["ORIGINAL", "PRIMARY", "AXIAL"]
        dataset.ConvolutionKernel, dataset.SliceThickness = "B30f", "5"
        dataset.ImagePositionPatient = ["-20", "-20", str(5 * index)]
        dataset.FrameOfReferenceUID = f"{study_uid[:50]}.9999"
        files.append(dicom_bytes(dataset))
    return files


def zipped(files: Sequence[bytes]) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for number, content in enumerate(files):
            archive.writestr(f"IM{number:04}", content)
    return buffer.getvalue()


def parts(files: Sequence[bytes]) -> list[tuple[str, tuple[str, bytes]]]:
    return [("file", ("slice.dcm", content)) for content in files]


@dataclass(frozen=True)
class StudyApi:
    """client: of the service, without the gateway."""

    client: TestClient
    authority: TokenAuthority
    settings: StudySettings

    def headers(self, subject: str = "ann", scope: str = SCOPE, group: str | None = None) -> dict[str, str]:
        return {"authorization": f"Bearer {self.authority.issuer.issue(subject, scope, group=group)}"}

    def call(self, method: str, path: str, subject: str = "ann", **more: Any) -> httpx2.Response:  # noqa: ANN401
        headers = self.headers(subject) | more.pop("headers", {})
        return self.client.request(method, path, headers=headers, **more)

    def send(self, files: Sequence[bytes], subject: str = "ann", **params: str) -> dict[str, Any]:
        answer = self.call("POST", "/v1/studies", subject, params=params, content=zipped(files), headers=ZIP)
        assert answer.status_code == 202, answer.text
        document: dict[str, Any] = answer.json()
        return document

    def stored_files(self) -> list[Path]:
        """Objects, and uploads that are still being checked."""
        folders = (Path(self.settings.objects_url), self.settings.spool_folder)
        return [file for folder in folders for file in folder.rglob("*") if file.is_file()]


def study_settings(folder: Path, auth_url: str, **changes: object) -> StudySettings:
    own = {
        "database_url": f"sqlite+aiosqlite:///{folder / 'studies.sqlite3'}",
        "objects_url": str(folder / "objects"),
        "key_file": folder / "study.keys",
        "spool_folder": folder / "spool",
        "auth_url": auth_url,
    }
    return StudySettings.model_validate(own | changes)


@contextmanager
def study_api(folder: Path, authority: TokenAuthority, **changes: object) -> Iterator[StudyApi]:
    settings = study_settings(folder, authority.url, **changes)
    with TestClient(create_app(settings), base_url="http://127.0.0.1") as client:
        yield StudyApi(client, authority, settings)
