"""Calls of webhooks: queued in the transaction that ends a study, sent in the background, repeated after failures."""

from __future__ import annotations

import logging
import uuid
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime

import httpx
from sqlalchemy import delete, or_, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from hepar.contracts.studies import STUDIES_PATH
from hepar.contracts.study_events import StudyEventKind, StudyNotification
from hepar.storage.database import Database
from hepar.storage.encryption import KeyRing
from study_service.accesses import record_access
from study_service.outbox import RetryRules, claim_due
from study_service.tables import StoredStudy
from study_service.webhooks.signatures import signed_headers
from study_service.webhooks.tables import StoredDelivery, StoredStudyWebhook, StoredWebhook
from study_service.webhooks.targets import TargetRefused, TargetRules

_log = logging.getLogger(__name__)
_TIMEOUT_S = 10.0
RETRIES = RetryRules(first_s=10, factor=4, longest_s=6 * 3600, attempts_max=9, attempt_s=2 * _TIMEOUT_S)


async def queue_deliveries(session: AsyncSession, study: StoredStudy, event: StudyEventKind, now: datetime) -> None:
    """In the transaction that ends the study: with the end, its calls are certain, too."""
    named = select(StoredStudyWebhook.webhook_id).where(StoredStudyWebhook.study_id == study.id)
    wanted = select(StoredWebhook).where(
        StoredWebhook.owner == study.owner, or_(StoredWebhook.every_study, StoredWebhook.id.in_(named))
    )
    for webhook in await session.scalars(wanted):
        if event in webhook.events:
            row = StoredDelivery(id=uuid.uuid4().hex, webhook_id=webhook.id, study_id=study.id, version=study.version)
            row.event, row.created_at, row.due_at, row.attempts = event, now, now, 0
            session.add(row)


@dataclass(frozen=True)
class WebhookSender:
    """Sends the due calls of the database; several processes may do so at the same time.

    client: follows no redirect and reads no proxy from the environment.
    """

    database: Database
    keys: KeyRing
    rules: TargetRules
    client: httpx.AsyncClient
    now: Callable[[], datetime] = field(default=lambda: datetime.now(UTC))

    async def send_next(self) -> bool:
        """False where nothing was due. Raises Unavailable."""
        async with self.database.writing() as session:
            delivery = await claim_due(session, StoredDelivery, RETRIES, self.now())
            if delivery is None:
                return False
            webhook = await session.get_one(StoredWebhook, delivery.webhook_id)
        await self._finish(delivery, webhook, await self._send(delivery, webhook))
        return True

    async def _send(self, delivery: StoredDelivery, webhook: StoredWebhook) -> int | None:
        """The status of the answer; None where there was none."""
        body = _notification(delivery).model_dump_json().encode()
        secret = self.keys.data_key(webhook.data_key).decrypt(webhook.secret, f"webhook {webhook.id}").decode()
        try:
            target = await self.rules.target(webhook.url)
            headers = signed_headers(secret, delivery.id, int(self.now().timestamp()), body)
            headers |= {"host": target.host_header, "content-type": "application/json"}
            extensions = {"sni_hostname": target.host}
            answering = self.client.stream(
                "POST", target.url, content=body, headers=headers, extensions=extensions, timeout=_TIMEOUT_S
            )
            async with answering as answer:  # its body is of no interest
                return answer.status_code
        except (TargetRefused, httpx.HTTPError, OSError) as error:
            _log.warning("a webhook was not called", extra={"webhook": webhook.id, "reason": type(error).__name__})
            return None

    async def _finish(self, delivery: StoredDelivery, webhook: StoredWebhook, status: int | None) -> None:
        done = status is not None and httpx.codes.is_success(status)
        async with self.database.writing() as session:
            row = await session.get(StoredWebhook, webhook.id)
            if row is not None:
                row.last_status = status if status is not None else row.last_status
                row.failed_attempts = 0 if done else row.failed_attempts + 1
            of_call = StoredDelivery.id == delivery.id
            if done or delivery.attempts >= RETRIES.attempts_max:
                await session.execute(delete(StoredDelivery).where(of_call))
            else:
                due_at = self.now() + RETRIES.after(delivery.attempts)
                await session.execute(update(StoredDelivery).where(of_call).values(due_at=due_at))
            if done:
                await record_access(session, "delivered", None, delivery.study_id, self.now(), webhook=webhook.id)
        if not done and delivery.attempts >= RETRIES.attempts_max:
            _log.error("a webhook is not called again", extra={"webhook": webhook.id, "study": delivery.study_id})


def _notification(delivery: StoredDelivery) -> StudyNotification:
    return StudyNotification.model_validate(
        {
            "type": f"study.{delivery.event}",
            "timestamp": delivery.created_at,
            "study_id": delivery.study_id,
            "version": delivery.version,
            "status": delivery.event,
            "study": f"{STUDIES_PATH}/{delivery.study_id}",
        }
    )
