"""Properties of an uploaded image, and how it is turned for the networks and for display."""

from typing import Literal

from pydantic import Field

from .base import Document, example_of, with_example


class PatientSides(Document):
    """The patient's side at each edge of the display: R right, L left, A anterior, P posterior."""

    model_config = with_example({"left": "R", "top": "A", "right": "L", "bottom": "P"})

    left: Literal["R"] = Field(description="at the left edge")
    top: Literal["A"] = Field(description="at the upper edge")
    right: Literal["L"] = Field(description="at the right edge")
    bottom: Literal["P"] = Field(description="at the lower edge")


class Display(Document):
    """How the networks saw the image and a viewer shows it: in standard radiological display, with square pixels.

    All other coordinates of a result are pixels of the image as sent. `matrix` turns them into pixels of the display.
    """

    model_config = with_example(
        {
            "matrix": [1.0, 0.0, 0.0, 1.0, 0.0, 0.0],
            "width": 512.0,
            "height": 512.0,
            "patient_sides": example_of(PatientSides),
        }
    )

    matrix: tuple[float, float, float, float, float, float] = Field(
        description="a, b, c, d, e, f, as in the `matrix()` of CSS and in a canvas: the point x, y of the image as "
        "sent is shown at a x + c y + e, b x + d y + f"
    )
    width: float = Field(gt=0, description="of the display, in its pixels")
    height: float = Field(gt=0, description="of the display, in its pixels")
    patient_sides: PatientSides | None = Field(description="null where the file does not state how the patient lies")


class NetworkScale(Document):
    """The size of what the networks saw. They were trained on images of 256 pixels of 1.6 millimetres.

    They see the same scale: the image is cropped or padded around the body, or shrunk where the body is larger. A file
    without a pixel spacing has an estimated one for this; without a body, they see the whole image.
    Detectors may see a closer part around the organs; all values but the last are of the other networks.
    """

    model_config = with_example(
        {"mm_per_pixel": 1.6, "source": "file", "cropped": False, "padded": True, "closest_mm_per_pixel": 1.32}
    )

    mm_per_pixel: float | None = Field(
        gt=0, description="millimetres per pixel of the networks' input; null where it is unknown"
    )
    source: Literal["file", "estimated", "unknown"] = Field(
        description="`file`: the file states the pixel spacing. `estimated`: as if the body had the usual width, "
        "from which patients differ by some 13 %; no other size in a result is derived from it. `unknown`: no body is "
        "seen, or the stated spacing is implausible; the networks saw the whole image"
    )
    cropped: bool = Field(description="whether the networks saw a part of the image only; it holds the whole body")
    padded: bool = Field(description="whether black was added at the edges")
    closest_mm_per_pixel: float | None = Field(
        default=None,
        gt=0,
        description="as `mm_per_pixel`, of the networks that see the smallest part: detectors, where they took part; "
        "null in results of studies, where it differs between slices",
    )


class ImageFacts(Document):
    """Properties of the image as it was sent: for a picture with an EXIF orientation, as its pixels are stored."""

    model_config = with_example(
        {
            "width": 512,
            "height": 512,
            "format": "DICOM",
            "pixel_spacing_mm": [0.78, 0.78],
            "display": example_of(Display),
            "scale": example_of(NetworkScale),
            "warnings": [],
        }
    )

    width: int = Field(gt=0, description="pixels")
    height: int = Field(gt=0, description="pixels")
    format: Literal["PNG", "JPEG", "TIFF", "BMP", "WEBP", "DICOM"] = Field(description="detected from the bytes")
    pixel_spacing_mm: tuple[float, float] | None = Field(
        description="distance between rows and between columns, millimetres; null where the file does not state it"
    )
    display: Display
    scale: NetworkScale
    warnings: list[str] = Field(description="what a reader of the result should know about the image")
