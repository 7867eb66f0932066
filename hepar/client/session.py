"""Sign in once; tokens are refreshed, refusals for a while are waited out, and what is repeated is done once."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import AsyncIterator, Iterator, Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

import httpx
from httpx_sse import EventSource

from hepar.client.errors import CannotReach, UnexpectedAnswer
from hepar.client.requests import Answer, Call, Options, new_key, raise_for_problem, read, wait_s
from hepar.contracts.accounts import Account
from hepar.contracts.analyses import Analysis, AnalysisBatch, AnalysisItem, Classification, Detection
from hepar.contracts.models import ModelList
from hepar.contracts.tokens import AccessToken

TIMEOUT_S = 120.0
_RENEWED_BEFORE_S = 30.0
_IMAGE = {"Content-Type": "application/octet-stream"}
DEFAULTS = Options()
Image = bytes | Path
Named = tuple[str, bytes]


class _Tokens:
    """The access token and what renews it."""

    def __init__(self, token: AccessToken | None = None) -> None:
        self.current: AccessToken | None = None
        self._ends_at = 0.0
        self._again: Call | None = None
        if token is not None:
            self.take(token)

    @property
    def access(self) -> str | None:
        return self.current.access_token if self.current else None

    def renewal(self, *, refused: bool = False) -> Call | None:
        """The request that renews it, when it is due: by its refresh token, or as the client that it was given to."""
        due = refused or time.monotonic() > self._ends_at - _RENEWED_BEFORE_S
        if self.current is None or not due:
            return None
        if self.current.refresh_token is None:
            return self._again
        form = {"grant_type": "refresh_token", "refresh_token": self.current.refresh_token}
        return Call("POST", "/v1/token", form=form, signed=False)

    def take(self, token: AccessToken, again: Call | None = None) -> AccessToken:
        """again: how a client, whose tokens have no successors, gets another one."""
        self.current, self._ends_at = token, time.monotonic() + token.expires_in
        self._again = again or self._again
        return token


def _sign_in(email: str, password: str, otp: str | None) -> Call:
    form = {"grant_type": "password", "username": email, "password": password} | ({"otp": otp} if otp else {})
    return Call("POST", "/v1/token", form=form, signed=False)


def _client_credentials(client_id: str, client_secret: str) -> Call:
    form = {"grant_type": "client_credentials", "client_id": client_id, "client_secret": client_secret}
    return Call("POST", "/v1/token", form=form, signed=False)


def _sign_up(email: str, password: str, name: str) -> Call:
    return Call("POST", "/v1/users", json={"email": email, "password": password, "name": name}, signed=False)


def _one(path: str, image: Image, options: Options) -> Call:
    content = image.read_bytes() if isinstance(image, Path) else image
    return Call("POST", path, query=options.query(), content=content, headers=_IMAGE)


def _batch(images: Sequence[Named], options: Options, accept: str) -> Call:
    return Call(
        "POST",
        "/v1/analyses/batch",
        query=options.query(),
        files=[("image", named) for named in images],
        headers={"Accept": accept},
    )


class Hepar:
    """A gateway, for programs that wait. Use as a context manager.

    Every method raises HeparProblem for what the gateway refuses, CannotReach, and UnexpectedAnswer.
    """

    def __init__(
        self,
        url: str,
        token: AccessToken | None = None,
        timeout_s: float = TIMEOUT_S,
        client: httpx.Client | None = None,
    ) -> None:
        """client: one of your own, for proxies and certificates; `url` is then its base."""
        self._client = client or httpx.Client(base_url=url, timeout=timeout_s)
        self._tokens = _Tokens(token)
        self._renewing = threading.Lock()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._client.close()

    @property
    def token(self) -> AccessToken | None:
        """As it is now: keep it to go on later without signing in."""
        return self._tokens.current

    def sign_up(self, email: str, password: str, name: str = "") -> Account:
        return self._answer(Account, _sign_up(email, password, name))

    def sign_in(self, email: str, password: str, otp: str | None = None) -> AccessToken:
        """otp: the code of the second factor, where the account has one."""
        return self._tokens.take(self._answer(AccessToken, _sign_in(email, password, otp)))

    def sign_in_as_client(self, client_id: str, client_secret: str) -> AccessToken:
        """For hospital systems."""
        call = _client_credentials(client_id, client_secret)
        return self._tokens.take(self._answer(AccessToken, call), call)

    def me(self) -> Account:
        return self._answer(Account, Call("GET", "/v1/users/me"))

    def models(self) -> ModelList:
        return self._answer(ModelList, Call("GET", "/v1/models"))

    def classify(self, image: Image, options: Options = DEFAULTS) -> Classification:
        return self._answer(Classification, _one("/v1/classifications", image, options))

    def detect(self, image: Image, options: Options = DEFAULTS) -> Detection:
        return self._answer(Detection, _one("/v1/detections", image, options))

    def analyse(self, image: Image, options: Options = DEFAULTS) -> Analysis:
        return self._answer(Analysis, _one("/v1/analyses", image, options))

    def analyse_many(self, images: Sequence[Named], options: Options = DEFAULTS) -> AnalysisBatch:
        """images: names, which stay with you, and bytes. Answers in their order."""
        return self._answer(AnalysisBatch, _batch(images, options, "application/json"))

    def analyse_as_ready(self, images: Sequence[Named], options: Options = DEFAULTS) -> Iterator[AnalysisItem]:
        """The same as each becomes ready, with its index. Not repeated once it has begun."""
        call = _batch(images, options, "text/event-stream")
        self._renew()
        try:
            with self._client.stream(**call.arguments(new_key(), self._tokens.access)) as response:
                if response.is_error:
                    response.read()
                    raise_for_problem(response)
                for event in EventSource(response).iter_sse():
                    if event.event == "end":
                        return
                    yield AnalysisItem.model_validate_json(event.data)
        except httpx.HTTPError as error:
            raise CannotReach(str(error)) from error
        raise UnexpectedAnswer("the events stopped before their end")

    def _renew(self, *, refused: bool = False) -> bool:
        with self._renewing:  # a refresh token counts once, whichever thread is first
            renewal = self._tokens.renewal(refused=refused)
            if renewal is not None:
                self._tokens.take(read(AccessToken, self._tried(renewal)))
            return renewal is not None

    def _answer(self, answer: type[Answer], call: Call) -> Answer:
        if call.signed:
            self._renew()
        response = self._tried(call)
        if call.signed and response.status_code == 401 and self._renew(refused=True):
            response = self._tried(call)
        return read(answer, response)

    def _tried(self, call: Call) -> httpx.Response:
        key, tried = new_key(), 0
        while True:
            tried += 1
            response, failure = None, None
            try:
                response = self._client.request(**call.arguments(key, self._tokens.access if call.signed else None))
            except httpx.HTTPError as error:
                failure = error
            seconds = wait_s(response, tried)
            if seconds is None and response is not None:
                return response
            if seconds is None:
                raise CannotReach(str(failure)) from failure
            time.sleep(seconds)


class AsyncHepar:
    """The same for asyncio. Use as an async context manager."""

    def __init__(
        self,
        url: str,
        token: AccessToken | None = None,
        timeout_s: float = TIMEOUT_S,
        client: httpx.AsyncClient | None = None,
    ) -> None:
        """client: one of your own, for proxies and certificates; `url` is then its base."""
        self._client = client or httpx.AsyncClient(base_url=url, timeout=timeout_s)
        self._tokens = _Tokens(token)
        self._renewing = asyncio.Lock()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._client.aclose()

    @property
    def token(self) -> AccessToken | None:
        """As it is now: keep it to go on later without signing in."""
        return self._tokens.current

    async def sign_up(self, email: str, password: str, name: str = "") -> Account:
        return await self._answer(Account, _sign_up(email, password, name))

    async def sign_in(self, email: str, password: str, otp: str | None = None) -> AccessToken:
        """otp: the code of the second factor, where the account has one."""
        return self._tokens.take(await self._answer(AccessToken, _sign_in(email, password, otp)))

    async def sign_in_as_client(self, client_id: str, client_secret: str) -> AccessToken:
        """For hospital systems."""
        call = _client_credentials(client_id, client_secret)
        return self._tokens.take(await self._answer(AccessToken, call), call)

    async def me(self) -> Account:
        return await self._answer(Account, Call("GET", "/v1/users/me"))

    async def models(self) -> ModelList:
        return await self._answer(ModelList, Call("GET", "/v1/models"))

    async def classify(self, image: Image, options: Options = DEFAULTS) -> Classification:
        return await self._answer(Classification, _one("/v1/classifications", image, options))

    async def detect(self, image: Image, options: Options = DEFAULTS) -> Detection:
        return await self._answer(Detection, _one("/v1/detections", image, options))

    async def analyse(self, image: Image, options: Options = DEFAULTS) -> Analysis:
        return await self._answer(Analysis, _one("/v1/analyses", image, options))

    async def analyse_many(self, images: Sequence[Named], options: Options = DEFAULTS) -> AnalysisBatch:
        """images: names, which stay with you, and bytes. Answers in their order."""
        return await self._answer(AnalysisBatch, _batch(images, options, "application/json"))

    async def analyse_as_ready(
        self, images: Sequence[Named], options: Options = DEFAULTS
    ) -> AsyncIterator[AnalysisItem]:
        """The same as each becomes ready, with its index. Not repeated once it has begun."""
        call = _batch(images, options, "text/event-stream")
        await self._renew()
        try:
            async with self._client.stream(**call.arguments(new_key(), self._tokens.access)) as response:
                if response.is_error:
                    await response.aread()
                    raise_for_problem(response)
                async for event in EventSource(response).aiter_sse():
                    if event.event == "end":
                        return
                    yield AnalysisItem.model_validate_json(event.data)
        except httpx.HTTPError as error:
            raise CannotReach(str(error)) from error
        raise UnexpectedAnswer("the events stopped before their end")

    async def _renew(self, *, refused: bool = False) -> bool:
        async with self._renewing:  # a refresh token counts once, whoever is first
            renewal = self._tokens.renewal(refused=refused)
            if renewal is not None:
                self._tokens.take(read(AccessToken, await self._tried(renewal)))
            return renewal is not None

    async def _answer(self, answer: type[Answer], call: Call) -> Answer:
        if call.signed:
            await self._renew()
        response = await self._tried(call)
        if call.signed and response.status_code == 401 and await self._renew(refused=True):
            response = await self._tried(call)
        return read(answer, response)

    async def _tried(self, call: Call) -> httpx.Response:
        key, tried = new_key(), 0
        while True:
            tried += 1
            response, failure = None, None
            try:
                token = self._tokens.access if call.signed else None
                response = await self._client.request(**call.arguments(key, token))
            except httpx.HTTPError as error:
                failure = error
            seconds = wait_s(response, tried)
            if seconds is None and response is not None:
                return response
            if seconds is None:
                raise CannotReach(str(failure)) from failure
            await asyncio.sleep(seconds)
