"""Key images as DICOM Secondary Captures (PS3.3 A.8.1), for viewers that show neither segmentations nor reports."""

from __future__ import annotations

from pydicom.uid import SecondaryCaptureImageStorage

from .context import OutputContext
from .drawings import key_picture
from .encapsulated_pdf import reference
from .equipment import file_bytes, new_instance
from .key_images import key_slices
from .source_headers import source_headers


def secondary_capture_file(context: OutputContext, number: int) -> bytes | None:
    """DICOM file of the key image of this number, from 0.

    None past the last key image, and for a study without DICOM files.
    """
    picture = key_picture(context, number) if context.sources else None
    if picture is None:
        return None
    instance = new_instance(context, "sc", SecondaryCaptureImageStorage, modality="OT", number=number + 1)
    instance.SeriesDescription = "Hepar key images (research)"
    instance.ImageType = ["DERIVED", "SECONDARY"]
    instance.ConversionType = "WSD"
    instance.Laterality = ""  # type 2C: the liver is no paired structure
    instance.PatientOrientation = ["L", "P"]
    instance.BurnedInAnnotation = "NO"  # nothing that identifies the patient (PS3.3 C.7.6.1.1)
    instance.LossyImageCompression = "00"
    instance.DerivationDescription = "Key image with outlines and boxes, liver window, resampled"
    instance.SourceImageSequence = [reference(source_headers(context)[key_slices(context)[number]])]
    instance.SamplesPerPixel, instance.PhotometricInterpretation, instance.PlanarConfiguration = 3, "RGB", 0
    instance.Rows, instance.Columns, _ = picture.shape
    instance.BitsAllocated, instance.BitsStored, instance.HighBit, instance.PixelRepresentation = 8, 8, 7, 0
    content = picture.tobytes()
    instance.PixelData = content + b"\0" * (len(content) % 2)
    return file_bytes(context, instance)
