"""A study's result as a FHIR R4 Bundle, with the report as PDF in it (docs/fhir.md)."""

from __future__ import annotations

import base64

from .context import OutputContext, result_uuid
from .fhir_resources import REPORT_TITLE, ReportResources, ReportSource, Resource, instant
from .fhir_values import identifier_of_uuid
from .pdf import report_pdf
from .source_headers import study_attributes


def fhir_bundle(context: OutputContext) -> bytes:
    """JSON of a Bundle of type `collection`. Nothing in it is final, because nobody has verified it.

    Its resources are the same with other key images, which are in the PDF only: a server that has them updates them.
    """
    from fhir.resources.R4B.bundle import Bundle

    def url(name: str) -> str:
        return result_uuid(context.result, f"fhir {name}").urn

    source = ReportSource(
        context.result, study_attributes(context), bool(context.sources), context.created_at, context.language
    )
    resources = ReportResources(source, lambda _, name: url(name), _document(context))
    entries = [{"fullUrl": url(name), "resource": resource} for name, resource in resources.all().items()]
    bundle = Bundle.model_validate(
        {
            "resourceType": "Bundle",
            "id": str(context.uuid("bundle")),
            "identifier": identifier_of_uuid(context.uuid("bundle")),
            "type": "collection",
            "timestamp": instant(context.created_at),
            "entry": entries,
        }
    )
    return bytes(bundle.model_dump_json(indent=2).encode())


def _document(context: OutputContext) -> Resource:
    return {
        "contentType": "application/pdf",
        "language": context.language,
        "data": base64.b64encode(report_pdf(context)).decode("ascii"),
        "title": REPORT_TITLE,
        "creation": instant(context.created_at),
    }
