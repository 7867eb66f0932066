"""`python -m tests.support.durable_job URL WORKER JOB LOG FAULT`: a process that runs a job of six steps."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from functools import partial
from pathlib import Path

from hepar.storage.jobs import RunStep, open_jobs

STEPS = 6
INTERRUPTED_AT, FAILING_AT, KILLED_AT = 2, 2, 3


async def main(url: str, worker: str, job_id: str, log: Path, fault: str) -> None:
    """Writes how the job ended. FAULT: none, kill, fail or interrupt."""
    reached = asyncio.Event()

    async def step(number: int) -> dict[str, int]:
        with log.open("a") as file:
            file.write(f"{worker} {number}\n")
        if fault == "kill" and number == KILLED_AT:
            os.kill(os.getpid(), signal.SIGKILL)
        if fault == "fail" and number == FAILING_AT:
            raise ValueError("this step fails")
        if fault == "interrupt" and number == INTERRUPTED_AT:
            reached.set()
            await asyncio.sleep(3600)
        return {"number": number}

    def work(_job_id: str, run: RunStep) -> None:
        for number in range(STEPS):
            assert run(f"step {number}", partial(step, number)) == {"number": number}

    async with open_jobs(url, worker, work) as jobs:
        task = asyncio.create_task(jobs.run(job_id))
        if fault == "interrupt":
            await reached.wait()
            task.cancel()
        try:
            await task
            sys.stdout.write("finished")
        except asyncio.CancelledError:
            sys.stdout.write("interrupted")
        except Exception as error:  # noqa: BLE001  the test reads its name
            sys.stdout.write(type(error).__name__)


if __name__ == "__main__":
    address, name, job, file, wanted = sys.argv[1:]
    asyncio.run(main(address, name, job, Path(file), wanted))
