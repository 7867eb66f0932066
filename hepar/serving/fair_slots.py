"""A few slots for expensive work, shared fairly between accounts."""

from __future__ import annotations

import asyncio
from collections import Counter, deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from hepar.core.errors import Busy

_Turn = asyncio.Future[None]


class FairSlots:
    """`slots` pieces of work at a time; further ones wait, and accounts take turns.

    With more than one slot, an account never has all of them: the work of one account does not delay that of another
    that is alone. `waiting_max` wait in all, and half of them of one account. When all places are taken, the account
    with the most of them loses its newest one to an account with fewer.
    """

    def __init__(self, slots: int, waiting_max: int) -> None:
        self._free = slots
        self._per_account = max(1, slots - 1)
        self._waiting_max = waiting_max
        self._running: Counter[str] = Counter()
        self._waiting: dict[str, deque[_Turn]] = {}

    @asynccontextmanager
    async def slot(self, account: str, timeout_s: float) -> AsyncIterator[None]:
        """Holds a slot. Raises Busy where there is no place to wait, or no turn within `timeout_s`."""
        await self._acquire(account, timeout_s)
        try:
            yield
        finally:
            self._release(account)

    async def _acquire(self, account: str, timeout_s: float) -> None:
        self._make_place(account)
        turn = asyncio.get_running_loop().create_future()
        self._waiting.setdefault(account, deque()).append(turn)
        self._give_turns()
        try:
            async with asyncio.timeout(timeout_s):
                await turn
        except BaseException as error:
            if turn.done() and not turn.cancelled() and turn.exception() is None:  # its turn came at the same moment
                self._release(account)
            else:
                self._forget(account, turn)
            if isinstance(error, TimeoutError):
                raise Busy("the images before this one take too long; try again soon") from error
            raise

    def _release(self, account: str) -> None:
        self._running[account] -= 1
        if not self._running[account]:
            del self._running[account]
        self._free += 1
        self._give_turns()

    def _make_place(self, account: str) -> None:
        """Raises Busy."""
        own = len(self._waiting.get(account, ()))
        if own >= self._waiting_max // 2:
            raise Busy("too many images of this account wait to be decoded; try again soon")
        if sum(map(len, self._waiting.values())) < self._waiting_max:
            return
        longest = max(self._waiting, key=lambda name: len(self._waiting[name]))
        if len(self._waiting[longest]) <= own + 1:
            raise Busy("too many images wait to be decoded; try again soon")
        newest = self._waiting[longest][-1]
        self._forget(longest, newest)
        newest.set_exception(Busy("too many images wait to be decoded; try again soon"))

    def _give_turns(self) -> None:
        """To the account with the least work running; of several, to the one whose last turn was the longest ago."""
        while self._free:
            eligible = [name for name in self._waiting if self._running[name] < self._per_account]
            if not eligible:
                return
            account = min(eligible, key=self._running.__getitem__)
            turns = self._waiting.pop(account)
            turn = turns.popleft()
            if turns:
                self._waiting[account] = turns  # behind all others
            if turn.done():  # cancelled, and about to be forgotten
                continue
            turn.set_result(None)
            self._running[account] += 1
            self._free -= 1

    def _forget(self, account: str, turn: _Turn) -> None:
        turns = self._waiting.get(account)
        if turns is not None and turn in turns:
            turns.remove(turn)
            if not turns:
                del self._waiting[account]
