"""What browsers need around the API: CORS, compression, security headers."""

from __future__ import annotations

from fastapi import FastAPI
from fastapi.middleware.cors import CORSMiddleware
from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from starlette_compress import CompressMiddleware

from gateway.settings import GatewaySettings
from hepar.core.deadlines import DEADLINE_HEADER
from hepar.core.request_context import REQUEST_ID_HEADER
from hepar.core.tracing import TRACE_HEADER

_REQUEST_HEADERS = [
    "Authorization",
    "Content-Type",
    "Idempotency-Key",
    REQUEST_ID_HEADER,
    DEADLINE_HEADER,
    TRACE_HEADER,
]
_RESPONSE_HEADERS = [
    "Location",
    "RateLimit",
    "RateLimit-Policy",
    "Retry-After",
    "Idempotency-Replayed",
    REQUEST_ID_HEADER,
]
_COMPRESSED_BYTES_MIN = 1000
_PREFLIGHT_S = 600
_SECURITY = {
    "content-security-policy": "default-src 'none'; frame-ancestors 'none'",
    "cross-origin-opener-policy": "same-origin",
    "permissions-policy": "camera=(), geolocation=(), microphone=()",
    "referrer-policy": "no-referrer",
    "x-frame-options": "DENY",
}
_OVER_TLS = {"strict-transport-security": "max-age=31536000"}


class SecurityHeaders:
    """ASGI middleware. A page with its own policy keeps it."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        defaults = _SECURITY | (_OVER_TLS if scope["scheme"] == "https" else {})

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in defaults.items():
                    headers.setdefault(name, value)
            await send(message)

        await self._app(scope, receive, send_with_headers)


def install_browser_headers(app: FastAPI, settings: GatewaySettings) -> None:
    """Around everything else, so that responses of the request guard have these headers too."""
    app.add_middleware(SecurityHeaders)
    app.add_middleware(CompressMiddleware, minimum_size=_COMPRESSED_BYTES_MIN, zstd=False)
    if settings.cors_origins:
        app.add_middleware(
            CORSMiddleware,
            allow_origins=settings.cors_origins,
            allow_methods=["GET", "POST", "PUT", "PATCH", "DELETE"],
            allow_headers=_REQUEST_HEADERS,
            expose_headers=_RESPONSE_HEADERS,
            max_age=_PREFLIGHT_S,
        )
