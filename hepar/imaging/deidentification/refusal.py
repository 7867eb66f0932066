"""Images that cannot be de-identified: their pixels may show text or a face, as far as the file states it."""

from __future__ import annotations

from pydicom import Dataset
from pydicom.multival import MultiValue

from hepar.imaging.deidentification.profile import IODS
from hepar.imaging.errors import ImageError
from hepar.imaging.functional_groups import element

_SCREENS = {"SCREEN SAVE", "LOCALIZER"}


class NotDeidentifiable(ImageError):
    """The message says why, without a value of the file."""


def check_can_be_deidentified(dataset: Dataset) -> None:
    """Raises NotDeidentifiable. Text in pixels that the file does not state is not found."""
    meta = getattr(dataset, "file_meta", Dataset())
    if (dataset.get("SOPClassUID") or meta.get("MediaStorageSOPClassUID")) not in IODS:
        raise NotDeidentifiable("it is not a CT image, but for example a secondary capture, which may show text")
    burned_in = _values(dataset, "BurnedInAnnotation")
    if burned_in not in ([], ["NO"]):
        raise NotDeidentifiable("text is burned into its pixels (BurnedInAnnotation)")
    if _values(dataset, "RecognizableVisualFeatures") not in ([], ["NO"]):
        raise NotDeidentifiable("it shows a face (RecognizableVisualFeatures)")
    if element(dataset, "ConversionType"):
        raise NotDeidentifiable("it was captured from a screen or a film (ConversionType)")
    image_type = _values(dataset, "ImageType")
    if _SCREENS.intersection(image_type):
        raise NotDeidentifiable("it is a localizer or a screen capture (ImageType), which may show text")
    if image_type[:1] == ["DERIVED"] and not burned_in:
        raise NotDeidentifiable("it is a derived image that does not state that no text is burned in")


def _values(dataset: Dataset, keyword: str) -> list[str]:
    value = element(dataset, keyword)
    if not value:
        return []
    return [str(item).strip().upper() for item in (value if isinstance(value, MultiValue | list) else [value])]
