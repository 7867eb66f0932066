"""How much one account, and one network address, may ask for: rate limits with the IETF draft's headers."""

from __future__ import annotations

import math
import time

from limits import RateLimitItemPerMinute
from limits.aio.storage import MemoryStorage
from limits.aio.strategies import SlidingWindowCounterRateLimiter
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from gateway.authentication import authenticated_principal
from hepar.core.errors import ClientError

_LIMITED = ("/v1/", "/.well-known/")
_WINDOW_S = 60


class RateLimited(ClientError):
    """More than the caller's share."""

    status, title, slug = 429, "Too many requests from you", "rate-limited"

    def __init__(self, detail: str, headers: dict[str, str]) -> None:
        super().__init__(detail)
        self._headers = headers

    def response_headers(self) -> dict[str, str]:
        return self._headers


class RateLimitMiddleware:
    """ASGI middleware. Counts every request to the API, by address first; the health and documentation pages are free.

    Headers: draft-ietf-httpapi-ratelimit-headers-10, `RateLimit-Policy` and `RateLimit`. Counted by a sliding window
    (RateLimit-t is when a whole window has passed), in this process: with n gateways a caller has n shares.
    """

    def __init__(self, app: ASGIApp, account_per_minute: int, address_per_minute: int) -> None:
        self._app = app
        self._limiter = SlidingWindowCounterRateLimiter(MemoryStorage())
        self._limits = {
            "address": RateLimitItemPerMinute(address_per_minute),
            "account": RateLimitItemPerMinute(account_per_minute),
        }

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or not scope["path"].startswith(_LIMITED):
            await self._app(scope, receive, send)
            return
        counted = {"address": str((scope.get("client") or ("unknown",))[0])}
        principal = authenticated_principal(scope)
        if principal is not None:
            counted["account"] = principal.subject
        headers = await self._counted(counted)

        async def with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                more = [(name.lower().encode(), value.encode()) for name, value in headers.items()]
                message["headers"] = [*message.get("headers", ()), *more]
            await send(message)

        await self._app(scope, receive, with_headers)

    async def _counted(self, counted: dict[str, str]) -> dict[str, str]:
        """The headers of the answer. Raises RateLimited."""
        left = []
        refused: tuple[str, int] | None = None
        for name, who in counted.items():
            limit = self._limits[name]
            allowed = refused is None and await self._limiter.hit(limit, name, who)
            window = await self._limiter.get_window_stats(limit, name, who)
            seconds = max(1, math.ceil(window.reset_time - time.time()))
            left.append(f'"{name}";r={window.remaining};t={seconds}')
            if not allowed and refused is None:
                refused = (name, seconds)
        headers = {
            "RateLimit-Policy": ", ".join(f'"{name}";q={self._limits[name].amount};w={_WINDOW_S}' for name in counted),
            "RateLimit": ", ".join(left),
        }
        if refused is not None:
            name, seconds = refused
            detail = f"this {name} may send {self._limits[name].amount} requests a minute"
            raise RateLimited(detail, headers | {"Retry-After": str(seconds)})
        return headers
