"""A server that gives prepared responses, for faults that a real gateway does not show on demand."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field

import anyio
from starlette.requests import Request
from starlette.types import Receive, Scope, Send

from hepar.contracts.problems import Problem

MODELS = b'{"models": []}'
RENEWED = b'{"access_token": "two", "expires_in": 600, "scope": "analyses", "refresh_token": "second"}'
Response = tuple[int, dict[str, str], bytes]


def problem(status: int) -> bytes:
    return Problem(type="t", title="t", status=status, detail="d", request_id="12345678").model_dump_json().encode()


@dataclass(frozen=True)
class ReceivedRequest:
    path: str
    headers: dict[str, str]
    body: bytes


@dataclass
class ScriptedGateway:
    """ASGI application. Each request gets the next of `responses`: status, headers and body; then status 500.

    A request to `held_path` sets `holding` and is answered when `release` is set.
    """

    responses: list[Response]
    held_path: str = ""
    received: list[ReceivedRequest] = field(default_factory=list)
    holding: threading.Event = field(default_factory=threading.Event)
    release: threading.Event = field(default_factory=threading.Event)

    @property
    def paths(self) -> list[str]:
        return [request.path for request in self.received]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return
        request = Request(scope, receive)
        body, headers = await request.body(), dict(request.headers)
        self.received.append(ReceivedRequest(scope["path"], headers, body))
        status, extra, content = self.responses.pop(0) if self.responses else (500, {}, b"")
        if scope["path"] == self.held_path:
            self.holding.set()
            await anyio.to_thread.run_sync(self.release.wait, 60)
        encoded = [(name.encode(), value.encode()) for name, value in extra.items()]
        await send({"type": "http.response.start", "status": status, "headers": encoded})
        await send({"type": "http.response.body", "body": content})
