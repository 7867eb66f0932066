"""`Hepar`: the synchronous client."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager
from types import TracebackType
from typing import Self

import httpx
from httpx_sse import EventSource

from . import calls
from .auth import HeldToken, MemoryTokenStore, TokenAuth, TokenStore
from .calls import TIMEOUT_S, Call, Image
from .contracts.accounts import Account
from .contracts.analyses import Analysis, Classification, Detection
from .contracts.batches import AnalysisBatch, AnalysisItem
from .contracts.models import ModelList
from .contracts.tokens import AccessToken
from .errors import GatewayUnreachable, UnexpectedResponse
from .options import DEFAULT_OPTIONS, Options
from .responses import Result, parse, raise_for_problem, read, retry_delay_s
from .sync_studies import Studies


class Hepar:
    """A gateway. Use as a context manager; threads may share it. `studies` has the methods for whole studies.

    Every method raises HeparProblem for what the gateway refuses, GatewayUnreachable and UnexpectedResponse.
    """

    def __init__(
        self,
        url: str,
        token: AccessToken | None = None,
        timeout_s: float = TIMEOUT_S,
        client: httpx.Client | None = None,
        store: TokenStore | None = None,
        client_credentials: tuple[str, str] | None = None,
    ) -> None:
        """client: a client with your proxies and certificates, whose base is then used instead of `url`.

        store: keeps the token instead of this object, for example in a file that processes share.
        client_credentials: id and secret that get the next token where the stored one has no refresh token.
        """
        self._client = client or httpx.Client(base_url=url, timeout=timeout_s)
        self._auth = TokenAuth(store or MemoryTokenStore(), self._client.build_request, client_credentials)
        self.studies = Studies(self._send, self._stream)
        if token is not None:
            self._hold(token)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._client.close()

    @property
    def token(self) -> HeldToken | None:
        """The current token. Store it and pass it to `Hepar` later to continue without signing in."""
        return self._auth.store.load()

    def sign_up(self, email: str, password: str, name: str = "") -> Account:
        return self._call(Account, calls.sign_up(email, password, name))

    def sign_in(self, email: str, password: str, otp: str | None = None) -> HeldToken:
        """otp: the code of the second factor, if the account has one."""
        device = self.token.device if self.token else None
        return self._hold(self._call(AccessToken, calls.sign_in(email, password, otp, device)))

    def sign_in_as_client(self, client_id: str, client_secret: str) -> HeldToken:
        """For hospital systems. The credentials are kept in memory to get the next token."""
        token = self._hold(self._call(AccessToken, calls.client_credentials(client_id, client_secret)))
        self._auth.client_credentials = client_id, client_secret
        return token

    def forget_token(self) -> None:
        """The session stays valid until it expires or is ended at the gateway."""
        with self._auth.store.lock():
            self._auth.store.save(None)

    def me(self) -> Account:
        return self._call(Account, calls.ME)

    def models(self) -> ModelList:
        return self._call(ModelList, calls.MODELS)

    def classify(self, image: Image, options: Options = DEFAULT_OPTIONS) -> Classification:
        return self._call(Classification, calls.analysis("/v1/classifications", image, options))

    def detect(self, image: Image, options: Options = DEFAULT_OPTIONS) -> Detection:
        return self._call(Detection, calls.analysis("/v1/detections", image, options))

    def analyse(self, image: Image, options: Options = DEFAULT_OPTIONS) -> Analysis:
        return self._call(Analysis, calls.analysis("/v1/analyses", image, options))

    def analyse_many(self, images: Sequence[Image], options: Options = DEFAULT_OPTIONS) -> AnalysisBatch:
        """Results are in the order of the images."""
        return self._call(AnalysisBatch, calls.batch(images, options, "application/json"))

    def analyse_as_ready(self, images: Sequence[Image], options: Options = DEFAULT_OPTIONS) -> Iterator[AnalysisItem]:
        """Results as they become ready, with the image's index in `images`. Not retried once it has begun."""
        call = calls.batch(images, options, "text/event-stream")
        try:
            with self._stream(call) as response:
                if response.is_error:
                    response.read()
                    raise_for_problem(response)
                for event in EventSource(response).iter_sse():
                    if event.event == "end":
                        return
                    yield parse(AnalysisItem, event.data)
        except httpx.HTTPError as error:
            raise GatewayUnreachable(str(error)) from error
        raise UnexpectedResponse("the event stream stopped before its end")

    def _hold(self, token: AccessToken) -> HeldToken:
        held = token if isinstance(token, HeldToken) else HeldToken.received_now(token, self.token)
        with self._auth.store.lock():
            self._auth.store.save(held)
        return held

    def _stream(self, call: Call) -> AbstractContextManager[httpx.Response]:
        return self._client.stream(**call.arguments(), auth=self._auth)

    def _call(self, model: type[Result], call: Call) -> Result:
        return read(model, self._send(call))

    def _send(self, call: Call) -> httpx.Response:
        """Retries with the same Idempotency-Key."""
        attempts = 0
        while True:
            attempts += 1
            response, failure = None, None
            try:
                response = self._client.request(**call.arguments(), auth=self._auth if call.authenticated else None)
            except httpx.HTTPError as error:
                failure = error
            delay_s = retry_delay_s(response, attempts)
            if delay_s is None and response is not None:
                return response
            if delay_s is None:
                raise GatewayUnreachable(str(failure)) from failure
            time.sleep(delay_s)
