"""How many requests are in flight: in total, and by shares that no caller can exceed."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from typing import ClassVar

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from hepar.core.errors import Busy, ClientError, HeparError
from hepar.core.metrics import REQUESTS_IN_FLIGHT

HEALTH_PATHS = frozenset({"/healthz", "/readyz"})
"""Not counted: whoever supervises this process must get an answer while it is busy."""
Shares = Callable[[Scope], Mapping[str, int]]
"""The shares that a request takes part of, each with its limit."""
ALL = "all"
"""The share of all requests together, which is measured."""


class CallerBusy(ClientError):
    """One caller has as many requests in flight, or connections open, as one caller may have."""

    status, title, slug = 429, "Too many requests from you", "rate-limited"
    headers: ClassVar[dict[str, str]] = {"Retry-After": "2"}


class InFlightLimit:
    """ASGI middleware. Raises `refusal` for a request of which a share is used up; it keeps no queue.

    until_sent: a request is in flight until its reader took the answer; otherwise until the last part is ready.
    """

    def __init__(
        self, app: ASGIApp, shares: Shares, refusal: type[HeparError] = Busy, *, until_sent: bool = False
    ) -> None:
        self._app = app
        self._shares = shares
        self._refusal = refusal
        self._until_sent = until_sent
        self._in_flight: Counter[str] = Counter()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["path"] in HEALTH_PATHS:
            await self._app(scope, receive, send)
            return
        shares = self._shares(scope)
        for name, limit in shares.items():
            if self._in_flight[name] >= limit:
                raise self._refusal(f"at most {limit} requests at the same time")
        with self._in_flight_as(shares.keys()) as end:

            async def send_and_end(message: Message) -> None:
                if message["type"] == "http.response.body" and not message.get("more_body", False):
                    end()
                await send(message)

            await self._app(scope, receive, send if self._until_sent else send_and_end)

    @contextmanager
    def _in_flight_as(self, shares: Collection[str]) -> Iterator[Callable[[], None]]:
        """Counts a request until the end of the block, or until the yielded function is called."""
        with ExitStack() as stack:
            self._in_flight.update(shares)
            stack.callback(self._remove, shares)
            if ALL in shares:
                stack.enter_context(REQUESTS_IN_FLIGHT.track_inprogress())
            yield stack.close

    def _remove(self, shares: Collection[str]) -> None:
        self._in_flight.subtract(shares)
        for name in shares:
            if not self._in_flight[name]:
                del self._in_flight[name]
