"""The answers of QIDO-RS: attributes of studies, series and instances (PS3.18, tables 10.6.3-3 to 10.6.3-5)."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

from hepar.core.errors import InvalidField
from hepar.imaging.dicom_json import JsonHeader
from study_service.dicomweb.catalogue import Catalogue, CataloguedObject
from study_service.dicomweb.derived_objects import modalities_of
from study_service.dicomweb.matching import InvalidDicomWebRequest, Query, dates_of, vr_of
from study_service.dicomweb.studies import ListedStudy, StudyKeys

STUDY_UID, SERIES_UID, INSTANCE_UID = "0020000D", "0020000E", "00080018"
_BEFORE_ANALYSIS = "CT"
"""The modality of a study whose series are not known yet: others are not taken."""
_STUDY_DATE, _ACCESSION, _MODALITIES, _MODALITY = "00080020", "00080050", "00080061", "00080060"
_RETRIEVE_URL = "00081190"
STUDY_TAGS = (
    _STUDY_DATE, "00080030", _ACCESSION, "00080056", _MODALITIES, "00100010", "00100020", "00100030", "00100040",
    STUDY_UID, "00200010", "00201206", "00201208", _RETRIEVE_URL,
)  # fmt: skip
_OF_STUDIES = {"00080020", "00080050", "00080056", "00080061", "00100010", "00100020", "00100021", "00100030",
               "00100040", "0020000D"}  # fmt: skip
"""What a search for studies can match: what is stored for a whole study."""
SERIES_TAGS = (_MODALITY, "0008103E", SERIES_UID, "00200011", "00201209", _RETRIEVE_URL, STUDY_UID)
INSTANCE_TAGS = (
    "00080016", INSTANCE_UID, "00080056", _RETRIEVE_URL, STUDY_UID, SERIES_UID, "00200013", "00280010", "00280011",
    "00280100", "00280008", _MODALITY,
)  # fmt: skip


@dataclass(frozen=True)
class Page:
    """has_more: whether there are further matches."""

    items: list[JsonHeader]
    has_more: bool


def study_keys(query: Query) -> StudyKeys:
    """Raises InvalidDicomWebRequest for attributes that a search for studies cannot match."""
    unknown = sorted(set(query.keys) - _OF_STUDIES)
    if unknown:
        message = "a search for studies cannot match this attribute"
        fields = (InvalidField("query", f"/{tag}", "not_matched", message) for tag in unknown)
        raise InvalidDicomWebRequest(f"{', '.join(unknown)}: {message}", *fields)
    first, last = dates_of("StudyDate", query.keys[_STUDY_DATE]) if _STUDY_DATE in query.keys else (None, None)
    accession = query.keys.get(_ACCESSION)
    uids = query.keys.get(STUDY_UID)
    return StudyKeys(
        study_uids=None if uids is None else uids.replace("\\", ",").split(","),
        accession_number=None if accession is None or {"*", "?"} & set(accession) else accession,
        date_from=_day(first),
        date_to=_day(last),
    )


def study_header(study: ListedStudy) -> JsonHeader:
    known = study.identifiers
    derived = [] if study.result is None else modalities_of(study.result)
    sent = {part.uid for part in study.series if part.uid}
    known_modalities = {part.modality for part in study.series if part.modality} | set(derived)
    modalities = sorted(known_modalities or {_BEFORE_ANALYSIS})  # OHIF stops at an empty one
    stated: dict[str, Any] = {
        _STUDY_DATE: study.study_date.strftime("%Y%m%d") if study.study_date else None,
        "00080030": None,
        _ACCESSION: known.accession_number,
        "00080056": "ONLINE",
        _MODALITIES: modalities,
        "00100010": {"Alphabetic": known.patient_name} if known.patient_name else None,
        "00100020": known.patient_id,
        "00100021": known.issuer,
        "00100030": known.birth_date.replace("-", "") if known.birth_date else None,
        "00100040": known.sex,
        STUDY_UID: known.study_uid,
        "00200010": None,
        "00201206": len(sent) + len(set(derived)) if sent else None,
        "00201208": study.instances + len(derived),
    }
    return {tag: _attribute(tag, value) for tag, value in stated.items()}


def series_page(
    catalogue: Catalogue, wanted: Sequence[CataloguedObject], headers: Sequence[JsonHeader], query: Query
) -> Page:
    """One item per series, in the order in which they came."""
    counts: dict[str, int] = {}
    firsts: dict[str, JsonHeader] = {}
    for item, header in zip(wanted, headers, strict=True):
        counts[item.entry.series_uid] = counts.get(item.entry.series_uid, 0) + 1
        firsts.setdefault(item.entry.series_uid, header)
    stated = [
        first | {"00201209": _attribute("00201209", counts[uid]), STUDY_UID: _attribute(STUDY_UID, catalogue.study_uid)}
        for uid, first in firsts.items()
    ]
    return page_of(stated, query, SERIES_TAGS)


def instance_page(headers: Sequence[JsonHeader], query: Query) -> Page:
    available = {"00080056": _attribute("00080056", "ONLINE")}
    return page_of([header | available for header in headers], query, INSTANCE_TAGS)


def page_of(headers: Iterable[JsonHeader], query: Query, returned: Sequence[str]) -> Page:
    matching = [header for header in headers if query.matches(header)]
    return paged_matches(matching[query.offset :], query, returned)


def paged_matches(matching: Sequence[JsonHeader], query: Query, returned: Sequence[str]) -> Page:
    """matching: from the offset on."""
    shown = [query.chosen(header, returned) for header in matching[: query.limit]]
    return Page(shown, len(matching) > query.limit)


def with_urls(items: Iterable[JsonHeader], url_of: Callable[[JsonHeader], str]) -> list[JsonHeader]:
    return [dict(sorted((item | {_RETRIEVE_URL: {"vr": "UR", "Value": [url_of(item)]}}).items())) for item in items]


def uid_of(header: JsonHeader, tag: str) -> str:
    return str(header[tag]["Value"][0])


def _attribute(tag: str, value: object) -> dict[str, Any]:
    if value is None:
        return {"vr": vr_of(tag)}
    return {"vr": vr_of(tag), "Value": value if isinstance(value, list) else [value]}


def _day(text: str | None) -> date | None:
    """Raises InvalidDicomWebRequest for a day that no calendar has."""
    if text is None:
        return None
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise InvalidDicomWebRequest("StudyDate: there is no such day") from None
