"""The webhooks of an account."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from datetime import UTC, datetime

from sqlalchemy import delete, func, select

from hepar.contracts.study_events import WEBHOOKS_MAX, Webhook, WebhookRegistration
from hepar.core.errors import InvalidField, InvalidRequest
from hepar.storage.database import Database
from hepar.storage.encryption import KeyRing
from study_service.documents import Caller
from study_service.errors import NoSuchWebhook, TooManyWebhooks
from study_service.webhooks.signatures import new_secret
from study_service.webhooks.tables import StoredStudyWebhook, StoredWebhook
from study_service.webhooks.targets import TargetRefused, TargetRules


class Webhooks:
    """An account sees and uses its own only. All methods raise Unavailable where the database does not answer."""

    def __init__(
        self,
        database: Database,
        keys: KeyRing,
        rules: TargetRules,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._database = database
        self._keys = keys
        self._rules = rules
        self._now = now

    async def register(self, caller: Caller, form: WebhookRegistration) -> Webhook:
        """With its secret, which is not returned again. Raises InvalidRequest and TooManyWebhooks."""
        try:
            self._rules.check_url(form.url)
        except TargetRefused as error:
            raise InvalidRequest(f"url: {error}", InvalidField("body", "/url", "not_allowed", str(error))) from error
        webhook_id, secret = uuid.uuid4().hex, new_secret()
        key, wrapped = self._keys.new_data_key()
        row = StoredWebhook(id=webhook_id, owner=caller.subject, url=form.url, every_study=form.every_study)
        row.events, row.created_at, row.failed_attempts = sorted(set(form.events)), self._now(), 0
        row.data_key, row.secret = wrapped, key.encrypt(secret.encode(), f"webhook {webhook_id}")
        async with self._database.writing() as session:
            owned = select(func.count()).where(StoredWebhook.owner == caller.subject)
            if (await session.scalar(owned) or 0) >= WEBHOOKS_MAX:
                raise TooManyWebhooks(f"an account may have {WEBHOOKS_MAX} webhooks")
            session.add(row)
        return _document(row).model_copy(update={"secret": secret})

    async def list(self, caller: Caller) -> list[Webhook]:
        """Oldest first."""
        async with self._database.reading() as session:
            owned = select(StoredWebhook).where(StoredWebhook.owner == caller.subject)
            rows = await session.scalars(owned.order_by(StoredWebhook.created_at, StoredWebhook.id))
            return [_document(row) for row in rows]

    async def delete(self, caller: Caller, webhook_id: str) -> None:
        """Calls that wait are dropped. Raises NoSuchWebhook."""
        owned = (StoredWebhook.id == webhook_id) & (StoredWebhook.owner == caller.subject)
        async with self._database.writing() as session:
            deleted = await session.execute(delete(StoredWebhook).where(owned))
            if not getattr(deleted, "rowcount", 0):
                raise NoSuchWebhook

    async def require(self, caller: Caller, webhook_id: str) -> None:
        """Raises NoSuchWebhook for one that the caller does not have."""
        owned = (StoredWebhook.id == webhook_id) & (StoredWebhook.owner == caller.subject)
        async with self._database.reading() as session:
            if await session.scalar(select(StoredWebhook.id).where(owned)) is None:
                raise NoSuchWebhook

    async def call_for(self, webhook_id: str, study_id: str) -> None:
        """When this study ends, in addition to those for every study."""
        async with self._database.writing() as session:
            await session.merge(StoredStudyWebhook(study_id=study_id, webhook_id=webhook_id))


def _document(row: StoredWebhook) -> Webhook:
    return Webhook.model_validate(
        {
            "id": row.id,
            "url": row.url,
            "events": row.events,
            "every_study": row.every_study,
            "created_at": row.created_at,
            "last_status": row.last_status,
            "failed_attempts": row.failed_attempts,
        }
    )
