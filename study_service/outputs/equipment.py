"""What derived DICOM objects have in common: series, equipment, dates and bytes."""

from __future__ import annotations

import io
from typing import Any

from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import UID, ExplicitVRLittleEndian

from .context import OutputContext
from .source_headers import study_attributes, text_value

MANUFACTURER = "Hepar"
MODEL_NAME = "Hepar study_service"
SERIES_NUMBERS = {"seg": 9001, "sr": 9002, "sr_2d": 9003, "pdf": 9004, "sc": 9005}
"""High numbers, so that viewers list derived series after the images."""


def series_of(context: OutputContext, kind: str) -> dict[str, Any]:
    """Arguments of highdicom's constructors that place an object in its own series.

    kind: a key of SERIES_NUMBERS.
    """
    return {
        "series_instance_uid": context.uid(f"{kind} series"),
        "series_number": SERIES_NUMBERS[kind],
        "sop_instance_uid": context.uid(kind),
        "instance_number": 1,
        "manufacturer": MANUFACTURER,
        "manufacturer_model_name": MODEL_NAME,
        "software_versions": text_value(context.result.software_version),
        "device_serial_number": "1",
        "content_date": context.created_at.date(),
        "content_time": context.created_at.time().replace(microsecond=0),
    }


def new_instance(context: OutputContext, kind: str, sop_class_uid: str, modality: str, number: int = 1) -> Dataset:
    """An object of a class that highdicom does not write: patient, study, series, equipment and SOP common modules.

    kind: a key of SERIES_NUMBERS.  number: of the instance in its series, from 1.
    """
    instance = Dataset()
    instance.update(study_attributes(context))
    instance.SOPClassUID = sop_class_uid
    instance.SOPInstanceUID = context.text_uid(f"{kind} {number}")
    instance.SeriesInstanceUID = context.uid(f"{kind} series")
    instance.SeriesNumber = SERIES_NUMBERS[kind]
    instance.InstanceNumber = number
    instance.Modality = modality
    instance.Manufacturer = MANUFACTURER
    instance.ManufacturerModelName = MODEL_NAME
    instance.SoftwareVersions = text_value(context.result.software_version)
    instance.DeviceSerialNumber = "1"
    instance.ContentDate, instance.ContentTime = dicom_date_time(context)
    instance.file_meta = FileMetaDataset()
    instance.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    instance.file_meta.MediaStorageSOPClassUID = UID(sop_class_uid)
    instance.file_meta.MediaStorageSOPInstanceUID = UID(instance.SOPInstanceUID)
    return instance


def dicom_date_time(context: OutputContext) -> tuple[str, str]:
    """DA and TM of the creation, without fractions of a second."""
    return context.created_at.strftime("%Y%m%d"), context.created_at.strftime("%H%M%S")


def file_bytes(context: OutputContext, instance: Dataset) -> bytes:
    """PS3.10 file with a preamble of zeros. The same object gives the same bytes."""
    day, time = dicom_date_time(context)
    instance.InstanceCreationDate, instance.InstanceCreationTime = day, time
    for equipment in instance.get("ContributingEquipmentSequence", ()):
        equipment.ContributionDateTime = day + time
    buffer = io.BytesIO()
    instance.save_as(buffer, enforce_file_format=True)
    return buffer.getvalue()
