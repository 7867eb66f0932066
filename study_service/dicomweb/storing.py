"""STOW-RS: an upload, study by study, and what became of each object (PS3.18, 10.5)."""

from __future__ import annotations

import asyncio
import zipfile
from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, Literal

from hepar.core.errors import ClientError, HeparError, InsufficientStorage
from hepar.imaging.dicom_json import JsonHeader
from hepar.imaging.study.instances import DicomObject, list_objects
from study_service.documents import Caller
from study_service.errors import QuotaExceeded
from study_service.ingestion import Ingestion, UploadOptions
from study_service.upload_reader import UploadReader

_CANNOT_UNDERSTAND, _OTHER_STUDY, _OUT_OF_RESOURCES, _PROCESSING_FAILURE = 0xC000, 0xA900, 0xA700, 0x0110
"""PS3.4, table B.2-1, and PS3.7, C.5."""
_PIECE_BYTES = 1024 * 1024


@dataclass
class StoreOutcome:
    """failed: with the reason of each.  refused: files that are no readable DICOM objects."""

    stored: list[DicomObject] = field(default_factory=list)
    failed: list[tuple[DicomObject, int]] = field(default_factory=list)
    refused: int = 0

    @property
    def status(self) -> Literal[200, 202, 409]:
        """All, some, or none was stored (PS3.18, table 10.5.3-1)."""
        if not self.stored:
            return 409
        return 202 if self.failed or self.refused else 200

    def document(self, studies_url: str) -> JsonHeader:
        """PS3.18, table 10.5.3-2. studies_url: of all studies."""
        found: JsonHeader = {}
        studies = {item.study_uid for item in self.stored}
        if len(studies) == 1:
            found["00081190"] = _attribute("UR", f"{studies_url}/{next(iter(studies))}")
        if self.failed:
            items = [_reference(item) | {"00081197": _attribute("US", reason)} for item, reason in self.failed]
            found["00081198"] = {"vr": "SQ", "Value": items}
        if self.stored:
            items = [_reference(item) | {"00081190": _attribute("UR", _url(studies_url, item))} for item in self.stored]
            found["00081199"] = {"vr": "SQ", "Value": items}
        if self.refused:
            reason = {"00081197": _attribute("US", _CANNOT_UNDERSTAND)}
            found["0008119A"] = {"vr": "SQ", "Value": [reason] * self.refused}
        return found


@dataclass(frozen=True)
class Storing:
    """quiet_s: how long a study waits for further objects before its analysis begins."""

    ingestion: Ingestion
    reader: UploadReader
    quiet_s: float

    async def store(self, caller: Caller, path: Path, group: str | None, study_uid: str | None) -> StoreOutcome:
        """path: a DICOM file or a ZIP, alone in a private folder.  study_uid: the only study that is accepted.

        Raises Unavailable and DeadlineExceeded.
        """
        listed = await self.reader.call(partial(list_objects, [path]))
        outcome = StoreOutcome(refused=listed.refused)
        studies: dict[str, list[DicomObject]] = {}
        for item in listed.objects:
            if not item.study_uid or not item.series_uid:
                outcome.failed.append((item, _CANNOT_UNDERSTAND))
            elif study_uid not in (None, item.study_uid):
                outcome.failed.append((item, _OTHER_STUDY))
            else:
                studies.setdefault(item.study_uid, []).append(item)
        is_whole = len(studies) == 1 and not outcome.failed
        for number, items in enumerate(studies.values()):
            part = path if is_whole else path.with_name(f"study-{number}")
            if part is not path:
                await asyncio.to_thread(_write_part, path, part, items)
            await self._store_study(outcome, caller, part, items, UploadOptions(group=group, quiet_s=self.quiet_s))
        return outcome

    async def _store_study(
        self, outcome: StoreOutcome, caller: Caller, path: Path, items: list[DicomObject], options: UploadOptions
    ) -> None:
        size_bytes = (await asyncio.to_thread(path.stat)).st_size
        try:
            await self.ingestion.store(caller, path, size_bytes, options)
        except (ClientError, InsufficientStorage) as error:
            outcome.failed += [(item, _reason(error)) for item in items]
        else:
            outcome.stored += items


def _reason(error: HeparError) -> int:
    if isinstance(error, QuotaExceeded | InsufficientStorage):
        return _OUT_OF_RESOURCES
    return _PROCESSING_FAILURE


def _write_part(whole: Path, part: Path, items: Iterable[DicomObject]) -> None:
    """A ZIP of some files of an upload. Their sizes were checked when they were listed."""
    with whole.open("rb") as source, zipfile.ZipFile(part, "w", zipfile.ZIP_STORED) as archive:
        for number, item in enumerate(items, start=1):
            source.seek(item.extent.start)
            with archive.open(f"{number:06}.dcm", "w") as target:
                left = item.extent.stored_bytes
                while left > 0 and (piece := source.read(min(left, _PIECE_BYTES))):
                    left -= len(piece)
                    target.write(piece)


def _reference(item: DicomObject) -> JsonHeader:
    return {"00081150": _attribute("UI", item.sop_class_uid), "00081155": _attribute("UI", item.sop_instance_uid)}


def _url(studies_url: str, item: DicomObject) -> str:
    return f"{studies_url}/{item.study_uid}/series/{item.series_uid}/instances/{item.sop_instance_uid}"


def _attribute(vr: str, value: str | int) -> dict[str, Any]:
    return {"vr": vr, "Value": [value]}
