"""The report as DICOM Encapsulated PDF (PS3.3 A.45.1), for archives and viewers that show no structured reports."""

from __future__ import annotations

from pydicom.dataset import Dataset
from pydicom.sr.coding import Code
from pydicom.uid import UID, EncapsulatedPDFStorage

from . import codes
from .context import OutputContext
from .equipment import file_bytes, new_instance
from .pdf import report_pdf
from .source_headers import distinct_images, source_headers
from .wording import WORDS


def encapsulated_pdf_file(context: OutputContext) -> bytes | None:
    """DICOM file; None for a study without DICOM files."""
    if not context.sources:
        return None
    content = report_pdf(context)
    instance = new_instance(context, "pdf", EncapsulatedPDFStorage, modality="DOC")
    instance.SOPInstanceUID = context.text_document_uid("pdf 1")
    instance.file_meta.MediaStorageSOPInstanceUID = UID(instance.SOPInstanceUID)
    instance.SeriesDescription = "Hepar report (research)"
    instance.ConversionType = "WSD"
    instance.AcquisitionDateTime = ""
    instance.BurnedInAnnotation = "YES"  # the report states who the patient is
    instance.VerificationFlag = "UNVERIFIED"
    words = WORDS[context.language]
    instance.DocumentTitle = f"{words['title']}: {words['subtitle']}"
    instance.ConceptNameCodeSequence = [code_item(codes.IMAGING_STUDY)]
    instance.SourceInstanceSequence = [reference(header) for header in distinct_images(source_headers(context))]
    instance.MIMETypeOfEncapsulatedDocument = "application/pdf"
    instance.EncapsulatedDocument = content + b"\0" * (len(content) % 2)
    instance.EncapsulatedDocumentLength = len(content)
    return file_bytes(context, instance)


def code_item(code: Code) -> Dataset:
    item = Dataset()
    item.CodeValue, item.CodingSchemeDesignator, item.CodeMeaning = code.value, code.scheme_designator, code.meaning
    return item


def reference(header: Dataset) -> Dataset:
    """Item of a sequence that refers to an object (PS3.3 table 10-11)."""
    item = Dataset()
    item.ReferencedSOPClassUID, item.ReferencedSOPInstanceUID = header.SOPClassUID, header.SOPInstanceUID
    return item
