"""`AsyncHepar`: the client for asyncio."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import AbstractAsyncContextManager
from types import TracebackType
from typing import Self

import httpx
from httpx_sse import EventSource

from . import calls
from .async_studies import AsyncStudies
from .auth import HeldToken, MemoryTokenStore, TokenAuth
from .calls import TIMEOUT_S, Call, Image
from .contracts.accounts import Account
from .contracts.analyses import Analysis, Classification, Detection
from .contracts.batches import AnalysisBatch, AnalysisItem
from .contracts.models import ModelList
from .contracts.tokens import AccessToken
from .errors import GatewayUnreachable, UnexpectedResponse
from .options import DEFAULT_OPTIONS, Options
from .responses import Result, parse, raise_for_problem, read, retry_delay_s


class AsyncHepar:
    """The same as `Hepar` for asyncio. Use as an async context manager; tasks of one event loop may share it.

    Every method raises HeparProblem for what the gateway refuses, GatewayUnreachable and UnexpectedResponse.
    """

    def __init__(
        self,
        url: str,
        token: AccessToken | None = None,
        timeout_s: float = TIMEOUT_S,
        client: httpx.AsyncClient | None = None,
    ) -> None:
        """client: a client with your proxies and certificates, whose base is then used instead of `url`."""
        self._client = client or httpx.AsyncClient(base_url=url, timeout=timeout_s)
        self._auth = TokenAuth(MemoryTokenStore(), self._client.build_request)
        self.studies = AsyncStudies(self._send, self._stream)
        if token is not None:
            self._hold(token)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._client.aclose()

    @property
    def token(self) -> HeldToken | None:
        """The current token. Store it and pass it to `AsyncHepar` later to continue without signing in."""
        return self._auth.store.load()

    async def sign_up(self, email: str, password: str, name: str = "") -> Account:
        return await self._call(Account, calls.sign_up(email, password, name))

    async def sign_in(self, email: str, password: str, otp: str | None = None) -> HeldToken:
        """otp: the code of the second factor, if the account has one."""
        device = self.token.device if self.token else None
        return self._hold(await self._call(AccessToken, calls.sign_in(email, password, otp, device)))

    async def sign_in_as_client(self, client_id: str, client_secret: str) -> HeldToken:
        """For hospital systems. The credentials are kept in memory to get the next token."""
        token = self._hold(await self._call(AccessToken, calls.client_credentials(client_id, client_secret)))
        self._auth.client_credentials = client_id, client_secret
        return token

    async def me(self) -> Account:
        return await self._call(Account, calls.ME)

    async def models(self) -> ModelList:
        return await self._call(ModelList, calls.MODELS)

    async def classify(self, image: Image, options: Options = DEFAULT_OPTIONS) -> Classification:
        return await self._call(Classification, calls.analysis("/v1/classifications", image, options))

    async def detect(self, image: Image, options: Options = DEFAULT_OPTIONS) -> Detection:
        return await self._call(Detection, calls.analysis("/v1/detections", image, options))

    async def analyse(self, image: Image, options: Options = DEFAULT_OPTIONS) -> Analysis:
        return await self._call(Analysis, calls.analysis("/v1/analyses", image, options))

    async def analyse_many(self, images: Sequence[Image], options: Options = DEFAULT_OPTIONS) -> AnalysisBatch:
        """Results are in the order of the images."""
        return await self._call(AnalysisBatch, calls.batch(images, options, "application/json"))

    async def analyse_as_ready(
        self, images: Sequence[Image], options: Options = DEFAULT_OPTIONS
    ) -> AsyncIterator[AnalysisItem]:
        """Results as they become ready, with the image's index in `images`. Not retried once it has begun."""
        call = calls.batch(images, options, "text/event-stream")
        try:
            async with self._stream(call) as response:
                if response.is_error:
                    await response.aread()
                    raise_for_problem(response)
                async for event in EventSource(response).aiter_sse():
                    if event.event == "end":
                        return
                    yield parse(AnalysisItem, event.data)
        except httpx.HTTPError as error:
            raise GatewayUnreachable(str(error)) from error
        raise UnexpectedResponse("the event stream stopped before its end")

    def _hold(self, token: AccessToken) -> HeldToken:
        held = token if isinstance(token, HeldToken) else HeldToken.received_now(token, self.token)
        self._auth.store.save(held)
        return held

    def _stream(self, call: Call) -> AbstractAsyncContextManager[httpx.Response]:
        return self._client.stream(**call.arguments(asynchronous=True), auth=self._auth)

    async def _call(self, model: type[Result], call: Call) -> Result:
        return read(model, await self._send(call))

    async def _send(self, call: Call) -> httpx.Response:
        """Retries with the same Idempotency-Key."""
        attempts = 0
        while True:
            attempts += 1
            response, failure = None, None
            try:
                response = await self._client.request(
                    **call.arguments(asynchronous=True), auth=self._auth if call.authenticated else None
                )
            except httpx.HTTPError as error:
                failure = error
            delay_s = retry_delay_s(response, attempts)
            if delay_s is None and response is not None:
                return response
            if delay_s is None:
                raise GatewayUnreachable(str(failure)) from failure
            await asyncio.sleep(delay_s)
