"""Passwords: hashing with argon2id in two threads, and the rules for new ones (NIST SP 800-63B-4)."""

from __future__ import annotations

import asyncio
import unicodedata
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TypeVar

from passlib.hash import argon2
from zxcvbn import zxcvbn

from hepar.contracts.accounts import PASSWORD_CHARACTERS_MIN, PASSWORD_CHARACTERS_MIN_WITH_SECOND_FACTOR
from hepar.core.errors import ClientError, InvalidField

# OWASP's minimum for argon2id, 19 MiB. Two threads bound the memory.
_SCHEME = argon2.using(type="ID", memory_cost=19 * 1024, time_cost=2, parallelism=1)  # type: ignore[no-untyped-call]
_GUESSES_LOG10_MIN = 10.0
_ESTIMATED_CHARACTERS = 72

Answer = TypeVar("Answer")


class WeakPassword(ClientError):
    """Too short for its account, common, or made of the account's own name or address."""

    status, title, slug = 422, "The password is too easy to guess", "weak-password"


@dataclass(frozen=True)
class Check:
    """matches: the password is right.  rehashed: a new hash where the stored one has outdated parameters."""

    matches: bool
    rehashed: str | None = None


class PasswordHasher:
    """Normalises Unicode first (NFKC, NIST SP 800-63B-4 section 3.1.1.2), because keyboards encode differently."""

    def __init__(self) -> None:
        self._pool = ThreadPoolExecutor(2, thread_name_prefix="argon2")
        self._dummy_hash = _SCHEME.hash("a password of no account")

    async def hash(self, password: str) -> str:
        return await self._run(_SCHEME.hash, normalised(password))

    async def check(self, password: str, stored: str | None) -> Check:
        """stored: None for an unknown account; the check then takes the same time and fails."""
        matches = await self._run(_SCHEME.verify, normalised(password), stored or self._dummy_hash)
        if not matches or stored is None:
            return Check(matches=False)
        outdated = _SCHEME.needs_update(stored)
        return Check(matches=True, rehashed=await self.hash(password) if outdated else None)

    async def require_strong(
        self, password: str, own_words: list[str], *, second_factor: bool, pointer: str = "/password"
    ) -> None:
        """Raises WeakPassword with the reason.

        own_words: the account's name and address.  pointer: JSON Pointer to the password in the request's body.
        """
        await self._run(_require_strong, password, own_words, second_factor, pointer)

    def close(self) -> None:
        self._pool.shutdown(wait=False, cancel_futures=True)

    async def _run(self, work: Callable[..., Answer], *arguments: object) -> Answer:
        return await asyncio.get_running_loop().run_in_executor(self._pool, work, *arguments)


def normalised(password: str) -> str:
    return unicodedata.normalize("NFKC", password)


def _require_strong(password: str, own_words: list[str], second_factor: bool, pointer: str) -> None:
    plain = normalised(password)
    least = PASSWORD_CHARACTERS_MIN_WITH_SECOND_FACTOR if second_factor else PASSWORD_CHARACTERS_MIN
    if len(plain) < least:
        raise _weak(pointer, "too_short", f"at least {least} characters")
    folded = plain.casefold()
    words = {part for word in own_words for part in [word, *word.replace("@", " ").replace(".", " ").split()]}
    own = sorted(word.casefold() for word in words if len(word) >= 4)
    if any(word in folded for word in own):
        raise _weak(pointer, "contains_own_words", "it contains the account's name or address")
    guessed = zxcvbn(plain[:_ESTIMATED_CHARACTERS], user_inputs=own, max_length=_ESTIMATED_CHARACTERS)
    if float(guessed["guesses_log10"]) < _GUESSES_LOG10_MIN:
        warning = guessed["feedback"]["warning"]
        raise _weak(pointer, "too_common", str(warning) or "it is common, or follows a common pattern")


def _weak(pointer: str, code: str, message: str) -> WeakPassword:
    return WeakPassword(message, InvalidField("body", pointer, code, message))
