"""study_service's API: wiring."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager

import httpx
from fastapi import FastAPI

from hepar.contracts.studies import STUDY_UPLOAD_PATHS
from hepar.core.errors import HeparError
from hepar.core.networks import parsed_networks
from hepar.storage.database import open_database
from hepar.storage.encryption import load_key_ring
from hepar.storage.objects import open_objects
from hepar.web.access_tokens import TokenRules
from hepar.web.app import new_app
from hepar.web.token_verifier import token_verifier
from study_service.api import install_routes
from study_service.api.dependencies import StudyDependencies
from study_service.dicomweb.object_reader import ObjectReader
from study_service.dicomweb.objects import DicomObjectStore
from study_service.dicomweb.service import new_dicomweb
from study_service.dicomweb.studies import DicomWebStudies
from study_service.header_reader import HeaderReader
from study_service.ingestion import Ingestion
from study_service.migrations import MIGRATIONS
from study_service.repository import StudyRepository
from study_service.settings import StudySettings
from study_service.uploads import AccountQuota, Uploads
from study_service.webhooks.deliveries import WebhookSender
from study_service.webhooks.registry import Webhooks
from study_service.webhooks.targets import TargetRules

_log = logging.getLogger(__name__)
_WEBHOOKS_S = 2.0


def create_app(settings: StudySettings) -> FastAPI:
    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        async with AsyncExitStack() as stack:
            app.state.dependencies = dependencies = await _open_dependencies(settings, stack)

            async def readiness() -> dict[str, bool]:
                reachable = asyncio.gather(dependencies.database.is_reachable(), dependencies.objects.is_reachable())
                database, objects = await reachable
                return {"sign_in": await dependencies.verifier.ready(), "database": database, "objects": objects}

            app.state.readiness = readiness
            yield

    app = new_app(
        "Hepar study_service",
        "Whole CT studies: stored, analysed in the background, one result for the patient",
        settings,
        lifespan,
        STUDY_UPLOAD_PATHS,
        complete_after_disconnect=True,
        upload_s=dict.fromkeys(STUDY_UPLOAD_PATHS, settings.upload_s),
    )
    install_routes(app)
    return app


async def _open_dependencies(settings: StudySettings, stack: AsyncExitStack) -> StudyDependencies:
    """Raises BadKeyFile."""
    settings.spool_folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    keys = load_key_ring(settings.key_file)
    database = await stack.enter_async_context(open_database(settings.database_url, MIGRATIONS, "studies"))
    if settings.migrate_at_start:
        await database.migrate()
    objects = await stack.enter_async_context(open_objects(settings.objects_url))
    verifier = await stack.enter_async_context(
        token_verifier(settings.auth_url, TokenRules(settings.issuer, settings.audience))
    )
    uploads = Uploads(database, keys, AccountQuota(settings.account_bytes_max, settings.account_studies_max))
    reader = HeaderReader(settings.spool_folder, settings.load_timeout_s)
    stack.callback(reader.close)
    rules = TargetRules(
        frozenset(settings.webhook_hosts), parsed_networks(settings.webhook_networks), settings.production
    )
    client = await stack.enter_async_context(httpx.AsyncClient(follow_redirects=False, trust_env=False))
    await stack.enter_async_context(_background(WebhookSender(database, keys, rules, client)))
    ingestion, output_turn = Ingestion(uploads, objects, reader), asyncio.Semaphore(1)
    object_reader = ObjectReader(settings.spool_folder, settings.load_timeout_s)
    stack.callback(object_reader.close)
    return StudyDependencies(
        settings=settings,
        verifier=verifier,
        database=database,
        repository=StudyRepository(database, keys),
        uploads=uploads,
        objects=objects,
        ingestion=ingestion,
        webhooks=Webhooks(database, keys, rules),
        output_turn=output_turn,
        dicomweb=new_dicomweb(
            settings, DicomWebStudies(database, keys), DicomObjectStore(objects), object_reader, ingestion, output_turn
        ),
    )


@asynccontextmanager
async def _background(sender: WebhookSender) -> AsyncIterator[None]:
    stopping = asyncio.Event()
    task = asyncio.create_task(_send_webhooks(sender, stopping))
    try:
        yield
    finally:
        stopping.set()  # not cancelled: that in the middle of a transaction leaves its connection open
        await task


async def _send_webhooks(sender: WebhookSender, stopping: asyncio.Event) -> None:
    while not stopping.is_set():
        try:
            await sender.send_due()
        except HeparError as error:
            _log.warning("webhooks were not called", extra={"reason": error.detail})
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(stopping.wait(), _WEBHOOKS_S)
