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
from hepar.web.access_tokens import Principal, read_token, verification_keys
from tests.support.tokens import CLAIMS, RULES, encoded_part, good_claims, kid, signed, subject_of


def test_an_issued_token_is_read_back(issuer: TokenIssuer) -> None:
    assert subject_of(issuer, issuer.issue("somebody", "analyses")) == "somebody"


def test_a_token_expires_and_is_not_valid_before_its_time(issuer: TokenIssuer) -> None:
    token, now = issuer.issue("somebody", "analyses"), time.time()
    assert subject_of(issuer, token, now + 595) == "somebody"
    with pytest.raises(Unauthenticated, match="expired"):
        subject_of(issuer, token, now + 606)
    with pytest.raises(Unauthenticated, match="not valid yet"):
        subject_of(issuer, token, now - 60)


_MISSING = object()


_WRONG_VALUES: tuple[object, ...] = (_MISSING, "1e9", 1.5, True, ["audience"], {}, None)


@pytest.mark.parametrize(
    ("claim", "value"),
    [
        (claim, value)
        for claim in CLAIMS
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
        subject_of(issuer, signed(issuer, claims))


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
        assert subject_of(issuer, token) == "somebody"
    else:
        with pytest.raises(Unauthenticated):
            subject_of(issuer, token)


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
        subject_of(issuer, signed(issuer, good_claims(issuer), headers))


def test_other_algorithms_are_refused(issuer: TokenIssuer) -> None:
    secret = json.dumps(issuer.keys.published()[0].model_dump())
    headers = {"kid": kid(issuer), "typ": "at+jwt"}
    hmac = jwt.encode(good_claims(issuer), secret, algorithm="HS256", headers=headers)
    unsigned = ".".join(
        [*map(encoded_part, ({"alg": "none", **headers}, good_claims(issuer))), ""],
    )
    for token in (hmac, unsigned):
        with pytest.raises(Unauthenticated):
            subject_of(issuer, token)


def test_a_signature_by_another_key_is_refused(issuer: TokenIssuer) -> None:
    other = SigningKey.fresh().pem
    token = jwt.encode(
        good_claims(issuer),
        other,
        algorithm="ES256",
        headers={"kid": kid(issuer), "typ": "at+jwt"},
    )
    with pytest.raises(Unauthenticated):
        subject_of(issuer, token)


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
        subject_of(issuer, token)


@settings(max_examples=200)
@given(st.data())
def test_no_change_to_a_token_is_accepted(issuer: TokenIssuer, data: st.DataObject) -> None:
    token = issuer.issue("somebody", "analyses")
    place = data.draw(st.integers(0, len(token) - 1))
    letter = data.draw(st.characters(max_codepoint=0x2FF))
    mutated = token[:place] + letter + token[place + 1 :]
    if mutated == token or _same_bytes(mutated, token):
        return
    with pytest.raises(Unauthenticated):
        subject_of(issuer, mutated)


def _same_bytes(one: str, other: str) -> bool:
    """The last letter of a part has bits that base64url ignores."""

    def raw(token: str) -> list[bytes] | None:
        try:
            return [base64.urlsafe_b64decode(part + b"==") for part in token.encode("ascii").split(b".")]
        except ValueError:
            return None

    return raw(one) == raw(other)


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


def test_the_library_is_told_the_one_allowed_algorithm(issuer: TokenIssuer, monkeypatch: pytest.MonkeyPatch) -> None:
    """RFC 8725, section 3.1; the check of the header alone would hide it if this were forgotten."""
    allowed: list[list[str] | None] = []

    def verify(token: str, key: Key, algorithms: list[str] | None = None) -> bytes:
        allowed.append(algorithms)
        return bytes(jws.verify(token, key, algorithms))

    monkeypatch.setattr(access_tokens, "jws", SimpleNamespace(verify=verify))
    assert subject_of(issuer, issuer.issue("somebody", "analyses")) == "somebody"
    assert allowed == [["ES256"]]


def test_published_keys_are_used_for_es256_whatever_they_state(issuer: TokenIssuer) -> None:
    (key,) = issuer.keys.published()
    keys = PublicKeys(keys=[key.model_copy(update={"alg": "RS256"})])
    token = issuer.issue("somebody", "analyses")
    assert read_token(token, verification_keys(keys), RULES).subject == "somebody"
