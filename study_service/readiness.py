"""Whether the model services can take slices: a worker claims no study while one cannot."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from http import HTTPStatus

import httpx

_KEPT_S = 2.0
_TIMEOUT_S = 2.5


class ModelReadiness:
    """Asks at most every _KEPT_S seconds."""

    def __init__(self, client: httpx.AsyncClient, urls: tuple[str, ...]) -> None:
        self._client = client
        self._urls = urls
        self._asked_at = float("-inf")
        self._ready = False

    async def __call__(self) -> bool:
        if time.monotonic() - self._asked_at >= _KEPT_S:
            self._ready = all(await asyncio.gather(*map(self._answers, self._urls)))
            self._asked_at = time.monotonic()
        return self._ready

    async def _answers(self, url: str) -> bool:
        try:
            answer = await self._client.get(f"{url}/readyz", timeout=_TIMEOUT_S)
        except httpx.HTTPError:
            return False
        return answer.status_code == HTTPStatus.OK


@asynccontextmanager
async def model_readiness(*urls: str) -> AsyncIterator[ModelReadiness]:
    async with httpx.AsyncClient(trust_env=False) as client:
        yield ModelReadiness(client, urls)
