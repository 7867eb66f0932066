"""Studies an hour by number of workers, which share one PostgreSQL, one Triton and the processors of this machine."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import psutil

from bench.measurement import RunningStack, models_of
from bench.stored_study import analyse_study
from local_stack.demo import running_stack, state_variables
from local_stack.settings import on_free_ports

STUDIES_PER_WORKER = 3


@dataclass(frozen=True)
class ScalingCosts:
    """seconds: from the first upload to the last stored result.  cpu_s: of one study, all processes together."""

    workers: int
    studies: int
    seconds: float
    cpu_s: float

    @property
    def studies_per_hour(self) -> float:
        return self.studies / self.seconds * 3600


def measure_scaling(upload: Path, database_url: str, workers: int, folder: Path) -> ScalingCosts:
    """Raises MeasurementFailed. database_url: of an empty database."""
    folder.mkdir(parents=True)
    with _stack(folder, database_url, workers) as stack:
        accounts = [stack.sign_up() for _ in range(workers)]  # the same study of one account is analysed once
        tokens = [stack.token(account) for account in accounts]
        with ThreadPoolExecutor(workers) as senders:
            list(senders.map(lambda token: analyse_study(stack, upload, token), tokens))  # warms up
            before, began = stack.cpu_s(), time.perf_counter()
            list(senders.map(lambda token: _one_after_another(stack, upload, token), tokens))
            seconds, after = time.perf_counter() - began, stack.cpu_s()
    studies = workers * STUDIES_PER_WORKER
    cpu_s = sum(after[name] - before.get(name, 0) for name in after)
    return ScalingCosts(workers, studies, seconds, cpu_s / studies)


def _one_after_another(stack: RunningStack, upload: Path, token: str) -> None:
    """Each is deleted before the next: two at a time of one account would be the same study."""
    for _ in range(STUDIES_PER_WORKER):
        analyse_study(stack, upload, token)


@contextmanager
def _stack(folder: Path, database_url: str, workers: int) -> Iterator[RunningStack]:
    settings, own = on_free_ports(), {"HEPAR_STUDY_DATABASE_URL": database_url}
    environment = os.environ | settings.environment() | state_variables(folder) | own
    with ExitStack() as further:
        process = further.enter_context(running_stack(settings, folder, own))
        for _ in range(workers - 1):
            command = [sys.executable, "-m", "study_service", "worker"]
            worker = subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
            further.callback(worker.wait)
            further.callback(worker.terminate)
        yield RunningStack(settings, psutil.Process(process.pid), models_of(settings.triton_model_repository))


def scaling_lines(name: str, measured: Sequence[ScalingCosts]) -> list[str]:
    """Markdown."""
    first = measured[0]
    rows = [
        f"| {costs.workers} | {costs.studies_per_hour:.0f} | {costs.studies_per_hour / first.studies_per_hour:.2f} "
        f"| {costs.cpu_s:.2f} |"
        for costs in measured
    ]
    return [
        f"{name} through the gateway, each worker with one study at a time:",
        "",
        "| workers | studies an hour | ratio | processor s a study |",
        "|---|---|---|---|",
        *rows,
    ]
