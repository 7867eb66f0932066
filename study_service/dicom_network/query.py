"""Finds studies in an archive and has it send them to the listener (PS3.4 C: Study Root, FIND and MOVE)."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from pydicom import Dataset
from pydicom.uid import UID

from study_service.dicom_network.association import AssociationRefused, Peer, associated

_FIND, _MOVE = UID("1.2.840.10008.5.1.4.1.2.2.1"), UID("1.2.840.10008.5.1.4.1.2.2.2")
_SUCCESS = 0x0000
_PENDING = (0xFF00, 0xFF01)
_FOUND_MAX = 100
_MOVE_ANSWER_S = 600.0
"""An archive may be silent while it sends a study."""
_WILDCARDS = re.compile(r"[*?\\\x00-\x1f\x7f]")


class QueryFailed(Exception):
    """The archive did not answer with success; the message has no patient data."""


@dataclass(frozen=True)
class FoundStudy:
    """As the archive states it. date: YYYYMMDD, or empty."""

    uid: str
    patient_id: str
    accession_number: str
    date: str
    modalities: tuple[str, ...]


class DicomArchive:
    """Blocks while it waits for the archive. All methods raise QueryFailed."""

    def __init__(self, peer: Peer) -> None:
        self._peer = peer

    def find(self, *, accession_number: str = "", patient_id: str = "") -> list[FoundStudy]:
        """CT studies with exactly this accession number or patient id, the newest first; _FOUND_MAX at most.

        Archives may ignore keys, and compare in their own way: what does not match is left out.
        """
        given = accession_number or patient_id
        if not given.strip() or _WILDCARDS.search(given):
            raise QueryFailed("an accession number or a patient id without wildcards is needed")
        found = [_study(item) for item in self._query(accession_number, patient_id)]
        matching = [
            item
            for item in found
            if item.uid
            and (not accession_number or item.accession_number == accession_number.strip())
            and (not patient_id or item.patient_id == patient_id.strip())
            and (not item.modalities or "CT" in item.modalities)
        ]
        return sorted(matching, key=lambda item: item.date, reverse=True)

    def move(self, studies: Iterable[FoundStudy], to_ae_title: str) -> None:
        """When it returns, the archive has sent all images. to_ae_title: which the archive knows the address of."""
        for study in studies:
            wanted = Dataset()
            wanted.QueryRetrieveLevel, wanted.StudyInstanceUID = "STUDY", study.uid
            try:
                with associated(replace(self._peer, answer_s=_MOVE_ANSWER_S), [_MOVE]) as association:
                    answers = [status for status, _ in association.send_c_move(wanted, to_ae_title, _MOVE)]
            except (AssociationRefused, ValueError) as error:
                raise QueryFailed(_reason(error)) from error
            _require_success(answers, "C-MOVE")
            if answers[-1].get("NumberOfFailedSuboperations"):
                raise QueryFailed(f"the archive did not send {answers[-1].NumberOfFailedSuboperations} objects")

    def _query(self, accession_number: str, patient_id: str) -> list[Dataset]:
        wanted = Dataset()
        wanted.SpecificCharacterSet = "ISO_IR 192"
        wanted.QueryRetrieveLevel = "STUDY"
        wanted.PatientID, wanted.AccessionNumber = patient_id, accession_number
        wanted.StudyInstanceUID = wanted.StudyDate = wanted.ModalitiesInStudy = ""
        items: list[Dataset] = []
        answers: list[Dataset] = []
        try:
            with associated(self._peer, [_FIND]) as association:
                for status, item in association.send_c_find(wanted, _FIND):
                    answers.append(status)
                    if status.get("Status") in _PENDING and item is not None:
                        items.append(item)
                    if len(items) > _FOUND_MAX:
                        raise QueryFailed(f"more than {_FOUND_MAX} studies match")
        except (AssociationRefused, ValueError) as error:
            raise QueryFailed(_reason(error)) from error
        _require_success(answers, "C-FIND")
        return items


def priors(found: Sequence[FoundStudy], study_uid: str, before: str, count: int) -> list[FoundStudy]:
    """The newest studies that are older than this one. before: its date, YYYYMMDD.  count: at most."""
    return [item for item in found if item.uid != study_uid and item.date and item.date <= before][:count]


def _study(item: Dataset) -> FoundStudy:
    def text(name: str) -> str:
        return str(item.get(name) or "").strip()

    modalities = item.get("ModalitiesInStudy") or ()
    several = (modalities,) if isinstance(modalities, str) else tuple(modalities)
    return FoundStudy(text("StudyInstanceUID"), text("PatientID"), text("AccessionNumber"), text("StudyDate"), several)


def _require_success(answers: Sequence[Dataset], operation: str) -> None:
    status = answers[-1].get("Status") if answers else None
    if status is None:
        raise QueryFailed(f"the archive did not answer {operation}")
    if status != _SUCCESS:
        raise QueryFailed(f"the archive answered {operation} with status {status:04X}h")


def _reason(error: Exception) -> str:
    return str(error) if isinstance(error, AssociationRefused) else "the archive supports no query and retrieval"
