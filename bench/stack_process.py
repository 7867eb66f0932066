"""The whole stack as a process of its own, for a measurement."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil

from bench.measurement import RunningStack, models_of
from local_stack.demo import running_stack
from local_stack.settings import on_free_ports

FOLDER = Path("var/bench")
UNLIMITED = {
    "HEPAR_GATEWAY_ACCOUNT_PER_MINUTE": "1000000",
    "HEPAR_GATEWAY_ADDRESS_PER_MINUTE": "1000000",
    "HEPAR_GATEWAY_CONCURRENT_MAX": "256",
}
"""One account has half of the requests at the same time: more than the clients of any measurement."""


@contextmanager
def running_stack_process(repository: Path | None = None) -> Iterator[RunningStack]:
    """The whole stack on free ports, with the models of `repository` and state of its own, deleted at the end."""
    settings = on_free_ports()
    if repository is not None:
        settings = settings.model_copy(update={"triton_model_repository": repository})
    FOLDER.mkdir(parents=True, exist_ok=True)
    with (
        tempfile.TemporaryDirectory(prefix="stack-", dir=FOLDER) as folder,
        running_stack(settings, Path(folder), UNLIMITED) as process,
    ):
        yield RunningStack(settings, psutil.Process(process.pid), models_of(settings.triton_model_repository))
