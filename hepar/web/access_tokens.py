"""Access tokens: strict verification, and the public keys it needs.

python-jose raises foreign exceptions for some hostile tokens and accepts claims of wrong types. Its input is therefore
checked before the call and its output after it. RFC 8725, RFC 9068.
"""

from __future__ import annotations

import asyncio
import base64
import json
import logging
import math
import re
import time
from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from jose import jwk, jws
from jose.backends import ECKey
from jose.backends.base import Key
from jose.backends.cryptography_backend import CryptographyECKey

from hepar.contracts.tokens import PublicKeys
from hepar.core.errors import Forbidden, HeparError, Unauthenticated, Unavailable

if ECKey is not CryptographyECKey:  # the pure-Python ecdsa backend has an unfixed timing flaw
    raise ImportError("python-jose must run on its cryptography backend: install python-jose[cryptography]")

_log = logging.getLogger(__name__)

ALGORITHM = "ES256"
TOKEN_TYPE = "at+jwt"  # noqa: S105
LEEWAY_S = 5
_TOKEN_BYTES_MAX = 4096
_VERIFIED_MAX = 1_000
_HEADER_BYTES_MAX = 1024
_COMPACT = re.compile(r"([A-Za-z0-9_-]+)\.([A-Za-z0-9_-]+)\.([A-Za-z0-9_-]+)")
_HEADER_NAMES = {"alg", "typ", "kid"}
_TEXT_CLAIMS = ("iss", "aud", "sub", "jti", "scope")
_TIME_CLAIMS = ("exp", "iat", "nbf")


@dataclass(frozen=True)
class Principal:
    """The caller, as the token states.

    expires_at: seconds since 1970.  session: the session that the token belongs to; None for a client's token.
    group: whose studies the caller may see besides its own; None without one.
    """

    subject: str
    scopes: frozenset[str]
    token_id: str
    expires_at: int = 0
    session: str | None = None
    group: str | None = None

    def require(self, scopes: Iterable[str]) -> None:
        """Raises Forbidden for the first of the scopes that the token lacks."""
        for scope in scopes:
            if scope not in self.scopes:
                raise Forbidden(f"the token lacks the scope `{scope}`")


@dataclass(frozen=True)
class TokenRules:
    issuer: str
    audience: str


def read_token(token: str, keys: Mapping[str, Key], rules: TokenRules, now: float | None = None) -> Principal:
    """Verifies form, signature and every claim.

    keys: verification keys by kid.  now: seconds since 1970, the clock's by default.
    Raises Unauthenticated for anything but a valid token, whatever the library raises.
    """
    try:
        return _read(token, keys, rules, time.time() if now is None else now)
    except Unauthenticated:
        raise
    except Exception as error:
        raise Unauthenticated("the token is not valid") from error


def token_key_id(token: str) -> str:
    """The `kid` of a token that is not verified yet. Raises Unauthenticated."""
    try:
        return str(_checked_header(token)["kid"])
    except Unauthenticated:
        raise
    except Exception as error:
        raise Unauthenticated("the token is not valid") from error


def _checked_header(token: str) -> dict[str, Any]:
    if len(token) > _TOKEN_BYTES_MAX:
        raise Unauthenticated("the token is too long")
    parts = _COMPACT.fullmatch(token)
    if parts is None or len(parts[1]) > _HEADER_BYTES_MAX:
        raise Unauthenticated("the token is not a signed JWT")
    header = _strict_object(base64.urlsafe_b64decode(parts[1] + "=" * (-len(parts[1]) % 4)))
    if not set(header) <= _HEADER_NAMES or header.get("alg") != ALGORITHM or header.get("typ") != TOKEN_TYPE:
        raise Unauthenticated("the token's header is not acceptable")
    if not isinstance(header.get("kid"), str):
        raise Unauthenticated("the token names no key")
    return header


