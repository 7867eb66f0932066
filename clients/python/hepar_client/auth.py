"""Authentication of requests: one implementation for both clients and for event streams."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import AsyncGenerator, Callable, Generator
from contextlib import AbstractContextManager, nullcontext
from typing import Protocol, Self

import httpx
from pydantic import ConfigDict, Field

from . import calls
from .contracts.tokens import AccessToken
from .responses import read

RENEW_BEFORE_S = 30.0
RENEWAL_TIMEOUT_S = 20.0


class HeldToken(AccessToken):
    """A token, and the time at which it expires."""

    model_config = ConfigDict(extra="ignore")  # of files that earlier versions wrote

    expires_at_s: float = Field(default=0.0, description="Unix time; 0: unknown, renew before use")

    @classmethod
    def received_now(cls, token: AccessToken, previous: HeldToken | None = None) -> Self:
        """previous: the stored token, whose device token is kept where the new one has none."""
        device = token.device or (previous.device if previous else None)
        received = {"expires_at_s": time.time() + token.expires_in, "device": device}
        return cls.model_validate(token.model_dump() | received)


class TokenStore(Protocol):
    """Where the token is kept. save: None forgets it. lock: excludes other users of the store during a renewal."""

    def load(self) -> HeldToken | None: ...

    def save(self, token: HeldToken | None) -> None: ...

    def lock(self) -> AbstractContextManager[object]: ...


class MemoryTokenStore:
    """A store of one client."""

    def __init__(self, token: HeldToken | None = None) -> None:
        self._token = token

    def load(self) -> HeldToken | None:
        return self._token

    def save(self, token: HeldToken | None) -> None:
        self._token = token

    def lock(self) -> AbstractContextManager[object]:
        return nullcontext()


class TokenAuth(httpx.Auth):
    """Adds the access token; renews it shortly before it expires, and once when it is refused.

    If a renewal fails, its response is the response to the request: httpx returns the last one.
    build_request: of the httpx client, whose base address and headers renewals use.
    client_credentials: id and secret of a hospital system, whose tokens have no refresh token.
    """

    def __init__(
        self,
        store: TokenStore,
        build_request: Callable[..., httpx.Request],
        client_credentials: tuple[str, str] | None = None,
    ) -> None:
        self.store = store
        self.client_credentials = client_credentials
        self._build_request = build_request
        self._thread_lock = threading.Lock()
        self._task_lock = asyncio.Lock()

    def auth_flow(self, request: httpx.Request) -> Generator[httpx.Request, httpx.Response, None]:
        refused: str | None = None
        for _ in range(2):
            renewal = self._begin_renewal() if self._renewal_due(refused) else None
            if renewal is not None:
                response = yield renewal
                if response.is_error:
                    return
                received = HeldToken.received_now(read(AccessToken, response), self.store.load())
                self.store.save(received)
            elif refused is not None and self._renewal_due(refused):
                return  # there is nothing to renew it with
            token = self.store.load()
            if token is not None:
                request.headers["Authorization"] = f"Bearer {token.access_token}"
            response = yield request
            refused = _refused_token(request, response)
            if refused is None or not _can_be_sent_again(request):
                return

    def sync_auth_flow(self, request: httpx.Request) -> Generator[httpx.Request, httpx.Response, None]:
        """Runs auth_flow. One thread and one user of the store renews at a time: a refresh token is single-use."""
        flow = self.auth_flow(request)
        response: httpx.Response | None = None
        try:
            while True:
                with self._thread_lock, self._store_lock(request, response):
                    outgoing = _advance(flow, response)
                    while outgoing is not request:
                        response = yield outgoing
                        response.read()
                        outgoing = flow.send(response)
                response = yield request
        except StopIteration:
            return

    async def async_auth_flow(self, request: httpx.Request) -> AsyncGenerator[httpx.Request, httpx.Response]:
        """The same for tasks of one event loop. The store must belong to this client alone: its lock is not taken."""
        flow = self.auth_flow(request)
        response: httpx.Response | None = None
        try:
            while True:
                async with self._task_lock:
                    outgoing = _advance(flow, response)
                    while outgoing is not request:
                        response = yield outgoing
                        await response.aread()
                        outgoing = flow.send(response)
                response = yield request
        except StopIteration:
            return

    def _store_lock(self, request: httpx.Request, response: httpx.Response | None) -> AbstractContextManager[object]:
        refused = _refused_token(request, response) if response is not None else None
        near = self._renewal_due(refused, within_s=2 * RENEW_BEFORE_S)  # it may become due a moment later
        return self.store.lock() if near else nullcontext()

    def _renewal_due(self, refused: str | None, within_s: float = RENEW_BEFORE_S) -> bool:
        """refused: an access token that got status 401."""
        token = self.store.load()
        if token is None:
            return False
        return token.access_token == refused or token.expires_at_s - time.time() < within_s

    def _begin_renewal(self) -> httpx.Request | None:
        """None where the token cannot be renewed."""
        token = self.store.load()
        if token is not None and token.refresh_token is not None:
            call = calls.refresh(token.refresh_token)
        elif self.client_credentials is not None:
            call = calls.client_credentials(*self.client_credentials)
        else:
            return None
        return self._build_request(**call.arguments(), timeout=RENEWAL_TIMEOUT_S)


def _advance(flow: Generator[httpx.Request, httpx.Response, None], response: httpx.Response | None) -> httpx.Request:
    return next(flow) if response is None else flow.send(response)


def _can_be_sent_again(request: httpx.Request) -> bool:
    """False for a body that was read from files while it was sent."""
    return not request.extensions.get(calls.READ_ONCE, False)


def _refused_token(request: httpx.Request, response: httpx.Response) -> str | None:
    """The access token of a request that was answered with status 401."""
    if response.status_code != httpx.codes.UNAUTHORIZED:
        return None
    return request.headers.get("Authorization", "").removeprefix("Bearer ") or None
