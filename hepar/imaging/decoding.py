"""Decoding of image files. The format is detected from the bytes, never from a name or header."""

from __future__ import annotations

import warnings
from collections.abc import Generator
from contextlib import contextmanager

from PIL import Image

from hepar.imaging.ct_image import LIVER_WINDOW, CtImage, Window
from hepar.imaging.dicom import decode_dicom
from hepar.imaging.dicom_file import has_dicom_signature, lacks_preamble, looks_like_dicom
from hepar.imaging.errors import ImageError, ImageTooLarge, UnreadableImage, UnsupportedImage
from hepar.imaging.file_values import quoted_number
from hepar.imaging.pictures import decode_picture, picture_format

PIXELS_MAX = 64_000_000
PICTURE_BYTES_MAX = 20_000_000
SIDE_MAX = 16_384
SIDE_MIN = 32

# Up to twice its limit Pillow only warns.
Image.MAX_IMAGE_PIXELS = PIXELS_MAX
warnings.simplefilter("error", Image.DecompressionBombWarning)


def decode(content: bytes, window: Window = LIVER_WINDOW, frame: int | None = None) -> CtImage:
    """Reads PNG and TIFF of 8 and 16 bits, JPEG, BMP, WebP, and DICOM CT in common transfer syntaxes.

    window: applied to DICOM with Hounsfield units; other formats are assumed to be windowed already.
    frame: of a multi-frame DICOM object, from 0; the first by default.
    Raises UnreadableImage (not an image, or a damaged one), UnsupportedImage (a format that is not read) and
    ImageTooLarge (over 64 megapixels, 16,384 pixels on a side, or over 20 MB for other formats than DICOM), and nothing
    else.
    """
    with decoder_errors():
        return _decode(content, window, frame)


@contextmanager
def decoder_errors() -> Generator[None]:
    """Turns whatever a decoder raises into one of the three errors of images."""
    try:
        yield
    except ImageError:
        raise
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise ImageTooLarge(f"over {PIXELS_MAX} pixels") from error
    except (KeyboardInterrupt, SystemExit):
        raise
    except BaseException as error:  # noqa: BLE001  decoders raise many classes; one in Rust is no Exception
        ends_early = isinstance(error, EOFError) or "truncated" in str(error).lower()
        raise UnreadableImage("the file ends too early" if ends_early else "the file is damaged") from None


def _decode(content: bytes, window: Window, frame: int | None) -> CtImage:
    if looks_like_dicom(content):  # first: its preamble may look like a TIFF
        return decode_dicom(content, window, check_size, frame)
    if has_dicom_signature(content):
        raise UnsupportedImage(
            "the preamble of the DICOM file (its first 128 bytes) is neither zeros nor a TIFF header"
        )
    if lacks_preamble(content):
        raise UnsupportedImage("a DICOM data set without the preamble of a DICOM file (128 bytes and DICM) is not read")
    name = picture_format(content)
    if name is None:
        raise UnsupportedImage("the bytes are neither PNG, JPEG, TIFF, BMP, WebP nor DICOM")
    if len(content) > PICTURE_BYTES_MAX:
        raise ImageTooLarge(f"{len(content)} bytes; a picture may have {PICTURE_BYTES_MAX}")
    if frame:
        raise UnsupportedImage("only a DICOM object has frames to choose from")
    return decode_picture(content, name, check_size)


def check_size(width: int, height: int) -> None:
    """Raises ImageTooLarge, or UnreadableImage for an image of too few pixels."""
    size = f"{quoted_number(width)} x {quoted_number(height)}"
    if width > SIDE_MAX or height > SIDE_MAX or width * height > PIXELS_MAX:
        raise ImageTooLarge(f"{size} pixels; at most {SIDE_MAX} on a side and {PIXELS_MAX} in all")
    if width < SIDE_MIN or height < SIDE_MIN:
        raise UnreadableImage(f"{size} pixels are too few for a CT slice; at least {SIDE_MIN} a side")
