"""Webhooks of the caller's account."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Path, Response

from hepar.contracts.study_events import Webhook, WebhookList, WebhookRegistration
from hepar.web.openapi import problems
from study_service.api.dependencies import PRINCIPAL, CallerDep, Dependencies

router = APIRouter(
    prefix="/v1/webhooks", tags=["webhooks"], dependencies=[PRINCIPAL], responses=problems("unavailable")
)


_LINK = {"operationId": "delete_webhook", "parameters": {"webhook_id": "$response.body#/id"}}


@router.post(
    "",
    summary="Register a webhook",
    status_code=201,
    responses=problems("too-many-webhooks"),
    openapi_extra={"responses": {"201": {"links": {"delete_webhook": _LINK}}}},
)
async def register_webhook(
    form: WebhookRegistration, response: Response, caller: CallerDep, dependencies: Dependencies
) -> Webhook:
    """It is called with a StudyNotification when a study of this account is finished or failed, again after failures
    for about a day. The headers `webhook-id`, `webhook-timestamp` and `webhook-signature` follow Standard Webhooks;
    the secret is shown only here. Redirects are not followed.
    """
    webhook = await dependencies.webhooks.register(caller, form)
    response.headers["Location"] = f"/v1/webhooks/{webhook.id}"
    return webhook


@router.get("", summary="List my webhooks")
async def list_webhooks(caller: CallerDep, dependencies: Dependencies) -> WebhookList:
    """Oldest first; without their secrets."""
    return WebhookList(items=await dependencies.webhooks.list(caller))


@router.delete("/{webhook_id}", summary="Delete a webhook", status_code=204, responses=problems("no-such-webhook"))
async def delete_webhook(
    webhook_id: Annotated[str, Path(pattern="^[0-9a-f]{32}$", description="`id` of the webhook")],
    caller: CallerDep,
    dependencies: Dependencies,
) -> None:
    """It is not called any more; calls that wait are dropped."""
    await dependencies.webhooks.delete(caller, webhook_id)
