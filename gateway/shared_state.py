"""The state that all gateways share: stored responses and request counts, in one database."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import FastAPI

from gateway.migrations import MIGRATIONS, VERSION_TABLE
from hepar.core.errors import Unavailable
from hepar.storage.database import open_database
from hepar.storage.request_counts import RequestCounts
from hepar.storage.stored_responses import LEASE_S, StorageBudget, StoredResponses

_log = logging.getLogger(__name__)
_MAINTENANCE_S = LEASE_S / 3


@asynccontextmanager
async def shared_state(app: FastAPI, database_url: str, budget: StorageBudget) -> AsyncIterator[None]:
    """Sets `app.state.stored_responses` and `app.state.request_counts`. Migrates the database at start."""
    async with open_database(database_url, MIGRATIONS, "the gateway's state", VERSION_TABLE) as database:
        await database.migrate()
        app.state.stored_responses = responses = StoredResponses(database, budget)
        app.state.request_counts = counts = RequestCounts(database)
        stopping = asyncio.Event()
        maintenance = asyncio.create_task(_maintain(responses, counts, stopping))
        try:
            yield
        finally:
            stopping.set()  # not cancelled: a cancelled transaction would leave its connection open
            await maintenance


async def _maintain(responses: StoredResponses, counts: RequestCounts, stopping: asyncio.Event) -> None:
    while not stopping.is_set():
        try:
            await responses.maintain()
            await counts.delete_expired()
        except Unavailable as error:
            _log.warning("maintenance of the gateway's state failed", extra={"reason": error.detail})
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(stopping.wait(), _MAINTENANCE_S)
