"""Rate limits by account and by address."""

from __future__ import annotations

import re

from tests.support.gateway_client import DARK, PNG, Surroundings, bearer, gateway, problem

PATH = "/v1/models"


def left(headers: dict[str, str] | object, name: str) -> int:
    match = re.search(rf'"{name}";r=(\d+);t=\d+', headers["ratelimit"])  # type: ignore[index]
    assert match is not None
    return int(match[1])


def test_an_account_has_its_share_and_is_told_what_is_left(around: Surroundings) -> None:
    with gateway(around, account_per_minute=3, address_per_minute=100) as client:
        answers = [client.get(PATH, headers=bearer(around)) for _ in range(4)]
        assert [answer.status_code for answer in answers] == [200, 200, 200, 429]
        assert [left(answer.headers, "account") for answer in answers] == [2, 1, 0, 0]
        assert answers[0].headers["ratelimit-policy"] == '"address";q=100;w=60, "account";q=3;w=60'
        refused = problem(answers[3])
        assert refused.type == "/problems/rate-limited"
        assert "3 requests a minute" in refused.detail
        assert 1 <= int(answers[3].headers["retry-after"]) <= 120
        assert client.get(PATH, headers=bearer(around, subject="somebody-else")).status_code == 200


def test_an_address_has_its_share_whoever_asks(around: Surroundings) -> None:
    with gateway(around, account_per_minute=100, address_per_minute=2) as client:
        assert client.post("/v1/token", data={"grant_type": "password"}).status_code == 400
        assert client.get(PATH, headers=bearer(around)).status_code == 200
        assert problem(client.get(PATH, headers=bearer(around, subject="another"))).status == 429
        assert problem(client.post("/v1/classifications", content=DARK, headers=PNG)).status == 429
        for free in ("/healthz", "/docs", "/problems/rate-limited"):
            assert client.get(free).status_code == 200


def test_a_refused_address_does_not_use_up_the_account(around: Surroundings) -> None:
    with gateway(around, account_per_minute=5, address_per_minute=1) as client:
        assert client.get(PATH, headers=bearer(around)).status_code == 200
        refused = client.get(PATH, headers=bearer(around))
        assert (refused.status_code, left(refused.headers, "address"), left(refused.headers, "account")) == (429, 0, 4)
