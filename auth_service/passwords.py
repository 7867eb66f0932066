"""Passwords: argon2id, hashed and checked by two threads."""

from __future__ import annotations

import asyncio
import unicodedata
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from passlib.hash import argon2

# OWASP's smallest argon2id setting, 19 MiB: HARDENING.md has what it costs. Two threads bound the memory.
_SCHEME = argon2.using(type="ID", memory_cost=19 * 1024, time_cost=2, parallelism=1)  # type: ignore[no-untyped-call]

Answer = TypeVar("Answer")


class PasswordHasher:
    """Unicode is normalised first (NFKC, NIST SP 800-63B-4 section 3.1.1.2), so that keyboards may differ."""

    def __init__(self) -> None:
        self._pool = ThreadPoolExecutor(2, thread_name_prefix="argon2")
        self._nobody = _SCHEME.hash("the password of nobody")

    async def hash(self, password: str) -> str:
        return await self._run(_SCHEME.hash, _normalised(password))

    async def verify(self, password: str, stored: str | None) -> bool:
        """False, after the same work, where there is no such account (`stored` is None)."""
        matches = await self._run(_SCHEME.verify, _normalised(password), stored or self._nobody)
        return matches and stored is not None

    def close(self) -> None:
        self._pool.shutdown(wait=False, cancel_futures=True)

    async def _run(self, work: Callable[..., Answer], *arguments: str) -> Answer:
        return await asyncio.get_running_loop().run_in_executor(self._pool, work, *arguments)


def _normalised(password: str) -> str:
    return unicodedata.normalize("NFKC", password)
