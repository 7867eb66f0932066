"""Access tokens: every claim, header and signature of a token is checked before it is believed."""

from __future__ import annotations

import base64
import json
import time
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from jose import jws, jwt
from jose.backends.base import Key

from auth_service.keys import SigningKey
from auth_service.tokens import TokenIssuer
from hepar.contracts.tokens import PublicKeys
from hepar.core.errors import Forbidden, Unauthenticated
from hepar.web import access_tokens
from hepar.web.access_tokens import Principal, read_token, token_key_id, verification_keys
from tests.support.tokens import RULES, good_claims, kid, new_issuer, signed


@pytest.fixture(scope="module")
def issuer(tmp_path_factory: pytest.TempPathFactory) -> TokenIssuer:
    return new_issuer(tmp_path_factory.mktemp("keys"))


def read(issuer: TokenIssuer, token: str, now: float | None = None) -> str:
    return read_token(token, verification_keys(PublicKeys(keys=issuer.keys.published())), RULES, now).subject


def test_an_issued_token_is_read_back(issuer: TokenIssuer) -> None:
    assert read(issuer, issuer.issue("somebody", "analyses")) == "somebody"


def test_a_token_expires_and_is_not_valid_before_its_time(issuer: TokenIssuer) -> None:
    token, now = issuer.issue("somebody", "analyses"), time.time()
    assert read(issuer, token, now + 595) == "somebody"
    with pytest.raises(Unauthenticated, match="expired"):
        read(issuer, token, now + 606)
    with pytest.raises(Unauthenticated, match="not valid yet"):
        read(issuer, token, now - 60)


_MISSING = object()


_WRONG_VALUES: tuple[object, ...] = (_MISSING, "1e9", 1.5, True, ["audience"], {}, None)


_CLAIMS = ("exp", "iat", "nbf", "iss", "aud", "sub", "jti", "scope")


@pytest.mark.parametrize(
    ("claim", "value"),
    [
        (claim, value)
        for claim in _CLAIMS
        for value in _WRONG_VALUES
        if not (isinstance(value, str) and claim in ("sub", "jti", "scope"))  # there, any text is right
    ],
)
def test_every_claim_is_required_and_typed(issuer: TokenIssuer, claim: str, value: object) -> None:
    claims = good_claims(issuer)
    if value is _MISSING:
        del claims[claim]
    else:
        claims[claim] = value
    with pytest.raises(Unauthenticated):
        read(issuer, signed(issuer, claims))


@pytest.mark.parametrize("value", ["Infinity", "-Infinity", "NaN", "1" + "0" * 400])
def test_non_finite_numbers_are_refused(issuer: TokenIssuer, value: str) -> None:
    claims = json.dumps(good_claims(issuer) | {"exp": "?"}).replace('"?"', value)
    token = jws.sign(
        claims.encode(),
        issuer.keys.signing().pem,
        headers={"kid": kid(issuer), "typ": "at+jwt"},
        algorithm="ES256",
    )
    if value.startswith("1"):  # a number, if a very late one
        assert read(issuer, token) == "somebody"
    else:
        with pytest.raises(Unauthenticated):
            read(issuer, token)


@pytest.mark.parametrize(
    "headers",
    [
        {"typ": "JWT"},
        {"kid": "another"},
        {"kid": 7},
        {"crit": ["exp"]},
        {"jku": "http://127.0.0.1/keys"},
        {"zip": "DEF"},
    ],
)
def test_headers_other_than_ours_are_refused(issuer: TokenIssuer, headers: dict[str, Any]) -> None:
    with pytest.raises(Unauthenticated):
        read(issuer, signed(issuer, good_claims(issuer), headers))


def test_other_algorithms_are_refused(issuer: TokenIssuer) -> None:
    secret = json.dumps(issuer.keys.published()[0].model_dump())
    headers = {"kid": kid(issuer), "typ": "at+jwt"}
    hmac = jwt.encode(good_claims(issuer), secret, algorithm="HS256", headers=headers)
    unsigned = ".".join(
        [*map(encode, ({"alg": "none", **headers}, good_claims(issuer))), ""],
    )
    for token in (hmac, unsigned):
        with pytest.raises(Unauthenticated):
            read(issuer, token)


def encode(part: object) -> str:
    return base64.urlsafe_b64encode(json.dumps(part).encode()).rstrip(b"=").decode()


