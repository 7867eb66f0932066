"""Decoding of PNG, JPEG, TIFF, BMP and WebP. These are windowed already: black is 0 and white is 255."""

from __future__ import annotations

import io
import struct
import warnings
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps, UnidentifiedImageError
from PIL.TiffImagePlugin import TiffImageFile

from hepar.imaging.contrast import check_contrast
from hepar.imaging.ct_image import CtImage, GreyImage, ImageFormat
from hepar.imaging.errors import UnreadableImage, UnsupportedImage
from hepar.imaging.jpeg_stream import jpeg_header
from hepar.imaging.orientation import StatedOrientation, exif_orientation, picture_aspect
from hepar.imaging.pixel_data import eight_bit_jpeg
from hepar.imaging.sixteen_bits import check_use_of_range, eight_of_sixteen_bits
from hepar.imaging.tiff_compression import check_tiff_compression
from hepar.imaging.tiff_header import tiff_header, with_black_as_zero

_COLOUR_TOLERANCE = 24
_COLOURED_SHARE = 0.01
_SAMPLED_SIDE = 2_048
_SEND_GREY = "window it first, and send 8 bits of grey"
_SIGNATURES: tuple[tuple[bytes, ImageFormat], ...] = (
    (b"\x89PNG\r\n\x1a\n", "PNG"),
    (b"\xff\xd8\xff", "JPEG"),
    (b"II*\x00", "TIFF"),
    (b"MM\x00*", "TIFF"),
    (b"II+\x00", "TIFF"),  # BigTIFF
    (b"MM\x00+", "TIFF"),
    (b"BM", "BMP"),
)
_PNG_TEXTS = (b"tEXt", b"zTXt", b"iTXt", b"iCCP")


def picture_format(content: bytes) -> ImageFormat | None:
    if content[:4] == b"RIFF" and content[8:12] == b"WEBP":
        return "WEBP"
    return next((name for signature, name in _SIGNATURES if content.startswith(signature)), None)


def decode_picture(content: bytes, name: ImageFormat, check_size: Callable[[int, int], None]) -> CtImage:
    """check_size: called with (width, height) before pixels are decoded.

    Raises UnreadableImage and UnsupportedImage; other errors come from Pillow, for damaged files.
    """
    if name == "JPEG":
        _check_jpeg(content, check_size)
    samples = _samples(content, name)
    if samples.white_is_zero:
        content = samples.with_black_as_zero
    try:
        opened = _opened(content, name, check_size)
    except UnidentifiedImageError:
        if samples.kind:
            raise UnsupportedImage(f"{samples.kind} of this kind are not read; {_SEND_GREY}") from None
        raise UnreadableImage(f"the {name} file ends within its header, or its header is damaged") from None
    except ValueError:
        if name != "PNG":
            raise
        # Pillow refuses a large text or colour profile, which the pixels do not depend on.
        opened = _opened(_without_texts(content), name, check_size)
    grey, grey_notes = _grey_levels(opened.image, samples)
    check_contrast(grey)
    notes = (*opened.warnings, *opened.stated.warnings, *grey_notes)
    return CtImage(
        np.ascontiguousarray(grey), name, None, notes, opened.stated.orientation, pixel_aspect=opened.pixel_aspect
    )


def _check_jpeg(content: bytes, check_size: Callable[[int, int], None]) -> None:
    header = jpeg_header(content)
    if header is None:
        raise UnreadableImage("the JPEG file ends within its header, or its header is damaged")
    if header.kind in ("lossless JPEG", "JPEG-LS"):
        raise UnsupportedImage(f"{header.kind} pictures are not read; send PNG, or JPEG of 8 bits")
    if header.bits != 8:
        raise UnsupportedImage(f"JPEG pictures of {header.bits} bits are not read; send 8 bits")
    check_size(header.width, header.height)
    eight_bit_jpeg(content, header)  # Pillow does not report what libjpeg warns of


@dataclass(frozen=True)
class _Samples:
    """What the header states of the samples. kind: for a message, empty where the header tells nothing."""

    bits: int = 8
    signed: bool = False
    white_is_zero: bool = False
    with_black_as_zero: bytes = b""
    kind: str = ""


