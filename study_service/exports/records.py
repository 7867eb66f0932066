"""What an export of a study is made from, and its entry in the access log."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime

from hepar.contracts.study_results import StudyResult
from hepar.storage.database import Database
from hepar.storage.encryption import KeyRing
from study_service.accesses import record_access
from study_service.documents import AnalysedVersion, Caller, StudyFiles
from study_service.errors import StudyNotFinished
from study_service.stored_studies import analysed_version, result_of, stored_result, study_files
from study_service.visibility import visible_study


@dataclass(frozen=True)
class ExportRecords:
    """Both methods raise NoSuchStudy for what the caller may not see, and Unavailable."""

    database: Database
    keys: KeyRing = field(repr=False)
    now: Callable[[], datetime] = lambda: datetime.now(UTC)

    async def source(
        self, caller: Caller, study_id: str, version: int | None
    ) -> tuple[AnalysedVersion, StudyFiles, StudyResult]:
        """Raises StudyNotFinished. Nothing of it leaves before `record` has recorded it."""
        async with self.database.reading() as session:
            study = await visible_study(session, caller, study_id)
            stored = await stored_result(session, study, version)
            if stored is None:
                raise StudyNotFinished(f"the study is {study.status}")
            files = await study_files(session, self.keys, study)
            return analysed_version(self.keys, study, stored), files, result_of(self.keys, study, stored)

    async def record(self, caller: Caller, study_id: str, version: int, **options: str) -> None:
        async with self.database.writing() as session:
            await visible_study(session, caller, study_id)
            await record_access(session, "exported", caller, study_id, self.now(), version=version, **options)