def test_a_signature_by_another_key_is_refused(issuer: TokenIssuer) -> None:
    other = SigningKey.fresh().pem
    token = jwt.encode(
        good_claims(issuer),
        other,
        algorithm="ES256",
        headers={"kid": kid(issuer), "typ": "at+jwt"},
    )
    with pytest.raises(Unauthenticated):
        read(issuer, token)


@pytest.mark.parametrize(
    "token",
    [
        "",
        "..",
        "a.b",
        "a.b.c.d",
        "a b.c.d",
        "é.é.é",
        base64.urlsafe_b64encode(b"[" * 1500).decode().rstrip("=") + ".e30.AA",
        base64.urlsafe_b64encode(b"[" * 700).decode().rstrip("=") + ".e30.AA",
        base64.urlsafe_b64encode(b'{"alg":' * 90).decode().rstrip("=") + ".e30.AA",
        "A" * 5000,
        "e30.e30.AA",
        "bnVsbA.e30.AA",
    ],
)
def test_hostile_tokens_raise_only_unauthenticated(issuer: TokenIssuer, token: str) -> None:
    with pytest.raises(Unauthenticated):
        read(issuer, token)


@settings(max_examples=200, deadline=None)
@given(st.data())
def test_no_change_to_a_token_is_accepted(issuer: TokenIssuer, data: st.DataObject) -> None:
    token = issuer.issue("somebody", "analyses")
    place = data.draw(st.integers(0, len(token) - 1))
    letter = data.draw(st.characters(max_codepoint=0x2FF))
    mutated = token[:place] + letter + token[place + 1 :]
    if mutated == token or _same_bytes(mutated, token):
        return
    with pytest.raises(Unauthenticated):
        read(issuer, mutated)


def _same_bytes(one: str, other: str) -> bool:
    """The last letter of a part has bits that base64url ignores."""

    def raw(token: str) -> list[bytes] | None:
        try:
            return [base64.urlsafe_b64decode(part + b"==") for part in token.encode("ascii").split(b".")]
        except ValueError:
            return None

    return raw(one) == raw(other)


def refusal(issuer: TokenIssuer, token: str, now: float | None = None) -> str:
    """The reason that the caller is given."""
    with pytest.raises(Unauthenticated) as refused:
        read(issuer, token, now)
    return refused.value.detail


def test_a_principal_is_refused_for_the_first_scope_that_it_lacks() -> None:
    principal = Principal("somebody", frozenset({"analyses", "account"}), "id")
    principal.require([])
    principal.require(["account", "analyses"])
    with pytest.raises(Forbidden, match=r"^the token lacks the scope `users`$"):
        principal.require(["account", "users", "audit"])


def test_a_principal_has_all_that_the_token_states(issuer: TokenIssuer) -> None:
    claims = good_claims(issuer)
    claims.update(scope="analyses  accounts", sid="session-1")
    keys = verification_keys(PublicKeys(keys=issuer.keys.published()))
    expected = Principal("somebody", frozenset({"analyses", "accounts"}), claims["jti"], claims["exp"], "session-1")
    assert read_token(signed(issuer, claims), keys, RULES) == expected
    del claims["sid"]
    assert read_token(signed(issuer, claims), keys, RULES).session is None


@pytest.mark.parametrize("claim", _CLAIMS)
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
        token_key_id(f"{encode(header)}.e30.AA")
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
        read(issuer, token)
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
        read(issuer, token)
    assert refused.value.detail == "the token is not valid"
    assert str(refused.value.__cause__) == cause


def test_the_library_is_told_the_one_allowed_algorithm(issuer: TokenIssuer, monkeypatch: pytest.MonkeyPatch) -> None:
    """RFC 8725, section 3.1; the check of the header alone would hide it if this were forgotten."""
    allowed: list[list[str] | None] = []

    def verify(token: str, key: Key, algorithms: list[str] | None = None) -> bytes:
        allowed.append(algorithms)
        return bytes(jws.verify(token, key, algorithms))

    monkeypatch.setattr(access_tokens, "jws", SimpleNamespace(verify=verify))
    assert read(issuer, issuer.issue("somebody", "analyses")) == "somebody"
    assert allowed == [["ES256"]]


def test_published_keys_are_used_for_es256_whatever_they_state(issuer: TokenIssuer) -> None:
    (key,) = issuer.keys.published()
    keys = PublicKeys(keys=[key.model_copy(update={"alg": "RS256"})])
    token = issuer.issue("somebody", "analyses")
    assert read_token(token, verification_keys(keys), RULES).subject == "somebody"


NOW = 1_800_000_000


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
        assert read(issuer, token, now) == "somebody"
    else:
        assert refusal(issuer, token, now) == reason
