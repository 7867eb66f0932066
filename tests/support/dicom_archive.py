"""An archive whose answers a test chooses, over real DICOM associations."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from pydicom import Dataset
from pydicom.uid import UID, ExplicitVRLittleEndian
from pynetdicom import AE, evt
from pynetdicom.events import Event

VERIFICATION = UID("1.2.840.10008.1.1")


@dataclass
class DicomArchive:
    """status: of the answers to C-STORE.  stored: SOP Class UIDs.  objects: that were stored."""

    port: int = 0
    status: int = 0x0000
    stored: list[str] = field(default_factory=list)
    objects: list[Dataset] = field(default_factory=list)

    def store(self, event: Event) -> int:
        if self.status == 0x0000:
            self.stored.append(str(event.request.AffectedSOPClassUID))
            self.objects.append(event.dataset)
            event.dataset.file_meta = event.file_meta
        return self.status


@contextmanager
def dicom_archive(*sop_classes: str, ae_title: str = "ARCHIVE", calling: str | None = None) -> Iterator[DicomArchive]:
    """calling: the only AE title that it lets in."""
    archive = DicomArchive()
    entity = AE(ae_title=ae_title)
    for sop_class in (VERIFICATION, *sop_classes):
        entity.add_supported_context(sop_class, ExplicitVRLittleEndian)
    entity.require_called_aet = True
    entity.require_calling_aet = [calling] if calling else []
    server = entity.start_server(("127.0.0.1", 0), block=False, evt_handlers=[(evt.EVT_C_STORE, archive.store)])
    assert server is not None
    archive.port = server.server_address[1]
    try:
        yield archive
    finally:
        server.shutdown()
