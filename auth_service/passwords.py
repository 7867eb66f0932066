"""Passwords: hashing with argon2id. Checks of existing ones never wait for new ones."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TypeVar

from passlib.hash import argon2

from auth_service.password_strength import normalised, require_strong
from hepar.core.errors import Unavailable

# OWASP's minimum for argon2id, 19 MiB. Three threads bound the memory.
_SCHEME = argon2.using(type="ID", memory_cost=19 * 1024, time_cost=2, parallelism=1)  # type: ignore[no-untyped-call]
_NEW_PASSWORDS_MAX = 16

Answer = TypeVar("Answer")


@dataclass(frozen=True)
class Check:
    """matches: the password is right.  rehashed: a new hash where the stored one has outdated parameters."""

    matches: bool
    rehashed: str | None = None


class PasswordHasher:
    """Two threads check passwords. New ones have a thread of their own, where at most 16 of them wait."""

    def __init__(self) -> None:
        self._checks = ThreadPoolExecutor(2, thread_name_prefix="argon2")
        self._new = ThreadPoolExecutor(1, thread_name_prefix="new-passwords")
        self._new_count = 0
        self._dummy_hash = _SCHEME.hash("a password of no account")

    async def check(self, password: str, stored: str | None) -> Check:
        """stored: None for an unknown account; the check then takes the same time and fails."""
        matches = await _run(self._checks, _SCHEME.verify, normalised(password), stored or self._dummy_hash)
        if not matches or stored is None:
            return Check(matches=False)
        outdated = _SCHEME.needs_update(stored)
        return Check(matches=True, rehashed=await _run(self._checks, _hash, password) if outdated else None)

    async def hash_new(
        self, password: str, own_words: list[str], *, second_factor: bool, pointer: str = "/password"
    ) -> str:
        """The hash of a new password. Raises WeakPassword (see `require_strong`), and Unavailable where too many wait.

        own_words: the account's name and address.  pointer: JSON Pointer to the password in the request's body.
        """

        def checked_hash() -> str:
            require_strong(password, own_words, second_factor=second_factor, pointer=pointer)
            return _hash(password)

        if self._new_count >= _NEW_PASSWORDS_MAX:
            raise Unavailable("too many new passwords are being checked")
        self._new_count += 1
        try:
            return await _run(self._new, checked_hash)
        finally:
            self._new_count -= 1

    def close(self) -> None:
        for pool in (self._checks, self._new):
            pool.shutdown(wait=False, cancel_futures=True)


def _hash(password: str) -> str:
    hashed: str = _SCHEME.hash(normalised(password))
    return hashed


async def _run(pool: ThreadPoolExecutor, work: Callable[..., Answer], *arguments: object) -> Answer:
    return await asyncio.get_running_loop().run_in_executor(pool, work, *arguments)
