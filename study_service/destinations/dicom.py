"""Sends DICOM objects to an archive by C-STORE; the test is a C-ECHO."""

from __future__ import annotations

import io
from collections.abc import Callable, Mapping
from typing import TypeVar

import pydicom
from anyio import CapacityLimiter, to_thread
from pydicom import Dataset
from pydicom.uid import UID
from pynetdicom.association import Association

from study_service.destinations.configuration import DicomDestination
from study_service.destinations.sender import SendFailed, refusal
from study_service.dicom_network.association import AssociationRefused, associated, peer_of

_VERIFICATION = UID("1.2.840.10008.1.1")
_SUCCESS = 0x0000
_OUT_OF_RESOURCES = range(0xA700, 0xA800)
_WARNINGS = range(0xB000, 0xC000)
_Done = TypeVar("_Done")


class DicomSender:
    """Objects have the same UIDs each time, so an archive recognises what it has."""

    def __init__(self, destination: DicomDestination) -> None:
        """Raises OSError for certificates that cannot be used."""
        self._peer = peer_of(destination)
        self._threads = CapacityLimiter(2)  # of its own: a slow archive takes none from the rest of the process

    async def send(self, outputs: Mapping[str, bytes]) -> None:
        objects = {name: pydicom.dcmread(io.BytesIO(content)) for name, content in outputs.items()}
        await self._in_thread(lambda: self._store(objects))

    async def test(self) -> None:
        await self._in_thread(self._echo)

    async def _in_thread(self, work: Callable[[], _Done]) -> _Done:
        try:
            return await to_thread.run_sync(work, limiter=self._threads, abandon_on_cancel=True)
        except AssociationRefused as error:
            raise SendFailed(str(error)) from error

    def _echo(self) -> None:
        with associated(self._peer, [_VERIFICATION]) as association:
            status = association.send_c_echo()
        if status.get("Status") != _SUCCESS:
            raise SendFailed("the archive does not answer C-ECHO with success")

    def _store(self, objects: Mapping[str, Dataset]) -> None:
        """All that the archive takes, also after one that it refuses."""
        refused = []
        with associated(self._peer, {item.SOPClassUID for item in objects.values()}) as association:
            for name, item in objects.items():
                if not _is_accepted(association, item):
                    refused.append((name, f"{item.SOPClassUID.name} is not supported"))
                elif (status := _stored(association, item)) is not None:
                    refused.append((name, f"status {status:04X}h"))
        if refused:
            raise SendFailed(refusal(refused), permanent=True)


def _is_accepted(association: Association, item: Dataset) -> bool:
    return any(context.abstract_syntax == item.SOPClassUID for context in association.accepted_contexts)


def _stored(association: Association, item: Dataset) -> int | None:
    """The status with which the archive refuses it for good. Raises SendFailed where that may pass."""
    if not association.is_established:
        raise SendFailed("the archive ended the association")
    status = association.send_c_store(item).get("Status")
    if status is None:
        raise SendFailed("the archive did not answer C-STORE")
    if status in _OUT_OF_RESOURCES:
        raise SendFailed(f"the archive is out of resources (status {status:04X}h)")
    return None if status == _SUCCESS or status in _WARNINGS else int(status)
