"""Uploaded bytes to a CtImage. The format is found from the bytes, never from a name or header."""

from __future__ import annotations

import io
import warnings
from collections.abc import Callable

import numpy as np
from PIL import Image

from hepar.imaging.ct_image import LIVER_WINDOW, CtImage, GreyImage, ImageFormat, Window
from hepar.imaging.dicom import decode_dicom, looks_like_dicom
from hepar.imaging.errors import ImageTooLarge, UnreadableImage, UnsupportedImage

PIXELS_MAX = 64_000_000
PICTURE_BYTES_MAX = 20_000_000
SIDE_MAX = 16_384
SIDE_MIN = 32
_COLOUR_TOLERANCE = 24
_COLOURED_SHARE = 0.01
_GREY_RANGE_MIN = 16
_SIGNATURES: tuple[tuple[bytes, ImageFormat], ...] = (
    (b"\x89PNG\r\n\x1a\n", "PNG"),
    (b"\xff\xd8\xff", "JPEG"),
)

# Pillow only warns up to twice the limit.
Image.MAX_IMAGE_PIXELS = PIXELS_MAX
warnings.simplefilter("error", Image.DecompressionBombWarning)


def decode(content: bytes, window: Window = LIVER_WINDOW) -> CtImage:
    """Reads PNG, JPEG (8-bit, or 16-bit grey PNG) or uncompressed single-frame DICOM CT.

    window: applied to DICOM, whose values are Hounsfield units; pictures are taken as windowed already.
    Raises UnreadableImage (no image, or a broken one), UnsupportedImage (not read here) and
    ImageTooLarge (over 64 megapixels, 16,384 on a side, or a picture of over 20 MB). Nothing else leaves this function.
    """
    return _guarded(_decode, content, window)


def _decode(content: bytes, window: Window) -> CtImage:
    for signature, name in _SIGNATURES:
        if content.startswith(signature):
            if len(content) > PICTURE_BYTES_MAX:
                raise ImageTooLarge(f"{len(content)} bytes; a picture may have {PICTURE_BYTES_MAX}")
            return _decode_picture(content, name)
    if looks_like_dicom(content):
        return decode_dicom(content, window, check_size)
    raise UnsupportedImage("the bytes are neither PNG, JPEG nor DICOM")


def check_size(width: int, height: int) -> None:
    """Raises ImageTooLarge, or UnreadableImage where there is too little to look at."""
    if width > SIDE_MAX or height > SIDE_MAX or width * height > PIXELS_MAX:
        raise ImageTooLarge(f"{width} x {height} pixels; at most {SIDE_MAX} on a side and {PIXELS_MAX} in all")
    if width < SIDE_MIN or height < SIDE_MIN:
        raise UnreadableImage(f"{width} x {height} pixels are too few for a CT slice; at least {SIDE_MIN} a side")


def _decode_picture(content: bytes, name: ImageFormat) -> CtImage:
    with Image.open(io.BytesIO(content), formats=(name,)) as image:
        check_size(*image.size)
        image.load()
        if image.mode.startswith("I"):  # 16 bits of grey
            return _looked_at(np.asarray(np.asarray(image, dtype=np.uint16) >> 8, dtype=np.uint8), name, ())
        if image.mode == "L":
            return _looked_at(np.asarray(image), name, ())
        colours = image.convert("RGB")
    coloured = (np.ptp(np.asarray(colours), axis=2) > _COLOUR_TOLERANCE).mean() > _COLOURED_SHARE
    notes = ("The picture is coloured; it was read as grey.",) if coloured else ()
    return _looked_at(np.asarray(colours.convert("L")), name, notes)


def _looked_at(grey: GreyImage, name: ImageFormat, notes: tuple[str, ...]) -> CtImage:
    if int(grey.max()) - int(grey.min()) < _GREY_RANGE_MIN:
        raise UnreadableImage("the picture is one flat grey")
    return CtImage(grey, name, None, notes)


def _guarded(read: Callable[[bytes, Window], CtImage], content: bytes, window: Window) -> CtImage:
    """Decoders raise many classes; every one of them means that this file cannot be read."""
    try:
        return read(content, window)
    except (UnreadableImage, UnsupportedImage, ImageTooLarge):
        raise
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise ImageTooLarge(f"over {PIXELS_MAX} pixels") from error
    except Exception as error:
        raise UnreadableImage("the file is broken or ends too early") from error