def _samples(content: bytes, name: ImageFormat) -> _Samples:
    if name == "PNG":
        return _Samples(bits=content[24] if len(content) > 24 else 8)
    if name != "TIFF" or (header := tiff_header(content)) is None:
        return _Samples()
    if header.floating:
        raise UnsupportedImage(f"pictures of floating-point numbers are not read; {_SEND_GREY}")
    if header.signed and header.bits <= 8:
        raise UnsupportedImage(f"pictures of signed values are not read; {_SEND_GREY}")
    if header.big and header.byte_order == ">":
        raise UnsupportedImage("BigTIFF in big-endian byte order is not read; send it as TIFF")
    turned = with_black_as_zero(content, header) if header.white_is_zero else b""
    kind = f"TIFF pictures of {header.samples} x {header.bits} bits"
    return _Samples(header.bits, header.signed, header.white_is_zero, turned, kind)


@dataclass(frozen=True)
class _Opened:
    """The first picture of a file, turned as its EXIF data state. pixel_aspect: see Geometry."""

    image: Image.Image
    stated: StatedOrientation
    pixel_aspect: float
    warnings: tuple[str, ...]


def _opened(content: bytes, name: ImageFormat, check_size: Callable[[int, int], None]) -> _Opened:
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", category=UserWarning)  # about tags that are not used
        with Image.open(io.BytesIO(content), formats=(name,)) as opened:
            check_size(*opened.size)
            if isinstance(opened, TiffImageFile):
                check_tiff_compression(opened, content)
            notes = []
            if getattr(opened, "n_frames", 1) > 1:
                notes.append(f"The file has {getattr(opened, 'n_frames', 1)} pictures; the first was read.")
            stated, aspect = exif_orientation(opened), picture_aspect(opened.info)
            if aspect != 1:
                notes.append("The picture states that its pixels are not square; it was scaled to square ones.")
            with warnings.catch_warnings():
                warnings.simplefilter("error")  # about pixels
                opened.load()
            return _Opened(ImageOps.exif_transpose(opened), stated, aspect, tuple(notes))


def _without_texts(png: bytes) -> bytes:
    """A PNG without its texts and its colour profile."""
    kept, position = [png[:8]], 8
    while position + 8 <= len(png):
        end = position + 12 + struct.unpack_from(">I", png, position)[0]
        if png[position + 4 : position + 8] not in _PNG_TEXTS:
            kept.append(png[position:end])
        position = end
    return b"".join(kept)


def _grey_levels(image: Image.Image, samples: _Samples) -> tuple[GreyImage, list[str]]:
    if image.mode.startswith("I"):
        values = np.asarray(image)
        black = _transparent(image, values)
        return eight_of_sixteen_bits(values, black, signed=samples.signed, white_is_zero=samples.white_is_zero)
    if image.mode in ("1", "L"):
        values = np.asarray(image.convert("L"))
        shown = 255 - values if samples.white_is_zero else values
        return np.where(_transparent(image, values), 0, shown).astype(np.uint8), []
    if image.mode == "LA" and samples.white_is_zero:
        shade, alpha = image.split()
        image = Image.merge("LA", (ImageOps.invert(shade), alpha))
    colours = _without_alpha(image)
    step = 1 + max(colours.size) // _SAMPLED_SIDE
    sampled = np.asarray(colours)[::step, ::step]
    coloured = (np.ptp(sampled, axis=2) > _COLOUR_TOLERANCE).mean() > _COLOURED_SHARE
    grey = np.asarray(colours.convert("L"))
    if samples.bits > 8:
        check_use_of_range(grey, 255)
    return grey, ["The picture is coloured; it was read as grey."] if coloured else []


def _transparent(image: Image.Image, values: NDArray[np.integer]) -> NDArray[np.bool_]:
    """Where a picture without an alpha channel is transparent: one value, in 1 bit given as 0 or 1."""
    value = image.info.get("transparency")
    if not isinstance(value, int):
        return np.zeros(values.shape, dtype=np.bool_)
    return np.asarray(values == (255 * bool(value) if image.mode == "1" else value))


def _without_alpha(image: Image.Image) -> Image.Image:
    """RGB; transparent pixels become black, as air is."""
    if not {"A", "a"}.intersection(image.getbands()) and "transparency" not in image.info:
        return image.convert("RGB")
    opaque = (image.convert("LA") if image.mode == "La" else image).convert("RGBA")
    black = Image.new("RGBA", opaque.size, (0, 0, 0, 255))
    return Image.alpha_composite(black, opaque).convert("RGB")
