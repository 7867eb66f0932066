"""The reason that a caller is given for a refused access token."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest
from jose import jws, jwt

from auth_service.keys import SigningKey
from auth_service.tokens import TokenIssuer
from hepar.core.errors import Unauthenticated
from hepar.web.access_tokens import token_key_id
from tests.support.tokens import CLAIMS, encoded_part, good_claims, kid, signed, subject_of

NOW = 1_800_000_000


def refusal(issuer: TokenIssuer, token: str, now: float | None = None) -> str:
    """The reason that the caller is given."""
    with pytest.raises(Unauthenticated) as refused:
        subject_of(issuer, token, now)
    return refused.value.detail


@pytest.mark.parametrize("claim", CLAIMS)
def test_the_reason_names_the_missing_claim(issuer: TokenIssuer, claim: str) -> None:
    claims = good_claims(issuer)
    del claims[claim]
    assert refusal(issuer, signed(issuer, claims)) == f"the token's {claim} is missing"
    assert refusal(issuer, signed(issuer, claims | {claim: 1.5})) == f"the token's {claim} is missing"


@pytest.mark.parametrize(
    ("claims", "reason"),
    [
        ({"iss": "another"}, "the token is not meant for this server"),
        ({"aud": "another"}, "the token is not meant for this server"),
        ({"sid": 7}, "the token's sid is not a text"),
    ],
)
def test_wrong_claims_are_refused_with_their_reason(issuer: TokenIssuer, claims: dict[str, Any], reason: str) -> None:
    assert refusal(issuer, signed(issuer, good_claims(issuer) | claims)) == reason


@pytest.mark.parametrize(
    ("headers", "reason"),
    [
        ({"typ": "JWT"}, "the token's header is not acceptable"),
        ({"crit": ["exp"]}, "the token's header is not acceptable"),
        ({"kid": 7}, "the token names no key"),
        ({"kid": "another"}, "the token's key is not known"),
    ],
)
def test_wrong_headers_are_refused_with_their_reason(issuer: TokenIssuer, headers: dict[str, Any], reason: str) -> None:
    assert refusal(issuer, signed(issuer, good_claims(issuer), headers)) == reason


@pytest.mark.parametrize(
    ("header", "reason"),
    [
        ({"alg": "HS256", "typ": "at+jwt", "kid": "one"}, "the token's header is not acceptable"),
        ({"typ": "at+jwt", "kid": "one"}, "the token's header is not acceptable"),
        ({"alg": "ES256", "kid": "one"}, "the token's header is not acceptable"),
        ({"alg": "ES256", "typ": "at+jwt"}, "the token names no key"),
    ],
)
def test_the_key_of_a_token_with_a_wrong_header_is_not_read(header: dict[str, Any], reason: str) -> None:
    with pytest.raises(Unauthenticated) as refused:
        token_key_id(f"{encoded_part(header)}.e30.AA")
    assert refused.value.detail == reason


@pytest.mark.parametrize("key_id", ["ÿ?>~", *("k" * length for length in range(20))])
def test_the_key_of_a_token_is_read_whatever_the_padding(key_id: str) -> None:
    header = json.dumps({"alg": "ES256", "typ": "at+jwt", "kid": key_id}, ensure_ascii=False)
    part = base64.urlsafe_b64encode(header.encode()).rstrip(b"=").decode()
    assert token_key_id(f"{part}.e30.AA") == key_id


@pytest.mark.parametrize(
    ("token", "reason"),
    [
        ("A" * 4097, "the token is too long"),
        ("A" * 4096, "the token is not a signed JWT"),
        ("A" * 1025 + ".e30.AA", "the token is not a signed JWT"),
        ("A" * 1024 + ".e30.AA", "the token is not valid"),
        ("bnVsbA.e30.AA", "the token is not valid"),
    ],
)
def test_malformed_tokens_are_refused_with_their_reason(issuer: TokenIssuer, token: str, reason: str) -> None:
    assert refusal(issuer, token) == reason
    with pytest.raises(Unauthenticated) as refused:
        token_key_id(token)
    assert refused.value.detail == reason


@pytest.mark.parametrize("part", range(3))
@pytest.mark.parametrize("addition", ["=", "==", "\n", " ", "+", "/"])
def test_characters_outside_base64url_are_refused(issuer: TokenIssuer, part: int, addition: str) -> None:
    """RFC 7515, section 2: without padding and without white space."""
    parts = issuer.issue("somebody", "analyses").split(".")
    parts[part] += addition
    assert refusal(issuer, ".".join(parts)) == "the token is not a signed JWT"


def test_a_wrong_signature_is_refused_and_the_cause_is_kept(issuer: TokenIssuer) -> None:
    headers = {"kid": kid(issuer), "typ": "at+jwt"}
    token = jwt.encode(good_claims(issuer), SigningKey.fresh().pem, algorithm="ES256", headers=headers)
    with pytest.raises(Unauthenticated) as refused:
        subject_of(issuer, token)
    assert refused.value.detail == "the token is not valid"
    assert "Signature verification failed" in str(refused.value.__cause__)


@pytest.mark.parametrize(
    ("text", "cause"),
    [
        ('{"sub": "a", "sub": "b"}', "a name comes twice"),
        ('{"exp": NaN}', "NaN is no number"),
        ('{"exp": -Infinity}', "-Infinity is no number"),
        ("[]", "not an object"),
        ("null", "not an object"),
    ],
)
def test_claims_that_are_no_strict_object_are_refused_and_the_cause_is_kept(
    issuer: TokenIssuer, text: str, cause: str
) -> None:
    headers = {"kid": kid(issuer), "typ": "at+jwt"}
    token = str(jws.sign(text.encode(), issuer.keys.signing().pem, headers=headers, algorithm="ES256"))
    with pytest.raises(Unauthenticated) as refused:
        subject_of(issuer, token)
    assert refused.value.detail == "the token is not valid"
    assert str(refused.value.__cause__) == cause


@pytest.mark.parametrize(
    ("claims", "now", "reason"),
    [
        ({"exp": NOW}, NOW + 4.999, None),
        ({"exp": NOW}, NOW + 5, "the token has expired"),
        ({"nbf": NOW}, NOW - 5, None),
        ({"nbf": NOW}, NOW - 5.001, "the token is not valid yet"),
        ({"iat": NOW}, NOW - 5, None),
        ({"iat": NOW}, NOW - 5.001, "the token is not valid yet"),
    ],
)
def test_times_are_checked_with_five_seconds_of_leeway(
    issuer: TokenIssuer, claims: dict[str, int], now: float, reason: str | None
) -> None:
    lasting = good_claims(issuer) | {"iat": NOW - 9999, "nbf": NOW - 9999, "exp": NOW + 9999}
    token = signed(issuer, lasting | claims)
    if reason is None:
        assert subject_of(issuer, token, now) == "somebody"
    else:
        assert refusal(issuer, token, now) == reason
