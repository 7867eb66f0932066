"""The whole stack as a process of its own, for a measurement."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil

from bench.measurement import RunningStack, models_of
from local_stack.demo import running_stack
from local_stack.settings import on_free_ports

FOLDER = Path("var/bench")
UNLIMITED = {"HEPAR_GATEWAY_ACCOUNT_PER_MINUTE": "1000000", "HEPAR_GATEWAY_ADDRESS_PER_MINUTE": "1000000"}


@contextmanager
def running_stack_process(repository: Path | None = None, folder: Path = FOLDER / "stack") -> Iterator[RunningStack]:
    """The whole stack on free ports, with the models of `repository`. folder: for its state; replaced."""
    settings = on_free_ports()
    if repository is not None:
        settings = settings.model_copy(update={"triton_model_repository": repository})
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    with running_stack(settings, folder, UNLIMITED) as process:
        yield RunningStack(settings, psutil.Process(process.pid), models_of(settings.triton_model_repository))
