"""The listener's process: receives, and turns complete studies into stored ones."""

from __future__ import annotations

import asyncio
import logging
from contextlib import AsyncExitStack

from hepar.core.errors import ClientError
from hepar.storage.database import open_database
from hepar.storage.encryption import load_key_ring
from hepar.storage.objects import open_objects
from study_service.dicom_network.incoming import IncomingStudies
from study_service.dicom_network.listener import listening
from study_service.dicom_network.received_studies import ReceivedStudies
from study_service.ingestion import Ingestion
from study_service.migrations import MIGRATIONS
from study_service.settings import StudySettings
from study_service.upload_reader import UploadReader
from study_service.uploads import AccountQuota, Uploads

_log = logging.getLogger(__name__)
FOLDER = "incoming"
"""In the spool folder. One listener at a time works in it."""


async def run_listener(settings: StudySettings, stopping: asyncio.Event) -> None:
    """Until `stopping` is set. Raises BadKeyFile, Undecipherable, OSError, and ClientError where nobody may send."""
    if not settings.listen_peers:
        raise ClientError("HEPAR_STUDY_LISTEN_PEERS names nobody who may send")
    settings.spool_folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    keys = load_key_ring(settings.key_file)
    async with AsyncExitStack() as stack:
        database = await stack.enter_async_context(open_database(settings.database_url, MIGRATIONS, "studies"))
        if settings.migrate_at_start:
            await database.migrate()
        objects = await stack.enter_async_context(open_objects(settings.objects_url))
        reader = UploadReader(settings.spool_folder, settings.load_timeout_s)
        stack.callback(reader.close)
        uploads = Uploads(database, keys, AccountQuota(settings.account_bytes_max, settings.account_studies_max))
        incoming = IncomingStudies(
            settings.spool_folder / FOLDER,
            keys,
            settings.listen_stored_bytes_max,
            settings.images_max,
            settings.upload_bytes_max,
        )
        received = ReceivedStudies(
            incoming,
            Ingestion(uploads, objects, reader),
            {peer.ae_title: peer for peer in settings.listen_peers},
            settings.spool_folder,
            settings.quiet_s,
        )
        port = stack.enter_context(listening(settings, incoming))
        _log.info("listening for DICOM", extra={"port": port, "ae_title": settings.listen_ae_title})
        await received.run(stopping)
