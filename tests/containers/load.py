"""Clients that use the production stack while its containers are killed."""

from __future__ import annotations

import asyncio
import time
import uuid
from collections import Counter
from dataclasses import dataclass, field

import httpx

from tests.containers.stack import ROOT, URL, Containers, trusting_our_certificate

SAMPLE = (ROOT / "samples" / "metastasis.png").read_bytes()
PASSWORD = "a long enough password"
RAW = {"content-type": "application/octet-stream"}


@dataclass
class Load:
    """Clients that repeat unanswered requests with the same Idempotency-Key, as ours do."""

    headers: dict[str, str]
    stop: asyncio.Event = field(default_factory=asyncio.Event)
    statuses: Counter[int] = field(default_factory=Counter)
    answered: int = 0
    lost: list[str] = field(default_factory=list)
    signed_up: list[str] = field(default_factory=list)

    async def analyse(self, client: httpx.AsyncClient) -> None:
        while not self.stop.is_set():
            headers = self.headers | RAW | {"idempotency-key": uuid.uuid4().hex}
            ends = time.monotonic() + 90
            while True:
                status = await self._status(client.post("/v1/analyses", content=SAMPLE, headers=headers))
                if status == 200:
                    self.answered += 1
                    break
                if status not in (0, 409, 429, 499, 502, 503, 504) or time.monotonic() > ends:
                    self.lost.append(f"status {status}")
                    await asyncio.sleep(0.5)
                    break
                await asyncio.sleep(0.5)

    async def sign_up(self, client: httpx.AsyncClient) -> None:
        while not self.stop.is_set():
            email = f"{uuid.uuid4().hex}@example.org"
            if await self._status(client.post("/v1/users", json={"email": email, "password": PASSWORD})) == 201:
                self.signed_up.append(email)
            await asyncio.sleep(3)  # a network has 50 without a delay: HEPAR_AUTH_SIGNUP_BURST

    async def _status(self, asked: object) -> int:
        try:
            answer: httpx.Response = await asked  # type: ignore[misc]
        except httpx.TransportError:
            status = 0
        else:
            status = answer.status_code
        self.statuses[status] += 1
        return status


async def killed_in_turn(containers: Containers, load: Load, services: list[str]) -> None:
    async with httpx.AsyncClient(
        base_url=URL, verify=trusting_our_certificate(), timeout=30, trust_env=False
    ) as client:
        callers = [asyncio.create_task(load.analyse(client)) for _ in range(3)]
        callers.append(asyncio.create_task(load.sign_up(client)))
        await asyncio.sleep(3)
        for service in services:
            before = load.answered
            await asyncio.to_thread(containers.kill, service)
            await asyncio.sleep(2)
            await asyncio.to_thread(containers.wait_until_healthy, service)
            for _ in range(60):
                if load.answered >= before + 10:
                    break
                await asyncio.sleep(1)
            assert load.answered >= before + 10, f"nothing is answered after {service} was killed: {load.statuses}"
        load.stop.set()
        await asyncio.gather(*callers)
