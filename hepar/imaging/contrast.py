"""The least contrast of an image that is analysed."""

from __future__ import annotations

from hepar.imaging.ct_image import GreyImage
from hepar.imaging.errors import UnreadableImage

GREY_RANGE_MIN = 16


def check_contrast(grey: GreyImage, where: str = "") -> None:
    """Raises UnreadableImage for a picture of nearly one grey level. where: for the message, for example a window."""
    if int(grey.max()) - int(grey.min()) < GREY_RANGE_MIN:
        raise UnreadableImage(" ".join(("the picture has no contrast", where)).strip())
