"""From complete received studies to stored ones, by the same ingestion as uploads over HTTP."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import tempfile
import time
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from hepar.core.errors import ClientError, HeparError
from hepar.storage.encryption import Undecipherable
from study_service.dicom_network.incoming import IncomingStudies, IncomingStudy
from study_service.dicom_settings import ListenPeer
from study_service.documents import Caller
from study_service.ingestion import Ingestion, UploadOptions

_log = logging.getLogger(__name__)
_POLL_S = 1.0
_RETRY_S = 30.0
_REFUSED_RETRY_S = 3600.0
_KEEP_REFUSED_S = 7 * 24 * 3600.0
"""A full account can be given room, and a wrong setting corrected, in this time."""


@dataclass
class _Waiting:
    """A complete study that was not stored. due_at: monotonic time of the next attempt."""

    study: IncomingStudy
    due_at: float = field(default=0.0)


class ReceivedStudies:
    """spool: for the archive that ingestion reads.  quiet_s: as in StudySettings."""

    def __init__(
        self,
        incoming: IncomingStudies,
        ingestion: Ingestion,
        peers: Mapping[str, ListenPeer],
        spool: Path,
        quiet_s: float,
    ) -> None:
        self._incoming = incoming
        self._ingestion = ingestion
        self._peers = peers
        self._spool = spool
        self._quiet_s = quiet_s
        self._waiting: list[_Waiting] = []

    async def run(self, stopping: asyncio.Event) -> None:
        """Until `stopping` is set; a study that is being stored then is stored first."""
        while not stopping.is_set():
            await self.store_complete(stopping)
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(stopping.wait(), _POLL_S)

    async def store_complete(self, stopping: asyncio.Event | None = None) -> None:
        taken = await asyncio.to_thread(self._incoming.take_complete, self._quiet_s)
        self._waiting += [_Waiting(study) for study in taken]
        for one in list(self._waiting):
            if one.due_at <= time.monotonic() and not (stopping and stopping.is_set()):
                retry_s = await self._store(one.study)
                if retry_s is None:
                    self._waiting.remove(one)
                else:
                    one.due_at = time.monotonic() + retry_s

    async def _store(self, study: IncomingStudy) -> float | None:
        """None where it is done with; otherwise the time until the next attempt."""
        facts: dict[str, object] = {"peer": study.sender.peer, "objects": study.objects}
        peer = self._peers.get(study.sender.peer)
        try:
            if peer is None:
                raise ClientError("its peer is no longer configured")  # noqa: TRY301
            stored = await self._ingest(study, peer)
        except (ClientError, Undecipherable) as error:
            facts["reason"] = error.slug if isinstance(error, HeparError) else str(error)
            if time.time() - study.folder.stat().st_mtime < _KEEP_REFUSED_S:
                _log.error("a received study was refused; it is kept for a week", extra=facts)
                return _REFUSED_RETRY_S
            _log.error("a received study was refused for a week and is deleted", extra=facts)
        except (HeparError, OSError) as error:
            reason = error.detail if isinstance(error, HeparError) else type(error).__name__
            _log.warning("a received study is not stored yet", extra=facts | {"reason": reason})
            return _RETRY_S
        else:
            _log.info("a study was received", extra=facts | {"study": stored})
        await asyncio.to_thread(self._incoming.remove, study)
        return None

    async def _ingest(self, study: IncomingStudy, peer: ListenPeer) -> str:
        groups = frozenset({peer.group}) if peer.group else frozenset[str]()
        caller = Caller(peer.owner, groups, origin=study.sender.address)
        with tempfile.TemporaryDirectory(dir=self._spool) as folder:
            archive = Path(folder) / "upload"
            await asyncio.to_thread(_pack, study, archive)
            # what was acknowledged becomes a study, also where it cannot be analysed: its owner sees why
            options = UploadOptions(group=peer.group, quiet_s=0.0)
            return (await self._ingestion.store(caller, archive, archive.stat().st_size, options)).id


def _pack(study: IncomingStudy, archive: Path) -> None:
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_STORED) as output:
        for number, content in enumerate(study.contents(), start=1):
            output.writestr(f"{number:06}.dcm", content)
