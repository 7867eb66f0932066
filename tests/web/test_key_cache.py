"""The cache of published keys: when they are fetched, and what happens while auth_service does not answer."""

from __future__ import annotations

import asyncio
import time

import pytest

from auth_service.tokens import TokenIssuer
from hepar.contracts.tokens import PublicKeys
from hepar.core.errors import BadUpstream, HeparError, Unauthenticated, Unavailable
from hepar.web import access_tokens
from hepar.web.access_tokens import LEEWAY_S, KeyCache, TokenRules
from tests.support.tokens import RULES, good_claims, new_issuer, signed


@pytest.fixture(scope="module")
def issuer(tmp_path_factory: pytest.TempPathFactory) -> TokenIssuer:
    return new_issuer(tmp_path_factory.mktemp("keys"))


def test_keys_are_fetched_for_an_unknown_kid_at_a_limited_rate(issuer: TokenIssuer) -> None:
    calls = 0

    async def fetch() -> PublicKeys:
        nonlocal calls
        calls += 1
        await asyncio.sleep(0.01)
        return PublicKeys(keys=issuer.keys.published())

    async def scenario() -> None:
        cache = KeyCache(fetch, interval_s=60)
        tokens = [issuer.issue("somebody", "analyses") for _ in range(5)]
        principals = await asyncio.gather(*(cache.principal(token, RULES) for token in tokens))
        assert {principal.subject for principal in principals} == {"somebody"}
        for _ in range(5):
            with pytest.raises(Unauthenticated):
                await cache.principal(signed(issuer, good_claims(issuer), {"kid": "unknown"}), RULES)

    asyncio.run(scenario())
    assert calls == 1


def test_a_key_that_is_newer_than_the_last_readiness_check_is_found(issuer: TokenIssuer) -> None:
    known = [PublicKeys(keys=[]), PublicKeys(keys=issuer.keys.published())]

    async def fetch() -> PublicKeys:
        return known.pop(0)

    async def scenario() -> None:
        cache = KeyCache(fetch, interval_s=60)
        await cache.refresh()
        assert (await cache.principal(issuer.issue("somebody", "analyses"), RULES)).subject == "somebody"

    asyncio.run(scenario())
    assert known == []


def test_known_keys_survive_an_outage_and_unknown_ones_are_refused(issuer: TokenIssuer) -> None:
    answers: list[PublicKeys | Exception] = [
        Unavailable(),
        PublicKeys(keys=issuer.keys.published()),
        BadUpstream(),
    ]

    async def fetch() -> PublicKeys:
        answer = answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer

    async def scenario() -> None:
        cache = KeyCache(fetch, interval_s=0)
        token = issuer.issue("somebody", "analyses")
        with pytest.raises(Unavailable):
            await cache.principal(token, RULES)
        assert (await cache.principal(token, RULES)).scopes == {"analyses"}
        assert await cache.refresh()
        assert (await cache.principal(token, RULES)).subject == "somebody"

    asyncio.run(scenario())
    assert answers == []


class FakeTime:
    """Stands in for the module `time` in access_tokens."""

    def __init__(self) -> None:
        self.now_s = 1000.0
        self.time = time.time

    def monotonic(self) -> float:
        return self.now_s


@pytest.fixture
def fake_time(monkeypatch: pytest.MonkeyPatch) -> FakeTime:
    fake = FakeTime()
    monkeypatch.setattr(access_tokens, "time", fake)
    return fake


class PublishedKeys:
    """Answers fetches in turn; the last answer stays."""

    def __init__(self, *answers: PublicKeys | HeparError) -> None:
        self.answers = list(answers)
        self.fetches = 0

    async def __call__(self) -> PublicKeys:
        self.fetches += 1
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        if isinstance(answer, HeparError):
            raise answer
        return answer


def test_keys_are_fetched_again_after_three_seconds(fake_time: FakeTime) -> None:
    fetch = PublishedKeys(PublicKeys(keys=[]))

    async def scenario() -> None:
        cache = KeyCache(fetch)
        for elapsed_s, fetches in ((0, 1), (2.75, 1), (0.25, 2), (2.75, 2), (0.25, 3)):
            fake_time.now_s += elapsed_s
            assert not await cache.refresh()
            assert fetch.fetches == fetches

    asyncio.run(scenario())


