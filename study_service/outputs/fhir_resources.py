"""The FHIR R4 resources of one result: report, observations, imaging study, device and provenance (docs/fhir.md)."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Any

from pydicom.dataset import Dataset
from pydicom.sr.coding import Code

from hepar.contracts.lesions import Lesion
from hepar.contracts.study_files import Language
from hepar.contracts.study_results import StudyResult

from . import codes
from .context import result_uuid
from .fhir_values import category, code_system_url, concept, identifier_of_uid, identifier_of_uuid, quantity
from .reading import reading_sentences
from .statements import finding_statement, presence_of_lesions
from .wording import WORDS

REPORT_TITLE = "Hepar report (research)"
Resource = dict[str, Any]
_PRESENCE = {"present": codes.PRESENT, "absent": codes.ABSENT, "indeterminate": codes.INDETERMINATE}


@dataclass(frozen=True, eq=False)
class ReportSource:
    """What the resources are made from.

    study: attributes of patient and study, as `source_headers.patient_and_study` gives them.
    has_files: False for a study without DICOM files (NIfTI).
    """

    result: StudyResult
    study: Dataset
    has_files: bool
    created_at: datetime
    language: Language = "en"


def resource_id(result: StudyResult, name: str) -> str:
    """The same for the same version of a study. name: a key of `ReportResources.all`."""
    return f"{result.study_id}.{result.version}.{name}"


class ReportResources:
    """link: the reference to a resource, by its type and name.  document: the report for people, an Attachment."""

    def __init__(self, source: ReportSource, link: Callable[[str, str], str], document: Resource) -> None:
        self._source = source
        self._result = source.result
        self._study = source.study
        self._time = instant(source.created_at)
        self._reference = link
        self._document = document

    def all(self) -> dict[str, Resource]:
        """By name, the report first."""
        observations = {"presence": self._presence()} | self._liver()
        observations |= {f"lesion-{lesion.id}": self._lesion(lesion) for lesion in self._result.lesions}
        study = {"study": self._imaging_study()} if self._source.has_files else {}
        report = {"report": self._report(list(observations))}
        provenance = {"provenance": self._provenance(list(observations))}
        return report | observations | study | {"device": self._device()} | provenance

    def _id(self, name: str) -> str:
        return resource_id(self._result, name)

    def _identifier(self, name: str) -> Resource:
        return identifier_of_uuid(result_uuid(self._result, f"fhir {name}"))

    def _link(self, name: str, kind: str) -> Resource:
        return {"reference": self._reference(kind, name), "type": kind}

    @property
    def _subject(self) -> Resource:
        """A logical reference: the patient is known to the hospital, not to Hepar."""
        subject: Resource = {"type": "Patient", "display": str(self._study.PatientName) or "not stated"}
        if self._study.PatientID:
            subject["identifier"] = {"type": category("v2-0203", "MR"), "value": self._study.PatientID}
            if issuer := self._study.get("IssuerOfPatientID"):
                subject["identifier"]["assigner"] = {"display": issuer}
        return subject

    @property
    def _effective(self) -> str:
        """The date of the images where it is known."""
        day = self._study.StudyDate
        return date.fromisoformat(day).isoformat() if day else self._time

    @property
    def _accession(self) -> list[Resource]:
        number = self._study.AccessionNumber
        return [{"type": category("v2-0203", "ACSN"), "value": number}] if number else []

    def _report(self, observations: list[str]) -> Resource:
        result = self._result
        diseases = [codes.DISEASES[result.label]] if result.label in codes.DISEASES else []
        report: Resource = {
            "resourceType": "DiagnosticReport",
            "id": self._id("report"),
            "language": self._source.language,
            "identifier": [self._identifier("report"), *self._accession],
            "status": "preliminary",
            "category": [category("v2-0074", "RAD")],
            "code": concept(codes.IMAGING_STUDY),
            "subject": self._subject,
            "effectiveDateTime": self._effective,
            "issued": instant(updated_at(self._source, "report")),
            "result": [self._link(name, "Observation") for name in observations],
            "conclusion": self._conclusion(),
            "presentedForm": [self._document],
        }
        if self._source.has_files:
            report["imagingStudy"] = [self._link("study", "ImagingStudy")]
        if diseases:
            report["conclusionCode"] = [concept(code) for code in diseases]
        return report

    def _conclusion(self) -> str:
        """Observations state the models' answer; what readers made of it is stated here."""
        language, result = self._source.language, self._result
        corrections = reading_sentences(result, WORDS[language])
        return " ".join([finding_statement(result, language), *corrections, result.notice])

    def _observation(self, name: str, code: Code, components: Mapping[Code, tuple[float | None, Code]]) -> Resource:
        observation: Resource = {
            "resourceType": "Observation",
            "id": self._id(name),
            "identifier": [self._identifier(name)],
            "status": "preliminary",
            "category": [category("observation-category", "imaging")],
            "code": concept(code),
            "subject": self._subject,
            "effectiveDateTime": self._effective,
            "issued": self._time,
            "bodySite": concept(codes.LIVER),
            "device": self._link("device", "Device"),
        }
        if self._source.has_files:
            observation["derivedFrom"] = [self._link("study", "ImagingStudy")]
        known = [
            {"code": concept(part), "valueQuantity": quantity(value, unit)}
            for part, (value, unit) in components.items()
            if value is not None
        ]
        if known:
            observation["component"] = known
        return observation

    def _presence(self) -> Resource:
        result = self._result
        values = {
            codes.LESION_COUNT: (len(result.lesions), codes.NO_UNITS),
            codes.TUMOUR_PROBABILITY: (result.tumour_probability, codes.NO_UNITS),
            codes.TUMOUR_BURDEN: (result.tumour_percent, codes.PERCENT),
        } | _types(result.type_probabilities)
        presence = self._observation("presence", codes.LESION_OF_LIVER, values)
        return presence | {
            "valueCodeableConcept": concept(_PRESENCE[presence_of_lesions(result)]),
            "note": [{"text": f"{finding_statement(result, self._source.language)} {result.notice}"}],
        }

    def _liver(self) -> dict[str, Resource]:
        if self._result.liver_ml is None:
            return {}
        volume = self._observation("liver", codes.VOLUME, {})
        return {"liver": volume | {"valueQuantity": quantity(self._result.liver_ml, codes.MILLILITRE)}}

    def _lesion(self, lesion: Lesion) -> Resource:
        is_mask = lesion.measured_on == "mask"
        values: dict[Code, tuple[float | None, Code]] = {
            codes.LONG_AXIS if is_mask else codes.BOX_LONG_AXIS: (lesion.long_axis.length_mm, codes.MILLIMETRE),
            codes.SHORT_AXIS if is_mask else codes.BOX_SHORT_AXIS: (lesion.short_axis.length_mm, codes.MILLIMETRE),
            codes.VOLUME: (lesion.volume_ml, codes.MILLILITRE),
            codes.LESION_PROBABILITY: (lesion.probability, codes.NO_UNITS),
        }
        name = f"lesion-{lesion.id}"
        observation = self._observation(name, codes.LESION, values | _types(lesion.type_probabilities))
        observation["identifier"] = [
            identifier_of_uid(lesion.tracking_uid), {"value": lesion.id}, self._identifier(name),
        ]  # fmt: skip
        if lesion.label in codes.DISEASES:
            observation["valueCodeableConcept"] = concept(codes.DISEASES[lesion.label])
        return observation

    def _imaging_study(self) -> Resource:
        study, series = self._study, [item for item in self._result.series if item.uid]
        resource: Resource = {
            "resourceType": "ImagingStudy",
            "id": self._id("study"),
            "identifier": [identifier_of_uid(study.StudyInstanceUID), *self._accession],
            "status": "available",
            "subject": self._subject,
            "modality": [{"system": code_system_url("DCM"), "code": "CT"}],
            "numberOfSeries": len(series),
            "numberOfInstances": sum(item.images for item in series),
            "series": [
                {"uid": item.uid, "modality": {"system": code_system_url("DCM"), "code": item.modality or "OT"}}
                | {"numberOfInstances": item.images}
                | ({"number": item.number} if item.number is not None and item.number >= 0 else {})
                | ({"description": item.description} if item.description else {})
                for item in series
            ],
        }
        if study.StudyDate:
            resource["started"] = self._effective
        return resource

    def _device(self) -> Resource:
        result = self._result
        return {
            "resourceType": "Device",
            "id": self._id("device"),
            "identifier": [identifier_of_uuid(_software_uuid(result))],
            "status": "active",
            "manufacturer": "Hepar",
            "deviceName": [{"name": "Hepar study_service", "type": "model-name"}],
            "type": concept(codes.ARTIFICIAL_INTELLIGENCE),
            "version": [
                {"value": result.software_version},
                *({"type": {"text": model.model}, "value": model.version} for model in result.models),
            ],
            "note": [{"text": result.notice}],
        }

    def _provenance(self, observations: list[str]) -> Resource:
        provenance: Resource = {
            "resourceType": "Provenance",
            "id": self._id("provenance"),
            "target": [
                self._link("report", "DiagnosticReport"),
                *(self._link(name, "Observation") for name in observations),
            ],
            "recorded": self._time,
            "agent": [
                {"type": category("provenance-participant-type", "assembler"), "who": self._link("device", "Device")}
            ],
        }
        if self._source.has_files:
            provenance["entity"] = [{"role": "source", "what": self._link("study", "ImagingStudy")}]
        return provenance


def _types(probabilities: Mapping[str, float]) -> dict[Code, tuple[float | None, Code]]:
    known = codes.TYPE_PROBABILITIES
    return {known[label]: (value, codes.NO_UNITS) for label, value in probabilities.items() if label in known}


def _software_uuid(result: StudyResult) -> uuid.UUID:
    """Of the software with its models: the same for all results that they made."""
    models = " ".join(f"{model.model}={model.version}" for model in result.models)
    return uuid.uuid5(uuid.NAMESPACE_OID, f"Hepar {result.software_version} {models}")


def updated_at(source: ReportSource, name: str) -> datetime:
    """Of the report, the time of the newest correction. name: of the resource."""
    reading = source.result.reading if name == "report" else None
    return (reading.summary.last_at if reading else None) or source.created_at


def instant(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
