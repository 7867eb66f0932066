"""All files that a study's result is available as, by name.

What makes a file is imported with the first one: highdicom, FHIR's resources and Typst take 40 MB of memory.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pkgutil import resolve_name

from .context import OutputContext
from .key_images import KEY_IMAGES_MAX
from .tables import lesions_csv, result_json

DICOM = "application/dicom"


@dataclass(frozen=True)
class Output:
    """make: the file's content; None where the study has none, such as DICOM objects for NIfTI.

    is_default: whether this is the answer to an `Accept` header with its media type.
    has_key_images: whether other key images make another file.
    """

    media_type: str
    make: Callable[[OutputContext], bytes | None]
    is_default: bool = False
    has_key_images: bool = False


def _made_by(function: str, **arguments: int) -> Callable[[OutputContext], bytes | None]:
    """function: `module:name` in this package, which is imported when it is called."""

    def make(context: OutputContext) -> bytes | None:
        content: bytes | None = resolve_name(f"{__package__}.{function}")(context, **arguments)
        return content

    return make


OUTPUTS: Mapping[str, Output] = {
    "result.json": Output("application/json", result_json, is_default=True),
    "lesions.csv": Output("text/csv", lesions_csv, is_default=True),
    "report.pdf": Output("application/pdf", _made_by("pdf:report_pdf"), is_default=True, has_key_images=True),
    "report.png": Output("image/png", _made_by("pdf:report_png"), has_key_images=True),
    "report.fhir.json": Output(
        "application/fhir+json", _made_by("fhir:fhir_bundle"), is_default=True, has_key_images=True
    ),
    "segmentation.dcm": Output(DICOM, _made_by("seg:segmentation_file")),
    "measurements.dcm": Output(DICOM, _made_by("sr:structured_report_file")),
    "measurements-2d.dcm": Output(DICOM, _made_by("sr:comprehensive_report_file")),
    "report.dcm": Output(DICOM, _made_by("encapsulated_pdf:encapsulated_pdf_file"), has_key_images=True),
    **{
        f"key-image-{number + 1}.dcm": Output(
            DICOM, _made_by("secondary_capture:secondary_capture_file", number=number), has_key_images=True
        )
        for number in range(KEY_IMAGES_MAX)
    },
    **{
        f"key-image-{number + 1}.png": Output(
            "image/png", _made_by("drawings:key_picture_png", number=number), has_key_images=True
        )
        for number in range(KEY_IMAGES_MAX)
    },
}
BY_MEDIA_TYPE: Mapping[str, str] = {output.media_type: name for name, output in OUTPUTS.items() if output.is_default}
"""The name of the file that answers an `Accept` header."""
DICOM_NAMES = tuple(name for name, output in OUTPUTS.items() if output.media_type == DICOM)


def make_outputs(context: OutputContext) -> Iterator[tuple[str, bytes]]:
    """Name and content of each file that this study has, one after the other."""
    for name, output in OUTPUTS.items():
        content = output.make(context)
        if content is not None:
            yield name, content
