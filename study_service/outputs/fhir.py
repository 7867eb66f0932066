"""A study's result as a FHIR R4 Bundle: report, observations, imaging study, device and provenance (docs/fhir.md)."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from datetime import UTC, date
from typing import Any

from fhir.resources.R4B.bundle import Bundle
from pydicom.sr.coding import Code

from hepar.contracts.lesions import Lesion

from . import codes
from .context import OutputContext
from .fhir_values import category, code_system_url, concept, identifier_of_uid, quantity
from .pdf import report_pdf
from .source_headers import study_attributes
from .statements import finding_statement, presence_of_lesions

Resource = dict[str, Any]
_PRESENCE = {"present": codes.PRESENT, "absent": codes.ABSENT, "indeterminate": codes.INDETERMINATE}


def fhir_bundle(context: OutputContext) -> bytes:
    """JSON of a Bundle of type `collection`. Nothing in it is final, because nobody has verified it."""
    resources = _Resources(context)
    entries = [{"fullUrl": resources.url(item["id"]), "resource": item} for item in resources.all()]
    bundle = Bundle.model_validate(
        {
            "resourceType": "Bundle",
            "id": str(context.uuid("bundle")),
            "identifier": {"system": "urn:ietf:rfc:3986", "value": context.uuid("bundle").urn},
            "type": "collection",
            "timestamp": _instant(context),
            "entry": entries,
        }
    )
    return bytes(bundle.model_dump_json(indent=2).encode())


class _Resources:
    """The resources of one result; they refer to each other by `urn:uuid:`."""

    def __init__(self, context: OutputContext) -> None:
        self._context = context
        self._result = context.result
        self._study = study_attributes(context)
        self._time = _instant(context)

    def all(self) -> list[Resource]:
        observations = [self._presence(), *self._liver(), *map(self._lesion, self._result.lesions)]
        study = [self._imaging_study()] if self._context.sources else []
        report = self._report([item["id"] for item in observations])
        provenance = self._provenance([report["id"], *(item["id"] for item in observations)])
        return [report, *observations, *study, self._device(), provenance]

    def url(self, resource_id: str) -> str:
        return f"urn:uuid:{resource_id}"

    def _id(self, name: str) -> str:
        return str(self._context.uuid(f"fhir {name}"))

    def _link(self, name: str, kind: str) -> Resource:
        return {"reference": self.url(self._id(name)), "type": kind}

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

    def _report(self, observation_ids: list[str]) -> Resource:
        result = self._result
        diseases = [codes.DISEASES[result.label]] if result.label in codes.DISEASES else []
        report: Resource = {
            "resourceType": "DiagnosticReport",
            "id": self._id("report"),
            "language": self._context.language,
            "identifier": [{"system": "urn:ietf:rfc:3986", "value": self._context.uuid("fhir report").urn}],
            "status": "preliminary",
            "category": [category("v2-0074", "RAD")],
            "code": concept(codes.IMAGING_STUDY),
            "subject": self._subject,
            "effectiveDateTime": self._effective,
            "issued": self._time,
            "result": [{"reference": self.url(item), "type": "Observation"} for item in observation_ids],
            "conclusion": f"{finding_statement(result, self._context.language)} {result.notice}",
            "presentedForm": [self._document()],
        }
        if self._context.sources:
            report["imagingStudy"] = [self._link("study", "ImagingStudy")]
        if diseases:
            report["conclusionCode"] = [concept(code) for code in diseases]
        return report

    def _document(self) -> Resource:
        content = report_pdf(self._context)
        return {
            "contentType": "application/pdf",
            "language": self._context.language,
            "data": base64.b64encode(content).decode("ascii"),
            "title": "Hepar report (research)",
            "creation": self._time,
        }

    def _observation(self, name: str, code: Code, components: Mapping[Code, tuple[float | None, Code]]) -> Resource:
        observation: Resource = {
            "resourceType": "Observation",
            "id": self._id(name),
            "status": "preliminary",
            "category": [category("observation-category", "imaging")],
            "code": concept(code),
            "subject": self._subject,
            "effectiveDateTime": self._effective,
            "issued": self._time,
            "bodySite": concept(codes.LIVER),
            "device": self._link("device", "Device"),
        }
        if self._context.sources:
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
            "note": [{"text": f"{finding_statement(result, self._context.language)} {result.notice}"}],
        }

    def _liver(self) -> list[Resource]:
        if self._result.liver_ml is None:
            return []
        volume = self._observation("liver", codes.VOLUME, {})
        return [volume | {"valueQuantity": quantity(self._result.liver_ml, codes.MILLILITRE)}]

    def _lesion(self, lesion: Lesion) -> Resource:
        is_mask = lesion.measured_on == "mask"
        values: dict[Code, tuple[float | None, Code]] = {
            codes.LONG_AXIS if is_mask else codes.BOX_LONG_AXIS: (lesion.long_axis.length_mm, codes.MILLIMETRE),
            codes.SHORT_AXIS if is_mask else codes.BOX_SHORT_AXIS: (lesion.short_axis.length_mm, codes.MILLIMETRE),
            codes.VOLUME: (lesion.volume_ml, codes.MILLILITRE),
            codes.LESION_PROBABILITY: (lesion.probability, codes.NO_UNITS),
        }
        observation = self._observation(
            f"lesion {lesion.id}", codes.LESION, values | _types(lesion.type_probabilities)
        ) | {"identifier": [identifier_of_uid(lesion.tracking_uid), {"value": lesion.id}]}
        if lesion.label in codes.DISEASES:
            observation["valueCodeableConcept"] = concept(codes.DISEASES[lesion.label])
        return observation

    def _imaging_study(self) -> Resource:
        study, series = self._study, [item for item in self._result.series if item.uid]
        identifiers: list[Resource] = [identifier_of_uid(study.StudyInstanceUID)]
        if study.AccessionNumber:
            identifiers.append({"type": category("v2-0203", "ACSN"), "value": study.AccessionNumber})
        resource: Resource = {
            "resourceType": "ImagingStudy",
            "id": self._id("study"),
            "identifier": identifiers,
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

    def _provenance(self, targets: list[str]) -> Resource:
        provenance: Resource = {
            "resourceType": "Provenance",
            "id": self._id("provenance"),
            "target": [{"reference": self.url(target)} for target in targets],
            "recorded": self._time,
            "agent": [
                {"type": category("provenance-participant-type", "assembler"), "who": self._link("device", "Device")}
            ],
        }
        if self._context.sources:
            provenance["entity"] = [{"role": "source", "what": self._link("study", "ImagingStudy")}]
        return provenance


def _types(probabilities: Mapping[str, float]) -> dict[Code, tuple[float | None, Code]]:
    known = codes.TYPE_PROBABILITIES
    return {known[label]: (value, codes.NO_UNITS) for label, value in probabilities.items() if label in known}


def _instant(context: OutputContext) -> str:
    return context.created_at.astimezone(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