def _read(token: str, keys: Mapping[str, Key], rules: TokenRules, now: float) -> Principal:
    key = keys.get(_checked_header(token)["kid"])
    if key is None:
        raise Unauthenticated("the token's key is not known")
    claims = _strict_object(jws.verify(token, key, algorithms=[ALGORITHM]))
    for name in _TEXT_CLAIMS:
        if not isinstance(claims.get(name), str):
            raise Unauthenticated(f"the token's {name} is missing")
    for name in _TIME_CLAIMS:
        if type(claims.get(name)) is not int:
            raise Unauthenticated(f"the token's {name} is missing")
    if claims["iss"] != rules.issuer or claims["aud"] != rules.audience:
        raise Unauthenticated("the token is not meant for this server")
    if claims["exp"] <= now - LEEWAY_S:
        raise Unauthenticated("the token has expired")
    if claims["nbf"] > now + LEEWAY_S or claims["iat"] > now + LEEWAY_S:
        raise Unauthenticated("the token is not valid yet")
    session, group = _optional_text(claims, "sid"), _optional_text(claims, "group")
    return Principal(claims["sub"], frozenset(claims["scope"].split()), claims["jti"], claims["exp"], session, group)


def _optional_text(claims: dict[str, Any], name: str) -> str | None:
    value = claims.get(name)
    if value is not None and not isinstance(value, str):
        raise Unauthenticated(f"the token's {name} is not a text")
    return value


def _strict_object(content: bytes) -> dict[str, Any]:
    """One JSON object without duplicate names, NaN or Infinity. Raises ValueError."""

    def unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        if len({name for name, _ in pairs}) != len(pairs):
            raise ValueError("a name comes twice")
        return dict(pairs)

    def refused(constant: str) -> None:
        raise ValueError(f"{constant} is no number")

    parsed = json.loads(content.decode(), object_pairs_hook=unique, parse_constant=refused)
    if not isinstance(parsed, dict):
        raise ValueError("not an object")  # noqa: TRY004  the caller refuses the token for either
    return parsed


class KeyCache:
    """The public keys of auth_service: fetched for an unknown kid, at most once per `interval_s`, kept during outages.

    Fetches by readiness checks do not count for the interval: a newer key would otherwise be refused for that long.
    """

    def __init__(self, fetch: Callable[[], Awaitable[PublicKeys]], interval_s: float = 3.0) -> None:
        self._fetch = fetch
        self._interval_s = interval_s
        self._fetched_at = self._missed_at = -math.inf
        self._fetching = asyncio.Lock()
        self._keys: dict[str, Key] = {}
        self._verified: dict[tuple[str, TokenRules], Principal] = {}

    @property
    def known(self) -> bool:
        """Whether there is a key."""
        return bool(self._keys)

    async def principal(self, token: str, rules: TokenRules) -> Principal:
        """Verifies a token, once for all its requests; fetches the keys first where it names an unknown one.

        Raises Unauthenticated, and Unavailable as long as no key was ever fetched.
        """
        known = self._verified.get((token, rules))
        if known is not None and known.expires_at > time.time() - LEEWAY_S:
            return known
        if token_key_id(token) not in self._keys:
            await self.refresh(missed=True)
            if not self._keys:
                raise Unavailable("sign-in cannot be checked at the moment")
        principal = read_token(token, self._keys, rules)
        if len(self._verified) >= _VERIFIED_MAX:
            self._verified.clear()
        self._verified[token, rules] = principal
        return principal

    async def refresh(self, *, missed: bool = False) -> bool:
        """Fetches the keys unless that was just tried; True when keys are known. Parallel callers wait for one fetch.

        missed: a token names a key that is not among them.
        """
        async with self._fetching:
            last = self._missed_at if missed else self._fetched_at
            if time.monotonic() - last >= self._interval_s:
                try:
                    self._keys = verification_keys(await self._fetch())
                    self._verified.clear()  # a key may have been withdrawn
                except HeparError as error:
                    _log.warning("the public keys cannot be fetched", extra={"reason": error.detail})
                self._fetched_at = time.monotonic()
                if missed:
                    self._missed_at = self._fetched_at
        return bool(self._keys)


def verification_keys(published: PublicKeys) -> dict[str, Key]:
    """Key objects by kid, for ES256 only."""
    return {key.kid: jwk.construct(key.model_dump(), ALGORITHM) for key in published.keys}
