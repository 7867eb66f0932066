"""The files that a study's result is available as, by name."""

from typing import Literal, get_args

Language = Literal["en", "de"]
"""Of reports and key images."""
FileName = Literal[
    "result.json", "lesions.csv", "report.pdf", "report.png", "report.fhir.json", "segmentation.dcm",
    "measurements.dcm", "measurements-2d.dcm", "report.dcm",
    "key-image-1.dcm", "key-image-2.dcm", "key-image-3.dcm", "key-image-4.dcm", "key-image-5.dcm",
    "key-image-1.png", "key-image-2.png", "key-image-3.png", "key-image-4.png", "key-image-5.png",
]  # fmt: skip
"""The names of study_service.outputs.registry.OUTPUTS, which a test compares."""
DICOM_FILES: tuple[FileName, ...] = tuple(name for name in get_args(FileName) if name.endswith(".dcm"))
"""Those that a DICOM archive takes."""
