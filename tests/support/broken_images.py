"""Generated images that are damaged, inconsistent or too large, by name."""

from __future__ import annotations

import io
import struct
import zlib
from collections.abc import Iterator

import numpy as np
import pydicom
from jpeg_ls import encode_array
from PIL import Image
from pydicom.uid import (
    DeflatedExplicitVRLittleEndian,
    ExplicitVRBigEndian,
    ImplicitVRLittleEndian,
    JPEG2000Lossless,
    JPEGBaseline8Bit,
    JPEGLosslessSV1,
    JPEGLSLossless,
    RLELossless,
)

from tests.support.pictures import (
    FRAME_HU,
    compressed,
    ct_dataset,
    dicom_bytes,
    encoded,
    jpeg_lossless,
    multi_frame,
    png_header_only,
)

STEP = 64


def textured() -> np.ndarray:
    """A pattern that does not compress well, so that a truncated file loses pixels."""
    rng = np.random.default_rng(7)
    return np.asarray(np.clip(np.cumsum(rng.integers(-9, 10, (48, 64)), axis=1) + 128, 0, 255), dtype=np.uint8)


def whole_images() -> dict[str, bytes]:
    """One of each format that is read."""
    grey = textured()
    hu = grey.astype(np.int32) - 20
    stored = (hu + 1024).astype(np.uint16)
    images = {
        "png": encoded(grey),
        "png16": encoded(grey.astype(np.uint16) * 257),
        "jpeg": encoded(grey, "JPEG", quality=95),
        "tiff": encoded(grey, "TIFF"),
        "tiff16-zip": encoded(grey.astype(np.uint16) * 257, "TIFF", compression="tiff_adobe_deflate"),
        "bmp": encoded(grey, "BMP"),
        "webp": encoded(grey, "WEBP", lossless=True),
        "dicom": dicom_bytes(ct_dataset(hu)),
        "dicom-frames": dicom_bytes(multi_frame(2)),
    }
    dataset = ct_dataset(hu)
    dataset.file_meta.TransferSyntaxUID = DeflatedExplicitVRLittleEndian
    images["dicom-deflated"] = dicom_bytes(dataset)
    for name, syntax, byte_order in (
        ("implicit", ImplicitVRLittleEndian, "<"),
        ("big-endian", ExplicitVRBigEndian, ">"),
    ):
        dataset = ct_dataset(hu)
        dataset.file_meta.TransferSyntaxUID = syntax
        dataset.PixelData = stored.astype(f"{byte_order}u2").tobytes()
        buffer = io.BytesIO()
        encoding = {"implicit_vr": name == "implicit", "little_endian": byte_order == "<"}
        pydicom.dcmwrite(buffer, dataset, enforce_file_format=True, **encoding)
        images[f"dicom-{name}"] = buffer.getvalue()
    dataset = ct_dataset(hu)
    dataset.compress(RLELossless)
    images["dicom-rle"] = dicom_bytes(dataset)
    dataset = ct_dataset(hu)
    dataset.compress(JPEG2000Lossless)
    images["dicom-jpeg2000"] = dicom_bytes(dataset)
    jpeg_ls_stream = bytes(encode_array(stored))
    images["dicom-jpeg-ls"] = dicom_bytes(compressed(ct_dataset(hu), JPEGLSLossless, jpeg_ls_stream))
    images["dicom-jpeg-lossless"] = dicom_bytes(compressed(ct_dataset(hu), JPEGLosslessSV1, jpeg_lossless(stored)))
    dataset = ct_dataset(hu)
    dataset.BitsAllocated = dataset.BitsStored = 8
    dataset.HighBit, dataset.RescaleIntercept = 7, "0"
    images["dicom-jpeg"] = dicom_bytes(compressed(dataset, JPEGBaseline8Bit, encoded(grey, "JPEG", quality=95)))
    return images


def truncated(content: bytes) -> Iterator[bytes]:
    """Truncated at every 64th byte."""
    for length in range(STEP, len(content), STEP):
        yield content[:length]


def flipped(content: bytes, seed: int, count: int) -> Iterator[bytes]:
    """With one bit changed, `count` times."""
    rng = np.random.default_rng(seed)
    for place, bit in zip(rng.integers(0, len(content), count), rng.integers(0, 8, count), strict=True):
        changed = bytearray(content)
        changed[place] ^= 1 << int(bit)
        yield bytes(changed)


