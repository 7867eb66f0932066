"""study_service's API: wiring."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager

import httpx
from fastapi import FastAPI

from hepar.contracts.studies import STUDIES_PATH
from hepar.core.errors import HeparError
from hepar.core.networks import parsed_networks
from hepar.storage.database import open_database
from hepar.storage.encryption import load_key_ring
from hepar.storage.objects import open_objects
from hepar.web.access_tokens import TokenRules
from hepar.web.app import new_app
from hepar.web.token_verifier import verifier_of
from hepar.web.upstream import Upstream
from study_service.access_chain import AccessChain
from study_service.api import install_routes
from study_service.api.dependencies import StudyDependencies
from study_service.fhir.results import ResultStore
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
_INTERVAL_S = 2.0


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
        frozenset({STUDIES_PATH}),
        complete_after_disconnect=True,
        upload_s={STUDIES_PATH: settings.upload_s},
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
    to_auth = await stack.enter_async_context(httpx.AsyncClient(base_url=settings.auth_url, trust_env=False))
    auth = Upstream(to_auth, "sign-in")
    verifier = verifier_of(auth, TokenRules(settings.issuer, settings.audience))
    await verifier.keys.refresh()  # auth_service may start later: unknown keys are fetched again
    uploads = Uploads(database, keys, AccountQuota(settings.account_bytes_max, settings.account_studies_max))
    reader = HeaderReader(settings.spool_folder, settings.load_timeout_s)
    stack.callback(reader.close)
    rules = TargetRules(
        frozenset(settings.webhook_hosts), parsed_networks(settings.webhook_networks), settings.production
    )
    client = await stack.enter_async_context(httpx.AsyncClient(follow_redirects=False, trust_env=False))
    sender, chain = WebhookSender(database, keys, rules, client), AccessChain(database, keys)
    await stack.enter_async_context(_repeated(sender.send_due, "webhooks were not called"))
    await stack.enter_async_context(_repeated(chain.seal, "the access log was not sealed"))
    fhir = ResultStore(database, keys, settings.uid_root)
    await stack.enter_async_context(_repeated(fhir.store_tokens, "results were not made searchable"))
    return StudyDependencies(
        settings=settings,
        verifier=verifier,
        database=database,
        repository=StudyRepository(database, keys),
        uploads=uploads,
        objects=objects,
        ingestion=Ingestion(uploads, objects, reader),
        webhooks=Webhooks(database, keys, rules),
        fhir=fhir,
        auth=auth,
        output_turn=asyncio.Semaphore(1),
    )


@asynccontextmanager
async def _repeated(work: Callable[[], Awaitable[object]], failure: str) -> AsyncIterator[None]:
    """Every few seconds in the background. failure: what the log says where the work raises a HeparError."""
    stopping = asyncio.Event()

    async def repeat() -> None:
        while not stopping.is_set():
            try:
                await work()
            except HeparError as error:
                _log.warning(failure, extra={"reason": error.detail})
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(stopping.wait(), _INTERVAL_S)

    task = asyncio.create_task(repeat())
    try:
        yield
    finally:
        stopping.set()  # not cancelled: that in the middle of a transaction leaves its connection open
        await task
