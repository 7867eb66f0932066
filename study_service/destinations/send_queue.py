"""Sends what is due, to each destination one study after the other; several processes may do so at the same time."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime

from sqlalchemy import delete, update

from hepar.core.errors import HeparError
from hepar.core.metrics import STUDY_SENDS
from hepar.storage.database import Database
from hepar.storage.encryption import KeyRing
from study_service.accesses import record_access
from study_service.destinations.registry import Target
from study_service.destinations.sender import SendFailed
from study_service.destinations.tables import StoredSend
from study_service.findings.results import read_result
from study_service.outbox import RetryRules, claim_due
from study_service.result_files import ResultFiles
from study_service.stored_studies import analysed_version, stored_result
from study_service.tables import StoredStudy

_log = logging.getLogger(__name__)
_SEND_S = 600.0
RETRIES = RetryRules(first_s=30, factor=2, longest_s=3600, attempts_max=80, attempt_s=2 * _SEND_S)
"""Over three days; an administrator can retry what was given up."""
_REASON_LENGTH_MAX = 300


@dataclass(frozen=True)
class SendQueue:
    """Of one destination."""

    target: Target
    database: Database
    keys: KeyRing
    files: ResultFiles
    now: Callable[[], datetime] = field(default=lambda: datetime.now(UTC))

    async def send_next(self) -> bool:
        """False where nothing was due. Raises Unavailable."""
        async with self.database.writing() as session:
            mine = (StoredSend.destination == self.target.name) & (StoredSend.status == "waiting")
            send = await claim_due(session, StoredSend, RETRIES, self.now(), mine)
            if send is None:
                return False
            if send.attempts == 1:  # a send that breaks off may have left something there
                details = {"destination": self.target.name, "version": send.version}
                await record_access(session, "sending", None, send.study_id, self.now(), **details)
        try:
            await self._send(send)
        except SendFailed as error:
            await self._record_failure(send, error)
        else:
            await self._record_success(send)
        return True

    async def _send(self, send: StoredSend) -> None:
        """Raises SendFailed, whatever happened."""
        try:
            outputs = await self._outputs(send)
            if not outputs:
                raise _NothingToSend  # noqa: TRY301
            async with asyncio.timeout(_SEND_S):
                await self.target.sender.send(outputs)
        except SendFailed:
            raise
        except TimeoutError as error:
            raise SendFailed(f"sending took more than {_SEND_S:.0f} s") from error
        except HeparError as error:
            raise SendFailed(f"the files cannot be made at the moment: {error.detail}") from error
        except Exception as error:  # whatever one study does to its sender, the others are sent
            raise SendFailed(f"unexpected error: {type(error).__name__}", permanent=True) from error

    async def _outputs(self, send: StoredSend) -> dict[str, bytes]:
        """Empty where the study has none of the files, or is gone."""
        async with self.database.reading() as session:
            study = await session.get(StoredStudy, send.study_id)
            stored = None if study is None else await stored_result(session, study, send.version)
            if study is None or stored is None:
                return {}
            version = analysed_version(self.keys, study, stored)
            result = await read_result(session, self.keys, study, stored)
        language = send.language or self.target.language
        return await self.files.make(version, result, self.target.files, language, tuple(send.key_slices))

    async def _record_success(self, send: StoredSend) -> None:
        values = {"status": "sent", "ended_at": self.now(), "reason": None}
        async with self.database.writing() as session:
            await session.execute(update(StoredSend).where(StoredSend.id == send.id).values(values))
            details = {"destination": self.target.name, "version": send.version}
            await record_access(session, "sent", None, send.study_id, self.now(), **details)
        STUDY_SENDS.labels(self.target.name, "sent").inc()

    async def _record_failure(self, send: StoredSend, error: SendFailed) -> None:
        this = StoredSend.id == send.id
        given_up = error.permanent or send.attempts >= RETRIES.attempts_max
        values: dict[str, object] = {"reason": error.reason[:_REASON_LENGTH_MAX]}
        if given_up:
            values |= {"status": "failed", "ended_at": self.now()}
        else:
            values["due_at"] = self.now() + RETRIES.after(send.attempts)
        async with self.database.writing() as session:
            if isinstance(error, _NothingToSend) and send.requested_by is None:
                await session.execute(delete(StoredSend).where(this))
                return
            await session.execute(update(StoredSend).where(this).values(values))
        STUDY_SENDS.labels(self.target.name, "failed" if given_up else "waiting").inc()
        facts = {"destination": self.target.name, "study": send.study_id, "reason": error.reason}
        _log.log(logging.ERROR if given_up else logging.WARNING, "a study was not sent", extra=facts)


class _NothingToSend(SendFailed):
    """Such as a study sent as NIfTI, for an archive. Nobody needs to know where it was automatic."""

    def __init__(self) -> None:
        super().__init__("the study has none of the files of this destination", permanent=True)