def hostile() -> dict[str, bytes]:
    """Input that must be refused, each for a different reason."""
    grey = textured()
    return {
        "no pixel": png_header_only(0, 0),
        "one pixel": encoded(grey[:1, :1]),
        "65,535 wide": png_header_only(65_535, 64),
        "more pixels than a CT has": png_header_only(12_000, 12_000),
        "png bomb": _png_bomb(16_000, 4_000),
        "tiff bomb": _tiff_bomb(),
        "zip-compressed tiff bomb": _zip_tiff_bomb(),
        "float with nan": encoded(np.full((64, 64), np.nan, dtype=np.float32), "TIFF"),
        "polyglot of png and zip": b"PK\x03\x04" + encoded(grey),
        "polyglot of dicom and elf": _with_preamble(b"\x7fELF"),
        "polyglot of dicom and script": _with_preamble(b"#!/bin/sh\n"),
        "text": b"GET / HTTP/1.1\r\n\r\n" * 20,
        "4,000 frames": _dicom_with(NumberOfFrames=4_000),
        "rows that lie": _dicom_with(Rows=16_000, Columns=4_000),
        "no rows": _dicom_with(Rows=0),
        "64 bits": _dicom_with(BitsAllocated=64),
        "three samples": _dicom_with(SamplesPerPixel=3),
        "an MR": _dicom_with(Modality="MR"),
        "an X-ray": _dicom_with(Modality="DX"),
        "infinite slope": _dicom_with(RescaleSlope="1e300"),
        "deflated bomb": _deflated_bomb(),
        "rle bomb": _rle_bomb(),
        "nested sequences": _nested(4_000),
        "jpeg 2000 that lies": _dicom_with(Rows=8_000, Columns=8_000, base="dicom-jpeg2000"),
        "flat": encoded(np.full((64, 64), 7, dtype=np.uint8)),
        "gif": _gif(),
        "nothing but a signature": b"\x89PNG\r\n\x1a\n",
        "dicom without a data set": bytes(128) + b"DICM",
    }


def _chunk(kind: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


def _png_bomb(width: int, height: int) -> bytes:
    """64 megapixels of one grey level in about 60 KB: without contrast, and large when decoded."""
    header = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    squeezer = zlib.compressobj(9)
    rows = b"".join(squeezer.compress(bytes(width + 1)) for _ in range(height)) + squeezer.flush()
    return b"\x89PNG\r\n\x1a\n" + _chunk(b"IHDR", header) + _chunk(b"IDAT", rows) + _chunk(b"IEND", b"")


def _tiff_bomb() -> bytes:
    """Its header states 60,000 pixels on a side."""
    content = encoded(textured(), "TIFF")
    return _tiff_with(_tiff_with(content, 256, 60_000), 257, 60_000)


def _zip_tiff_bomb() -> bytes:
    """64 megapixels of one grey level in about 70 KB: the strips inflate to a thousand times their size."""
    return encoded(np.zeros((4_000, 16_000), dtype=np.uint8), "TIFF", compression="tiff_adobe_deflate")


def _tiff_with(content: bytes, tag: int, value: int) -> bytes:
    """A little-endian TIFF with another short or long value for a tag."""
    changed = bytearray(content)
    (directory,) = struct.unpack_from("<I", content, 4)
    (entries,) = struct.unpack_from("<H", content, directory)
    for index in range(entries):
        place = directory + 2 + 12 * index
        if struct.unpack_from("<H", content, place)[0] == tag:
            struct.pack_into("<HII", changed, place + 2, 4, 1, value)
    return bytes(changed)


def _with_preamble(start: bytes) -> bytes:
    content = dicom_bytes(ct_dataset(FRAME_HU))
    return start.ljust(128, b"\1") + content[128:]


def _dicom_with(base: str = "dicom", **elements: object) -> bytes:
    dataset = pydicom.dcmread(io.BytesIO(whole_images()[base]))
    for name, value in elements.items():
        setattr(dataset, name, value)
    return dicom_bytes(dataset)


def _deflated_bomb() -> bytes:
    dataset = ct_dataset(FRAME_HU)
    dataset.file_meta.TransferSyntaxUID = DeflatedExplicitVRLittleEndian
    dataset.PixelData = bytes(300 * 1024**2)
    return dicom_bytes(dataset)


def _rle_bomb() -> bytes:
    """64 megapixels of 16 bits in a few bytes: segments that end immediately."""
    dataset = ct_dataset(FRAME_HU)
    dataset.Rows, dataset.Columns = 4_000, 16_000
    header = np.array([2, 64, 66, *[0] * 13], dtype="<u4").tobytes()
    return dicom_bytes(compressed(dataset, RLELossless, header + b"\x81\x00\x81\x00"))


def _nested(depth: int) -> bytes:
    """Sequences nested deeper than Python's recursion limit."""
    content = dicom_bytes(ct_dataset(FRAME_HU))
    place = content.index(struct.pack("<HH", 0x7FE0, 0x0010))
    opening = struct.pack("<HH2sHI", 0x0040, 0xA730, b"SQ", 0, 0xFFFFFFFF)
    opening += struct.pack("<HHI", 0xFFFE, 0xE000, 0xFFFFFFFF)
    closing = struct.pack("<HHI", 0xFFFE, 0xE00D, 0) + struct.pack("<HHI", 0xFFFE, 0xE0DD, 0)
    return content[:place] + opening * depth + closing * depth + content[place:]


def _gif() -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(textured()).save(buffer, "GIF")
    return buffer.getvalue()
