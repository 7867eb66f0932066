"""Errors under /fhir: a problem, whoever answers with it, leaves as an OperationOutcome of FHIR R4."""

from __future__ import annotations

import json

from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from hepar.web.problems import MEDIA_TYPE as PROBLEM

FHIR_PATH = "/fhir"
FHIR_JSON = "application/fhir+json"
_CODES = {
    400: "invalid",
    401: "login",
    403: "forbidden",
    404: "not-found",
    405: "not-supported",
    406: "not-supported",
    409: "conflict",
    413: "too-long",
    414: "too-long",
    415: "not-supported",
    422: "invalid",
    429: "throttled",
    500: "exception",
    502: "transient",
    503: "transient",
    504: "timeout",
}
"""http://hl7.org/fhir/issue-type by status."""


class OperationOutcomes:
    """ASGI middleware, outside of everything that answers with problems."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        path = scope.get("path", "")
        if scope["type"] != "http" or not (path == FHIR_PATH or path.startswith(f"{FHIR_PATH}/")):
            await self._app(scope, receive, send)
            return
        start: Message = {}
        body = bytearray()

        async def send_outcome(message: Message) -> None:
            nonlocal start
            if message["type"] == "http.response.start" and _is_problem(message):
                start = message
            elif not start:
                await send(message)
            else:
                body.extend(message.get("body", b""))
                if not message.get("more_body", False):
                    content = _outcome(start["status"], bytes(body))
                    headers = MutableHeaders(scope=start)
                    headers["content-type"], headers["content-length"] = FHIR_JSON, str(len(content))
                    await send(start)
                    await send({**message, "body": content})

        await self._app(scope, receive, send_outcome)


def _is_problem(message: Message) -> bool:
    return MutableHeaders(scope=message).get("content-type", "").startswith(PROBLEM)


def _outcome(status: int, content: bytes) -> bytes:
    problem = json.loads(content)
    issue = {
        "severity": "error" if status < 500 else "fatal",
        "code": _CODES.get(status, "processing"),
        "details": {"text": problem["title"]},
        "diagnostics": f"{problem['detail']} (request {problem['request_id']})",
    }
    return json.dumps({"resourceType": "OperationOutcome", "issue": [issue]}, ensure_ascii=False).encode()
