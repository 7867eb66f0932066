"""Decoding of image files. The format is detected from the bytes, never from a name or header."""

from __future__ import annotations

import io
import warnings
from dataclasses import replace

import numpy as np
from PIL import Image, ImageOps

from hepar.imaging.ct_image import LIVER_WINDOW, CtImage, GreyImage, ImageFormat, Window
from hepar.imaging.dicom import decode_dicom
from hepar.imaging.dicom_file import looks_like_dicom
from hepar.imaging.errors import ImageTooLarge, UnreadableImage, UnsupportedImage
from hepar.imaging.file_values import quoted_number
from hepar.imaging.orientation import exif_orientation, picture_aspect

PIXELS_MAX = 64_000_000
PICTURE_BYTES_MAX = 20_000_000
SIDE_MAX = 16_384
SIDE_MIN = 32
_COLOUR_TOLERANCE = 24
_COLOURED_SHARE = 0.01
_GREY_RANGE_MIN = 16
_TWELVE_BITS = 4096
_SIGNATURES: tuple[tuple[bytes, ImageFormat], ...] = (
    (b"\x89PNG\r\n\x1a\n", "PNG"),
    (b"\xff\xd8\xff", "JPEG"),
    (b"II*\x00", "TIFF"),
    (b"MM\x00*", "TIFF"),
    (b"BM", "BMP"),
)

# Up to twice its limit Pillow only warns.
Image.MAX_IMAGE_PIXELS = PIXELS_MAX
warnings.simplefilter("error", Image.DecompressionBombWarning)


def decode(content: bytes, window: Window = LIVER_WINDOW, frame: int | None = None) -> CtImage:
    """Reads PNG and TIFF of 8 and 16 bits, JPEG, BMP, WebP, and DICOM CT in common transfer syntaxes.

    window: applied to DICOM, whose values are Hounsfield units; other formats are assumed to be windowed already.
    frame: of a multi-frame DICOM object, from 0; the first by default.
    Raises UnreadableImage (not an image, or a damaged one), UnsupportedImage (a format that is not read) and
    ImageTooLarge (over 64 megapixels, 16,384 pixels on a side, or over 20 MB for other formats than DICOM), and nothing
    else.
    """
    try:
        return _decode(content, window, frame)
    except (UnreadableImage, UnsupportedImage, ImageTooLarge):
        raise
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise ImageTooLarge(f"over {PIXELS_MAX} pixels") from error
    except (KeyboardInterrupt, SystemExit):
        raise
    except BaseException:  # noqa: BLE001  decoders raise many classes; one in Rust is no Exception
        raise UnreadableImage("the file is damaged or incomplete") from None


def _decode(content: bytes, window: Window, frame: int | None) -> CtImage:
    if looks_like_dicom(content):  # first: its preamble may look like a TIFF
        return decode_dicom(content, window, check_size, frame)
    name = _picture_format(content)
    if name is None:
        raise UnsupportedImage("the bytes are neither PNG, JPEG, TIFF, BMP, WebP nor DICOM")
    if len(content) > PICTURE_BYTES_MAX:
        raise ImageTooLarge(f"{len(content)} bytes; a picture may have {PICTURE_BYTES_MAX}")
    if frame:
        raise UnsupportedImage("only a DICOM object has frames to choose from")
    return _decode_picture(content, name)


def _picture_format(content: bytes) -> ImageFormat | None:
    if content[:4] == b"RIFF" and content[8:12] == b"WEBP":
        return "WEBP"
    return next((name for signature, name in _SIGNATURES if content.startswith(signature)), None)


def check_size(width: int, height: int) -> None:
    """Raises ImageTooLarge, or UnreadableImage for an image of too few pixels."""
    size = f"{quoted_number(width)} x {quoted_number(height)}"
    if width > SIDE_MAX or height > SIDE_MAX or width * height > PIXELS_MAX:
        raise ImageTooLarge(f"{size} pixels; at most {SIDE_MAX} on a side and {PIXELS_MAX} in all")
    if width < SIDE_MIN or height < SIDE_MIN:
        raise UnreadableImage(f"{size} pixels are too few for a CT slice; at least {SIDE_MIN} a side")


def _decode_picture(content: bytes, name: ImageFormat) -> CtImage:
    with Image.open(io.BytesIO(content), formats=(name,)) as opened:
        check_size(*opened.size)
        notes = []
        if getattr(opened, "n_frames", 1) > 1:
            notes.append(f"The file has {getattr(opened, 'n_frames', 1)} pictures; the first was read.")
        stated, aspect = exif_orientation(opened), picture_aspect(opened.info)
        if aspect != 1:
            notes.append("The picture states that its pixels are not square; it was scaled to square ones.")
        opened.load()
        image = ImageOps.exif_transpose(opened)
    decoded = _from_picture(image, name, [*notes, *stated.warnings])
    return replace(decoded, orientation=stated.orientation, pixel_aspect=aspect)


def _from_picture(image: Image.Image, name: ImageFormat, notes: list[str]) -> CtImage:
    """Reads 8 and 16 bits, grey or coloured."""
    if image.mode == "F":
        raise UnsupportedImage("pictures of floating-point numbers are not read; send 8 or 16 bits")
    if image.mode.startswith("I"):
        grey, bit_notes = _from_sixteen_bits(np.asarray(image))
        return _ct_image(grey, name, [*notes, *bit_notes])
    if image.mode == "L":
        return _ct_image(np.asarray(image), name, notes)
    colours = _without_alpha(image)
    coloured = (np.ptp(np.asarray(colours), axis=2) > _COLOUR_TOLERANCE).mean() > _COLOURED_SHARE
    if coloured:
        notes.append("The picture is coloured; it was read as grey.")
    return _ct_image(np.asarray(colours.convert("L")), name, notes)


def _from_sixteen_bits(values: np.ndarray) -> tuple[GreyImage, list[str]]:
    """The upper eight bits; of an image with values below 4096, as scanners write them, the upper eight of twelve."""
    if values.min() < 0 or values.max() > 65_535:
        raise UnsupportedImage("pictures of more than 16 bits are not read; send 8 or 16 bits")
    twelve_bits = int(values.max()) < _TWELVE_BITS
    notes = ["The picture uses 12 of its 16 bits; it was read as 12 bits."] if twelve_bits else []
    return np.asarray(values.astype(np.uint16) >> (4 if twelve_bits else 8), dtype=np.uint8), notes


def _without_alpha(image: Image.Image) -> Image.Image:
    """RGB; transparent pixels become black, as air is."""
    if "A" not in image.getbands() and "transparency" not in image.info:
        return image.convert("RGB")
    opaque = image.convert("RGBA")
    black = Image.new("RGBA", opaque.size, (0, 0, 0, 255))
    return Image.alpha_composite(black, opaque).convert("RGB")


def _ct_image(grey: GreyImage, name: ImageFormat, notes: list[str]) -> CtImage:
    if int(grey.max()) - int(grey.min()) < _GREY_RANGE_MIN:
        raise UnreadableImage("the picture has no contrast")
    return CtImage(grey, name, None, tuple(notes))
