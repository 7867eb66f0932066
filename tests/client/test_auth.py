"""Renewal of tokens: each case with the synchronous and the asynchronous client."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from urllib.parse import parse_qs

import pytest
from hepar_client import AsyncHepar, Hepar, HeparProblem, UnexpectedResponse
from hepar_client.auth import HeldToken
from hepar_client.contracts.tokens import AccessToken

from tests.support.scripted_gateway import MODELS, RENEWED, Response, ScriptedGateway, problem
from tests.support.serving import serving

VALID = AccessToken(access_token="one", expires_in=600, scope="analyses", refresh_token="first")
EXPIRING = VALID.model_copy(update={"expires_in": 1})
RENEWAL: Response = (200, {}, RENEWED)
MODEL_LIST: Response = (200, {}, MODELS)
REFUSED: Response = (401, {}, problem(401))
EVENTS: Response = (200, {"content-type": "text/event-stream"}, b'event: end\ndata: {"count": 0}\n\n')


@dataclass(frozen=True)
class Operation:
    """method: of the client, as `_synchronous` names it."""

    method: str
    path: str
    response: Response


OPERATIONS = (Operation("models", "/v1/models", MODEL_LIST), Operation("events", "/v1/analyses/batch", EVENTS))
Use = Callable[[str, AccessToken | None, str], HeldToken | None]


def _synchronous(url: str, token: AccessToken | None, methods: str) -> HeldToken | None:
    with Hepar(url, token) as hepar:
        for method in methods.split():
            if method == "models":
                hepar.models()
            elif method == "events":
                list(hepar.analyse_as_ready([b"image"]))
            else:
                hepar.sign_in_as_client("id", "secret")
        return hepar.token


def _asynchronous(url: str, token: AccessToken | None, methods: str) -> HeldToken | None:
    async def run() -> HeldToken | None:
        async with AsyncHepar(url, token) as hepar:
            for method in methods.split():
                if method == "models":
                    await hepar.models()
                elif method == "events":
                    [item async for item in hepar.analyse_as_ready([b"image"])]
                else:
                    await hepar.sign_in_as_client("id", "secret")
            return hepar.token

    return asyncio.run(run())


@pytest.fixture(params=[_synchronous, _asynchronous], ids=["sync", "async"])
def use(request: pytest.FixtureRequest) -> Use:
    chosen: Use = request.param
    return chosen


@pytest.mark.parametrize("operation", OPERATIONS, ids=lambda operation: operation.method)
class TestRenewal:
    def test_a_token_is_renewed_before_it_expires(self, use: Use, operation: Operation) -> None:
        gateway = ScriptedGateway([RENEWAL, operation.response, operation.response])
        with serving(gateway) as url:
            token = use(url, EXPIRING, f"{operation.method} {operation.method}")
        assert gateway.paths == ["/v1/token", operation.path, operation.path]
        assert parse_qs(gateway.received[0].body)[b"refresh_token"] == [b"first"]
        assert "authorization" not in gateway.received[0].headers
        assert gateway.received[1].headers["authorization"] == "Bearer two"
        assert token is not None
        assert token.refresh_token == "second"

    def test_a_refused_token_is_renewed_once(self, use: Use, operation: Operation) -> None:
        gateway = ScriptedGateway([REFUSED, RENEWAL, operation.response])
        with serving(gateway) as url:
            use(url, VALID, operation.method)
        assert gateway.paths == [operation.path, "/v1/token", operation.path]
        first, _, second = gateway.received
        assert first.headers["authorization"] == "Bearer one"
        assert second.headers["authorization"] == "Bearer two"
        assert first.headers.get("idempotency-key") == second.headers.get("idempotency-key")

    def test_a_token_that_is_refused_again_is_an_error(self, use: Use, operation: Operation) -> None:
        gateway = ScriptedGateway([REFUSED, RENEWAL, REFUSED])
        with serving(gateway) as url, pytest.raises(HeparProblem) as caught:
            use(url, VALID, operation.method)
        assert caught.value.problem.status == 401
        assert gateway.paths == [operation.path, "/v1/token", operation.path]

    def test_a_refused_renewal_is_an_error(self, use: Use, operation: Operation) -> None:
        gateway = ScriptedGateway([REFUSED])
        with serving(gateway) as url, pytest.raises(HeparProblem) as caught:
            use(url, EXPIRING, operation.method)
        assert caught.value.problem.status == 401
        assert gateway.paths == ["/v1/token"]

    def test_a_hospital_system_gets_the_next_token_with_its_secret(self, use: Use, operation: Operation) -> None:
        token: Response = (200, {}, b'{"access_token": "one", "expires_in": 600, "scope": "analyses"}')
        gateway = ScriptedGateway([token, REFUSED, token, operation.response])
        with serving(gateway) as url:
            use(url, None, f"sign_in_as_client {operation.method}")
        assert gateway.paths == ["/v1/token", operation.path, "/v1/token", operation.path]
        assert parse_qs(gateway.received[2].body)[b"client_secret"] == [b"secret"]

    def test_a_token_without_successor_is_not_renewed(self, use: Use, operation: Operation) -> None:
        gateway = ScriptedGateway([REFUSED])
        with serving(gateway) as url, pytest.raises(HeparProblem):
            use(url, EXPIRING.model_copy(update={"refresh_token": None}), operation.method)
        assert gateway.paths == [operation.path]


def test_a_renewal_is_retried_when_the_gateway_is_busy(use: Use) -> None:
    busy: Response = (503, {"retry-after": "0"}, problem(503))
    gateway = ScriptedGateway([busy, RENEWAL, MODEL_LIST])
    with serving(gateway) as url:
        use(url, EXPIRING, "models")
    assert gateway.paths == ["/v1/token", "/v1/token", "/v1/models"]
    first, second, _ = gateway.received
    assert first.body == second.body


def test_a_renewal_that_is_not_a_token_is_an_unexpected_response(use: Use) -> None:
    with serving(ScriptedGateway([(200, {}, b"{}")])) as url, pytest.raises(UnexpectedResponse, match="AccessToken"):
        use(url, EXPIRING, "models")


USERS = 8


def test_threads_renew_once() -> None:
    gateway = ScriptedGateway([RENEWAL] + [MODEL_LIST] * USERS)
    with serving(gateway) as url, Hepar(url, EXPIRING) as hepar, ThreadPoolExecutor(USERS) as pool:
        for future in [pool.submit(hepar.models) for _ in range(USERS)]:
            future.result()
    assert gateway.paths.count("/v1/token") == 1


def test_threads_whose_token_is_refused_renew_once() -> None:
    """All are refused before the first of them renews."""
    gateway = ScriptedGateway([REFUSED] * USERS + [RENEWAL] + [MODEL_LIST] * USERS, held_path="/v1/models")
    with serving(gateway) as url, Hepar(url, VALID) as hepar, ThreadPoolExecutor(USERS) as pool:
        futures = [pool.submit(hepar.models) for _ in range(USERS)]
        while len(gateway.received) < USERS:
            time.sleep(0.01)
        gateway.release.set()
        for future in futures:
            future.result()
    assert gateway.paths.count("/v1/token") == 1


def test_tasks_renew_once() -> None:
    async def run(url: str) -> None:
        async with AsyncHepar(url, EXPIRING) as hepar:
            await asyncio.gather(*[hepar.models() for _ in range(USERS)])

    gateway = ScriptedGateway([RENEWAL] + [MODEL_LIST] * USERS)
    with serving(gateway) as url:
        asyncio.run(run(url))
    assert gateway.paths.count("/v1/token") == 1
