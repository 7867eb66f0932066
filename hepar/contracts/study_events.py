"""Events of a study, and webhooks that are called for them."""

from datetime import datetime
from typing import Annotated, Literal

from pydantic import Field, StringConstraints

from .base import Document, example_of, with_example
from .studies import StudyStatus

_AT = "2026-11-26T09:31:12Z"
_ID = "5f0c4a3b2e1d4c7f8a9b0c1d2e3f4a5b"
_STUDY_ID = "0b0e7f0a-5d4e-4c8a-9a5e-0d7f6b3f7c11"
StudyEventKind = Literal["finished", "failed"]
WebhookUrl = Annotated[str, StringConstraints(max_length=500, pattern=r'^https?://[!"$-.0->A-~]+(/[!"$-~]*)?$')]
WEBHOOKS_MAX = 20
"""Of one account."""


class StudyEnd(Document):
    """The last event of a study's progress."""

    model_config = with_example({"status": "finished", "version": 1})

    status: StudyStatus = Field(description="`finished`, `failed` or `cancelled`")
    version: int = Field(ge=1, description="of the result, where the study is finished")


class WebhookRegistration(Document):
    """A URL to be called when studies end."""

    model_config = with_example({"url": "https://ris.example.org/hepar", "events": ["finished", "failed"]})

    url: WebhookUrl = Field(description="where to post; the operator allows hosts with HEPAR_STUDY_WEBHOOK_HOSTS")
    events: list[StudyEventKind] = Field(
        default=["finished", "failed"], min_length=1, max_length=2, description="which ends of a study call it"
    )
    every_study: bool = Field(
        default=True, description="false: only for studies that were sent with `?webhook=` and the id of this webhook"
    )


class Webhook(Document):
    """A registered webhook. Its calls are signed as Standard Webhooks describes (standardwebhooks.com)."""

    model_config = with_example(
        {
            "id": _ID,
            "url": "https://ris.example.org/hepar",
            "events": ["finished", "failed"],
            "every_study": True,
            "created_at": _AT,
            "failed_attempts": 0,
        }
    )

    id: str = Field(description="32 hexadecimal digits")
    url: str = Field(description="where it posts")
    events: list[StudyEventKind] = Field(description="which ends of a study call it")
    every_study: bool = Field(description="false: only for studies that name it")
    created_at: datetime = Field(description="when it was registered, UTC")
    secret: str | None = Field(
        default=None,
        repr=False,
        description="`whsec_` and the key of the signatures in Base64; null except in the answer to the registration",
    )
    last_status: int | None = Field(default=None, description="HTTP status of the last call that was answered")
    failed_attempts: int = Field(ge=0, description="failed attempts since the last success")


class WebhookList(Document):
    """The caller's webhooks, oldest first: at most 20."""

    model_config = with_example({"items": [example_of(Webhook)]})

    items: list[Webhook] = Field(description="the webhooks")


class StudyNotification(Document):
    """The body of a webhook's call. It holds nothing about the patient."""

    model_config = with_example(
        {
            "type": "study.finished",
            "timestamp": _AT,
            "study_id": _STUDY_ID,
            "version": 1,
            "status": "finished",
            "study": f"/v1/studies/{_STUDY_ID}",
        }
    )

    type: Literal["study.finished", "study.failed"]
    timestamp: datetime = Field(description="when the study ended, UTC")
    study_id: str = Field(description="id of the study")
    version: int = Field(ge=1, description="version of the result")
    status: StudyEventKind = Field(description="how it ended")
    study: str = Field(description="path of the study at the gateway")