def test_an_unknown_key_is_looked_for_at_most_once_in_the_interval(issuer: TokenIssuer, fake_time: FakeTime) -> None:
    fetch = PublishedKeys(PublicKeys(keys=issuer.keys.published()))

    async def scenario() -> None:
        cache = KeyCache(fetch)
        token = signed(issuer, good_claims(issuer), {"kid": "unknown"})
        for elapsed_s, fetches in ((0, 1), (2.75, 1), (0.25, 2), (2.75, 2), (0.25, 3)):
            fake_time.now_s += elapsed_s
            with pytest.raises(Unauthenticated):
                await cache.principal(token, RULES)
            assert fetch.fetches == fetches

    asyncio.run(scenario())


def test_a_readiness_check_after_an_unknown_key_waits_for_the_interval(
    issuer: TokenIssuer, fake_time: FakeTime
) -> None:
    fetch = PublishedKeys(PublicKeys(keys=issuer.keys.published()))

    async def scenario() -> None:
        cache = KeyCache(fetch)
        await cache.principal(issuer.issue("somebody", "analyses"), RULES)
        fake_time.now_s += 1
        assert await cache.refresh()
        assert fetch.fetches == 1
        fake_time.now_s += 2
        assert await cache.refresh()
        assert fetch.fetches == 2

    asyncio.run(scenario())


def test_a_failed_fetch_is_logged_with_its_reason_and_not_repeated_at_once(
    issuer: TokenIssuer, fake_time: FakeTime, caplog: pytest.LogCaptureFixture
) -> None:
    fetch = PublishedKeys(Unavailable("the connection was refused"), PublicKeys(keys=issuer.keys.published()))

    async def scenario() -> None:
        cache = KeyCache(fetch)
        token = issuer.issue("somebody", "analyses")
        for _ in range(2):
            with pytest.raises(Unavailable) as unavailable:
                await cache.principal(token, RULES)
            assert unavailable.value.detail == "sign-in cannot be checked at the moment"
        assert fetch.fetches == 1
        fake_time.now_s += 3
        assert (await cache.principal(token, RULES)).subject == "somebody"

    asyncio.run(scenario())
    (record,) = caplog.records
    assert (record.levelname, record.getMessage()) == ("WARNING", "the public keys cannot be fetched")
    assert record.__dict__["reason"] == "the connection was refused"


def test_a_known_key_needs_no_fetch(issuer: TokenIssuer, fake_time: FakeTime) -> None:
    fetch = PublishedKeys(PublicKeys(keys=issuer.keys.published()))

    async def scenario() -> None:
        cache = KeyCache(fetch)
        for _ in range(2):
            await cache.principal(issuer.issue("somebody", "analyses"), RULES)
            fake_time.now_s += 60

    asyncio.run(scenario())
    assert fetch.fetches == 1


def test_a_verified_token_is_refused_when_it_has_expired_or_its_key_was_withdrawn(
    issuer: TokenIssuer, fake_time: FakeTime
) -> None:
    published = PublicKeys(keys=issuer.keys.published())

    async def scenario() -> None:
        cache = KeyCache(PublishedKeys(published, published, PublicKeys(keys=[])), interval_s=0)
        token = issuer.issue("somebody", "analyses")
        principal = await cache.principal(token, RULES)
        assert await cache.principal(token, RULES) is principal  # not verified again
        with pytest.raises(Unauthenticated):
            await cache.principal(token, TokenRules(RULES.issuer, "another audience"))
        fake_time.time = lambda: float(principal.expires_at + LEEWAY_S)
        with pytest.raises(Unauthenticated):
            await cache.principal(token, RULES)
        fake_time.time = time.time
        assert await cache.principal(token, RULES) is principal
        assert await cache.refresh()
        assert await cache.principal(token, RULES) == principal
        assert not await cache.refresh()
        with pytest.raises(Unavailable):
            await cache.principal(token, RULES)

    asyncio.run(scenario())


def test_a_bounded_number_of_verified_tokens_is_kept(issuer: TokenIssuer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(access_tokens, "_VERIFIED_MAX", 2)

    async def scenario() -> None:
        cache = KeyCache(PublishedKeys(PublicKeys(keys=issuer.keys.published())))
        token = issuer.issue("somebody", "analyses")
        first = await cache.principal(token, RULES)
        for _ in range(2):
            await cache.principal(issuer.issue("another", "analyses"), RULES)
        assert await cache.principal(token, RULES) is not first

    asyncio.run(scenario())
