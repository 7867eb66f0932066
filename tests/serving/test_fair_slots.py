"""Slots shared fairly between accounts, in the order that the rules give by hand."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import pytest

from hepar.core.errors import Busy
from hepar.serving.fair_slots import FairSlots

LONG_S = 60.0


class Jobs:
    """Work that holds a slot until it is told to end."""

    def __init__(self, slots: FairSlots) -> None:
        self._slots = slots
        self._ends: dict[str, asyncio.Event] = {}
        self.started: list[str] = []

    def start(self, name: str, timeout_s: float = LONG_S) -> asyncio.Task[None]:
        """name: its first letter is the account."""
        self._ends[name] = asyncio.Event()
        return asyncio.create_task(self._run(name, timeout_s))

    async def _run(self, name: str, timeout_s: float) -> None:
        async with self._slots.slot(name[0], timeout_s):
            self.started.append(name)
            await self._ends[name].wait()

    async def end(self, name: str) -> None:
        self._ends[name].set()
        await settle()


async def settle() -> None:
    for _ in range(10):
        await asyncio.sleep(0)


def run(scenario: Callable[[], Awaitable[None]]) -> None:
    asyncio.run(asyncio.wait_for(scenario(), 30))


def test_an_account_never_has_all_slots_and_others_do_not_wait_for_it() -> None:
    async def scenario() -> None:
        jobs = Jobs(FairSlots(2, 64))
        tasks = [jobs.start(f"a{index}") for index in range(20)]
        await settle()
        assert jobs.started == ["a0"]
        tasks.append(jobs.start("b0"))
        await settle()
        assert jobs.started == ["a0", "b0"]
        await jobs.end("b0")
        assert jobs.started == ["a0", "b0"], "the second slot stays free for others"
        await jobs.end("a0")
        assert jobs.started == ["a0", "b0", "a1"]
        for task in tasks:
            task.cancel()

    run(scenario)


def test_accounts_take_turns() -> None:
    async def scenario() -> None:
        jobs = Jobs(FairSlots(1, 64))
        names = ["a0", "a1", "a2", "b0", "b1", "c0"]
        tasks = []
        for name in names:
            tasks.append(jobs.start(name))
            await settle()
        for name in ("a0", "a1", "b0", "c0", "a2", "b1"):
            assert jobs.started[-1] == name
            await jobs.end(name)
        await asyncio.gather(*tasks)

    run(scenario)


def test_an_account_may_take_half_of_the_places_to_wait() -> None:
    async def scenario() -> None:
        jobs = Jobs(FairSlots(1, 8))
        tasks = [jobs.start(f"a{index}") for index in range(5)]
        await settle()
        with pytest.raises(Busy, match="of this account"):
            await jobs.start("a5")
        for task in tasks:
            task.cancel()

    run(scenario)


def test_with_all_places_taken_the_account_with_the_most_loses_its_newest() -> None:
    async def scenario() -> None:
        jobs = Jobs(FairSlots(1, 8))
        first = jobs.start("x")
        await settle()
        greedy = [jobs.start(f"a{index}") for index in range(4)]
        others = [jobs.start(f"{name}{index}") for name in "bcd" for index in range(2)][:4]
        await settle()
        newcomer = jobs.start("e0")
        await settle()
        assert greedy[-1].done()
        with pytest.raises(Busy, match="too many images wait"):
            await greedy[-1]
        assert not newcomer.done()
        for task in (first, *greedy, *others, newcomer):
            task.cancel()

    run(scenario)


def test_with_all_places_taken_evenly_a_newcomer_with_as_many_is_refused() -> None:
    async def scenario() -> None:
        jobs = Jobs(FairSlots(1, 4))
        tasks = [jobs.start("x")]
        await settle()
        tasks += [jobs.start(name) for name in ("a0", "b0", "c0", "d0")]
        await settle()
        with pytest.raises(Busy):
            await jobs.start("e0")
        assert not any(task.done() for task in tasks)
        for task in tasks:
            task.cancel()

    run(scenario)


def test_waiting_ends_after_the_given_time_and_leaves_nothing_behind() -> None:
    async def scenario() -> None:
        slots = FairSlots(1, 64)
        jobs = Jobs(slots)
        first = jobs.start("a0")
        await settle()
        with pytest.raises(Busy, match="take too long"):
            await jobs.start("b0", timeout_s=0.01)
        last = jobs.start("c0")
        await jobs.end("a0")
        await first
        assert jobs.started == ["a0", "c0"]
        await jobs.end("c0")
        await last

    run(scenario)


def test_a_cancelled_job_gives_its_turn_or_its_slot_back() -> None:
    async def scenario() -> None:
        jobs = Jobs(FairSlots(1, 64))
        running, waiting, last = jobs.start("a0"), jobs.start("b0"), jobs.start("c0")
        await settle()
        waiting.cancel()
        running.cancel()
        await settle()
        assert jobs.started == ["a0", "c0"]
        last.cancel()
        again = jobs.start("d0")
        await settle()
        assert jobs.started[-1] == "d0"
        again.cancel()

    run(scenario)
