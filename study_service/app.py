"""study_service's API: wiring."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager

import httpx
from fastapi import FastAPI

from hepar.contracts.studies import STUDY_UPLOAD_PATHS
from hepar.core.networks import parsed_networks
from hepar.storage.database import open_database
from hepar.storage.encryption import load_key_ring
from hepar.storage.objects import open_objects
from hepar.web.access_tokens import TokenRules
from hepar.web.app import new_app
from hepar.web.token_verifier import TokenVerifier, verifier_of
from hepar.web.upstream import Upstream, open_upstream
from study_service.access_chain import AccessChain
from study_service.api import install_routes
from study_service.api.dependencies import StudyDependencies
from study_service.destinations.registry import configured_destinations
from study_service.destinations.send_queue import SendQueue
from study_service.destinations.sends import Sends
from study_service.dicomweb.objects import DicomObjectStore
from study_service.dicomweb.service import new_dicomweb
from study_service.dicomweb.studies import DicomWebStudies
from study_service.exports.deidentified import DeidentifiedExports
from study_service.exports.records import ExportRecords
from study_service.fhir.results import ResultStore
from study_service.findings.export import CorrectionExport
from study_service.findings.store import Findings
from study_service.ingestion import Ingestion
from study_service.migrations import MIGRATIONS
from study_service.outbox import attempted_in_background
from study_service.repository import StudyRepository
from study_service.result_files import ResultFiles
from study_service.settings import StudySettings
from study_service.system_state import SystemReport
from study_service.upload_reader import UploadReader
from study_service.uploads import AccountQuota, Uploads
from study_service.webhooks.deliveries import WebhookSender
from study_service.webhooks.registry import Webhooks
from study_service.webhooks.targets import TargetRules

_POLL_S = 2.0


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
    auth = await stack.enter_async_context(open_upstream(settings.auth_url, "sign-in"))
    verifier = await _verifier(auth, settings)
    uploads = Uploads(database, keys, AccountQuota(settings.account_bytes_max, settings.account_studies_max))
    rules = _target_rules(settings)
    reader = _upload_reader(stack, settings)
    client = await stack.enter_async_context(httpx.AsyncClient(follow_redirects=False, trust_env=False))
    ingestion = Ingestion(uploads, objects, reader)
    dicomweb_reader = _upload_reader(stack, settings)  # of its own: neither of the two waits for the other
    fhir, files = ResultStore(database, keys, settings.uid_root), ResultFiles(objects, settings.uid_root)
    destinations = configured_destinations(settings.destinations, rules)
    await _in_background(
        stack,
        ("webhooks", WebhookSender(database, keys, rules, client).send_next),
        ("seals of the access log", AccessChain(database, keys).seal),
        ("search values of results", fhir.store_tokens),
        *((f"sends to {each.name}", SendQueue(each, database, keys, files).send_next) for each in destinations.all()),
    )
    return StudyDependencies(
        settings=settings,
        verifier=verifier,
        database=database,
        repository=StudyRepository(database, keys),
        uploads=uploads,
        objects=objects,
        ingestion=ingestion,
        findings=Findings(database, keys, objects),
        correction_export=CorrectionExport(database, keys, settings.uid_root),
        webhooks=Webhooks(database, keys, rules),
        destinations=destinations,
        sends=Sends(database),
        files=files,
        exports=DeidentifiedExports(ExportRecords(database, keys), files, keys, dicomweb_reader, settings.spool_folder),
        fhir=fhir,
        auth=auth,
        dicomweb=new_dicomweb(
            settings, DicomWebStudies(database, keys), DicomObjectStore(objects), dicomweb_reader, ingestion, files
        ),
        system=SystemReport(database, objects, settings),
    )


async def _verifier(auth: Upstream, settings: StudySettings) -> TokenVerifier:
    verifier = verifier_of(auth, TokenRules(settings.issuer, settings.audience))
    await verifier.keys.refresh()  # auth_service may start later: unknown keys are fetched again
    return verifier


def _target_rules(settings: StudySettings) -> TargetRules:
    networks = parsed_networks(settings.webhook_networks)
    return TargetRules(frozenset(settings.webhook_hosts), networks, settings.production)


def _upload_reader(stack: AsyncExitStack, settings: StudySettings) -> UploadReader:
    reader = UploadReader(settings.spool_folder, settings.load_timeout_s)
    stack.callback(reader.close)
    return reader


async def _in_background(stack: AsyncExitStack, *works: tuple[str, Callable[[], Awaitable[int]]]) -> None:
    for purpose, attempt in works:
        await stack.enter_async_context(attempted_in_background(attempt, _POLL_S, purpose))
