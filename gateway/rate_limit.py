"""Rate limits per account and per network address, with the headers of the IETF draft."""

from __future__ import annotations

import logging
import math
import time

import anyio
from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from gateway.authentication import authenticated_principal
from gateway.capacity import API_PATHS
from hepar.core.errors import ClientError, Unavailable
from hepar.core.metrics import RATE_LIMIT_FAILURES
from hepar.storage.request_counts import RateLimit, RequestCounts, Usage
from hepar.web.connection_limits import client_network

_log = logging.getLogger(__name__)
_WINDOW_S = 60
_MAX_WAIT_S = 1.0
_PAUSE_S = 5.0


class RateLimited(ClientError):
    """More requests than the caller may send."""

    status, title, slug = 429, "Too many requests from you", "rate-limited"

    def __init__(self, detail: str, headers: dict[str, str]) -> None:
        super().__init__(detail)
        self._headers = headers

    def response_headers(self) -> dict[str, str]:
        return self._headers


class RateLimitMiddleware:
    """ASGI middleware. Counts every request to the API, first by address; health and documentation pages are free.

    Headers: draft-ietf-httpapi-ratelimit-headers-10, `RateLimit-Policy` and `RateLimit`. All gateways count together in
    `app.state.request_counts`. Where that database does not answer, requests pass uncounted: analyses need no database.
    """

    def __init__(self, app: ASGIApp, account_per_minute: int, address_per_minute: int) -> None:
        self._app = app
        self._per_minute = {"address": address_per_minute, "account": account_per_minute}
        self._retry_database_at = 0.0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or not scope["path"].startswith(API_PATHS):
            await self._app(scope, receive, send)
            return
        callers = {"address": client_network(scope)}
        principal = authenticated_principal(scope)
        if principal is not None:
            callers["account"] = principal.subject
        limits = {name: RateLimit(f"{name} {caller}", self._per_minute[name]) for name, caller in callers.items()}
        usages = await self._count(scope["app"].state.request_counts, limits)
        headers = self._headers(usages)
        self._raise_if_exceeded(usages, headers)

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                MutableHeaders(scope=message).update(headers)
            await send(message)

        await self._app(scope, receive, send_with_headers)

    async def _count(self, counts: RequestCounts, limits: dict[str, RateLimit]) -> dict[str, Usage]:
        """Empty where the database does not answer; it is then left alone for a few seconds."""
        if time.monotonic() < self._retry_database_at:
            return {}
        try:
            with anyio.fail_after(_MAX_WAIT_S):
                return dict(zip(limits, await counts.hit(list(limits.values())), strict=True))
        except (Unavailable, TimeoutError):
            self._retry_database_at = time.monotonic() + _PAUSE_S
            RATE_LIMIT_FAILURES.inc()
            _log.warning("requests are not counted: the database does not answer")
            return {}

    def _headers(self, usages: dict[str, Usage]) -> dict[str, str]:
        if not usages:
            return {}
        return {
            "RateLimit-Policy": ", ".join(f'"{name}";q={self._per_minute[name]};w={_WINDOW_S}' for name in usages),
            "RateLimit": ", ".join(
                f'"{name}";r={usage.remaining};t={max(1, math.ceil(usage.retry_after_s))}'
                for name, usage in usages.items()
            ),
        }

    def _raise_if_exceeded(self, usages: dict[str, Usage], headers: dict[str, str]) -> None:
        for name, usage in usages.items():
            if not usage.allowed:
                retry_after = {"Retry-After": str(max(1, math.ceil(usage.retry_after_s)))}
                detail = f"this {name} may send {self._per_minute[name]} requests a minute"
                raise RateLimited(detail, headers | retry_after)
