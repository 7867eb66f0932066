"""The study worker's access token."""

from __future__ import annotations

import asyncio
import time
from urllib.parse import urlencode

from pydantic import SecretStr

from hepar.contracts.tokens import STUDY_WORKER, AccessToken
from hepar.core.deadlines import Deadline
from hepar.web.upstream import Upstream

_RENEWED_BEFORE_END = 0.2
"""Share of a token's lifetime that is left when it is renewed: longer than the longest call takes to begin."""


class WorkerToken:
    """Signs in with the worker's secret (RFC 6749, section 4.4), and again before the token expires."""

    def __init__(self, auth: Upstream, secret: SecretStr) -> None:
        self._auth = auth
        self._secret = secret
        self._signing_in = asyncio.Lock()
        self._token = ""
        self._renew_at = 0.0

    async def header(self, deadline: Deadline) -> dict[str, str]:
        """The Authorization header. Raises what `Upstream.call` raises."""
        async with self._signing_in:
            if time.monotonic() >= self._renew_at:
                await self._sign_in(deadline)
        return {"authorization": f"Bearer {self._token}"}

    async def _sign_in(self, deadline: Deadline) -> None:
        form = {
            "grant_type": "client_credentials",
            "client_id": STUDY_WORKER,
            "client_secret": self._secret.get_secret_value(),
        }
        answer = await self._auth.call(
            AccessToken,
            "POST",
            "/v1/token",
            deadline,
            headers={"content-type": "application/x-www-form-urlencoded"},
            content=urlencode(form).encode(),
        )
        self._token = answer.access_token
        self._renew_at = time.monotonic() + answer.expires_in * (1 - _RENEWED_BEFORE_END)
