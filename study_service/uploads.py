"""Uploads that became studies: new ones, late images of one, or the same again."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from sqlalchemy import func, select, text
from sqlalchemy.ext.asyncio import AsyncSession

from hepar.core.errors import InvalidRequest
from hepar.storage.database import Database
from hepar.storage.encryption import KeyRing
from study_service.accesses import record_access
from study_service.documents import Caller, NewStudy, PatientIdentifiers, ReceivedState, ReceivedStudy, Upload
from study_service.errors import QuotaExceeded
from study_service.stored_studies import queue_next_version, search_hash, study_document
from study_service.tables import StoredInstance, StoredObject, StoredStudy, StoredUpload


@dataclass(frozen=True)
class AccountQuota:
    """What one account may keep."""

    bytes_max: int
    studies_max: int


class Uploads:
    """All methods raise Unavailable where the database does not answer."""

    def __init__(
        self,
        database: Database,
        keys: KeyRing,
        quota: AccountQuota,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._database = database
        self._keys = keys
        self._quota = quota
        self._now = now

    def new_upload(self) -> Upload:
        """Before the first byte is stored; nothing is written to the database yet."""
        return Upload(str(uuid.uuid4()), *self._keys.new_data_key())

    async def require_room(self, caller: Caller, size_bytes: int) -> None:
        """Before an upload begins. Raises QuotaExceeded."""
        async with self._database.reading() as session:
            await self._require_room(session, caller.subject, size_bytes, more=1)

    async def is_known(self, caller: Caller, study_uid: str | None) -> bool:
        """Whether the account has sent images of this study."""
        if study_uid is None:
            return False
        key = self._keys.keyed_hash("study", study_uid)
        same = (StoredStudy.owner == caller.subject) & (StoredStudy.study_key == key)
        async with self._database.reading() as session:
            return await session.scalar(select(StoredStudy.id).where(same)) is not None

    async def receive(self, caller: Caller, new: NewStudy) -> ReceivedStudy:
        """Stores a checked upload as a new study, as late images of one, or recognises it. Raises QuotaExceeded."""
        identity = new.identifiers.study_uid or next(iter(new.instances))
        study_key = self._keys.keyed_hash("study", identity)
        hashes = {self._keys.keyed_hash("instance", uid) for uid in new.instances}
        async with self._database.writing() as session:
            await _exclude_other_uploads(session, caller.subject)
            same = (StoredStudy.owner == caller.subject) & (StoredStudy.study_key == study_key)
            study = (await session.scalars(select(StoredStudy).where(same).with_for_update())).one_or_none()
            if study is None:
                await self._require_room(session, caller.subject, new.size_bytes, more=1)
                study = self._created(caller, new, study_key)
                state: ReceivedState = "new"
                session.add(study)
                await session.flush()
                await self._attach(session, study, new, hashes)
                await record_access(session, "created", caller, study.id, self._now())
            else:
                state = await self._received_again(session, caller, study, new, hashes)
            return ReceivedStudy(study_document(self._keys, study), state)

    def _created(self, caller: Caller, new: NewStudy, study_key: str) -> StoredStudy:
        now, study_id = self._now(), str(uuid.uuid4())
        data_key, wrapped_key = self._keys.new_data_key()
        known = new.identifiers
        return StoredStudy(
            id=study_id, owner=caller.subject, group_id=new.group, created_at=now, updated_at=now,
            status="queued", priority=new.priority, version=1, series_choice=new.series, data_key=wrapped_key,
            identifiers=data_key.encrypt(known.to_bytes(), f"identifiers {study_id}"), study_key=study_key,
            accession_hash=search_hash(self._keys, "accession", known.accession_number),
            name_hash=search_hash(self._keys, "name", known.name_given),
            patient_pseudonym=self._pseudonym(known), study_date=new.study_date,
            images=0, size_bytes=0, stage="queued", slices_done=0, due_at=now + timedelta(seconds=new.quiet_s), tries=0,
        )  # fmt: skip

    async def _received_again(
        self, session: AsyncSession, caller: Caller, study: StoredStudy, new: NewStudy, hashes: set[str]
    ) -> ReceivedState:
        pseudonym = self._pseudonym(new.identifiers)
        if pseudonym != study.patient_pseudonym:
            raise InvalidRequest("the study is stored already, as one of another patient")
        of_study = select(StoredInstance.uid_hash).where(StoredInstance.study_id == study.id)
        late = hashes - set((await session.scalars(of_study)).all())
        if late:
            await self._require_room(session, caller.subject, new.size_bytes, more=0)
            if study.status != "queued" or study.tries > 0:
                queue_next_version(study, self._now())
            study.due_at = max(study.due_at, self._now() + timedelta(seconds=new.quiet_s))
            await self._attach(session, study, new, late)
        elif study.status in ("failed", "cancelled") or new.series not in (None, study.series_choice):
            study.series_choice = new.series or study.series_choice
            queue_next_version(study, self._now())
        if new.priority == "urgent":
            study.priority = "urgent"
        study.updated_at = self._now()
        await record_access(session, "extended" if late else "sent_again", caller, study.id, self._now())
        return "extended" if late else "known"

    async def _attach(self, session: AsyncSession, study: StoredStudy, new: NewStudy, hashes: set[str]) -> None:
        upload = new.upload
        session.add(
            StoredUpload(
                id=upload.id,
                study_id=study.id,
                version=study.version,
                data_key=upload.wrapped_key,
                created_at=self._now(),
            )
        )
        await session.flush()
        for position, item in enumerate(new.objects):
            row = StoredObject(upload_id=upload.id, position=position)
            row.key, row.kind, row.size_bytes = item.key, item.kind, item.size_bytes
            session.add(row)
        session.add_all(StoredInstance(study_id=study.id, uid_hash=hashed) for hashed in sorted(hashes))
        study.images += new.images if study.images == 0 else len(hashes)
        study.size_bytes += new.size_bytes
        await session.flush()

    async def _require_room(self, session: AsyncSession, owner: str, size_bytes: int, more: int) -> None:
        used = select(func.count(), func.coalesce(func.sum(StoredStudy.size_bytes), 0)).where(
            StoredStudy.owner == owner
        )
        studies, stored_bytes = (await session.execute(used)).one()
        if studies + more > self._quota.studies_max:
            raise QuotaExceeded(f"an account may keep {self._quota.studies_max} studies")
        if stored_bytes + size_bytes > self._quota.bytes_max:
            raise QuotaExceeded(
                f"an account may keep {self._quota.bytes_max} bytes; {stored_bytes} are used, {size_bytes} needed"
            )

    def _pseudonym(self, known: PatientIdentifiers) -> str | None:
        return self._keys.pseudonym(known.patient_id, known.issuer or "") if known.patient_id else None


async def _exclude_other_uploads(session: AsyncSession, owner: str) -> None:
    """Of the same account, until the end of the transaction. SQLite has one writer anyway."""
    if session.get_bind().dialect.name == "postgresql":
        await session.execute(text("SELECT pg_advisory_xact_lock(4275, hashtext(:owner))"), {"owner": owner})
