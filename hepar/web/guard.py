"""The outermost middleware of every service: header limits, pace, the last resort for errors, the access line."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Mapping
from contextlib import nullcontext

from opentelemetry.trace import INVALID_SPAN
from starlette.datastructures import Headers
from starlette.types import ASGIApp, Receive, Scope, Send

from hepar.core.errors import HeparError
from hepar.core.request_context import REQUEST_ID_HEADER, begin_request
from hepar.core.tracing import server_span
from hepar.web.access_log import ObservedResponse, record_request
from hepar.web.in_flight import HEALTH_PATHS
from hepar.web.problems import problem_of, problem_response
from hepar.web.request_body import MAX_UPLOAD_S, TimedBody, listed_path
from hepar.web.request_limits import check_request

_log = logging.getLogger(__name__)

CLIENT_DISCONNECTED = 499
_HEALTH_STATUSES = (200, 503)
_HEAD = "hepar.head"


def is_head(scope: Scope) -> bool:
    """Whether a request that is served as GET is a HEAD: an answer without an end must not begin."""
    return bool(scope.get(_HEAD))


class RequestGuard:
    """ASGI middleware.

    hosts: names accepted in the Host header, without port.
    complete_after_disconnect: a request runs to its end although its client is gone. Otherwise it is cancelled: right
    for reads, wrong for a database transaction, which would stay open and block all others.
    upload_s: the longest time of a body by path (`listed_path`), where it is not MAX_UPLOAD_S.
    """

    def __init__(
        self,
        app: ASGIApp,
        hosts: frozenset[str],
        *,
        complete_after_disconnect: bool = False,
        upload_s: Mapping[str, float] | None = None,
    ) -> None:
        self._app = app
        self._hosts = hosts
        self._upload_s = upload_s or {}
        self._complete_after_disconnect = complete_after_disconnect

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        started = time.perf_counter()
        health = scope["path"] in HEALTH_PATHS
        with nullcontext(INVALID_SPAN) if health else server_span(scope["method"], headers) as span:
            context = begin_request(headers.get(REQUEST_ID_HEADER))
            task = None if self._complete_after_disconnect else asyncio.current_task()
            body = TimedBody(receive, task, self._upload_s_of(scope["path"]))
            response = ObservedResponse(send, context.request_id, body.stop_watching)
            try:
                await self._respond(scope, body, response)
            finally:
                body.stop_watching()
                # A health check leaves no trace while it works: callers that wait for a start repeat it often.
                if not health or response.status not in _HEALTH_STATUSES:
                    record_request(scope, response.status, started, context, span)

    def _upload_s_of(self, path: str) -> float:
        listed = listed_path(path, self._upload_s)
        return MAX_UPLOAD_S if listed is None else self._upload_s[listed]

    async def _respond(self, scope: Scope, body: TimedBody, response: ObservedResponse) -> None:
        try:
            check_request(scope, self._hosts)
            await self._serve(scope, body.receive, response.send)
        except asyncio.CancelledError:
            if not body.absorb_cancellation():
                raise
            response.status = response.status or CLIENT_DISCONNECTED
        except HeparError as error:
            problem = problem_response(problem_of(error), error.response_headers())
            await problem(scope, body.receive, response.send)
        except Exception:  # noqa: BLE001  logged, and answered with a 500 that tells nothing
            _log.exception("unexpected error")
            if response.status == 0:
                await problem_response(problem_of(HeparError()))(scope, body.receive, response.send)

    async def _serve(self, scope: Scope, receive: Receive, send: Send) -> None:
        """HEAD is answered as GET; uvicorn leaves out the body."""
        served = {**scope, "method": "GET", _HEAD: True} if scope["method"] == "HEAD" else scope
        try:
            await self._app(served, receive, send)
        finally:
            if "route" in served:
                scope["route"] = served["route"]
