"""A system that webhooks call: real HTTP, with answers that a test chooses."""

from __future__ import annotations

import base64
import hashlib
import hmac
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from starlette.requests import Request
from starlette.types import Receive, Scope, Send

from tests.support.serving import serving


@dataclass(frozen=True)
class Received:
    path: str
    headers: dict[str, str]
    body: bytes

    def is_signed_with(self, secret: str) -> bool:
        """As a receiver checks it (Standard Webhooks 1.0.0)."""
        content = f"{self.headers['webhook-id']}.{self.headers['webhook-timestamp']}.".encode() + self.body
        key = base64.b64decode(secret.removeprefix("whsec_"))
        signature = base64.b64encode(hmac.new(key, content, hashlib.sha256).digest()).decode()
        recent = abs(time.time() - int(self.headers["webhook-timestamp"])) < 300
        return recent and f"v1,{signature}" in self.headers["webhook-signature"].split(" ")


@dataclass
class WebhookReceiver:
    """statuses: of the next answers, then 204.  location: of an answer that redirects."""

    statuses: list[int] = field(default_factory=list)
    location: str = ""
    received: list[Received] = field(default_factory=list)
    url: str = ""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return
        request = Request(scope, receive)
        body, headers = await request.body(), dict(request.headers)
        self.received.append(Received(scope["path"], headers, body))
        status = self.statuses.pop(0) if self.statuses else 204
        await send(
            {"type": "http.response.start", "status": status, "headers": [(b"location", self.location.encode())]}
        )
        await send({"type": "http.response.body", "body": b""})

    def wait_for(self, count: int, timeout_s: float = 60) -> list[Received]:
        ends_at = time.monotonic() + timeout_s
        while len(self.received) < count:
            assert time.monotonic() < ends_at, f"{len(self.received)} of {count} calls"
            time.sleep(0.05)
        return self.received


@contextmanager
def webhook_receiver() -> Iterator[WebhookReceiver]:
    receiver = WebhookReceiver()
    with serving(receiver) as url:
        receiver.url = url
        yield receiver
