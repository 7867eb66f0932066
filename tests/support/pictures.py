"""Generated images for tests."""

from __future__ import annotations

import base64
import io
import struct
import zlib
from typing import TypeVar

import numpy as np
import pydicom
from numpy.typing import NDArray
from PIL import Image
from pydicom.dataset import Dataset, FileDataset, FileMetaDataset
from pydicom.encaps import encapsulate
from pydicom.uid import UID, CTImageStorage, ExplicitVRLittleEndian, generate_uid


def gradient(height: int = 64, width: int = 64) -> NDArray[np.uint8]:
    """Grey rising from left to right, 0 to 255."""
    return np.tile(np.linspace(0, 255, width).astype(np.uint8), (height, 1))


def nearly_flat(grey: int, side: int = 64) -> NDArray[np.uint8]:
    """One grey level except for the first row, which gives the image enough contrast to be accepted."""
    pixels = np.full((side, side), grey, dtype=np.uint8)
    pixels[0] = 255 - grey
    return pixels


def encoded(pixels: NDArray[np.generic], form: str = "PNG", **options: object) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, form, **options)
    return buffer.getvalue()


def png_header_only(width: int, height: int) -> bytes:
    """A PNG with the given size in its header and almost no pixel data."""

    def chunk(kind: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))

    header = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    pixels = zlib.compress(b"\0")
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", pixels) + chunk(b"IEND", b"")


DatasetType = TypeVar("DatasetType", bound=Dataset)


def with_elements(dataset: DatasetType, **elements: object) -> DatasetType:
    """The same data set with elements changed; None removes one."""
    for name, value in elements.items():
        if value is None:
            delattr(dataset, name)
        else:
            setattr(dataset, name, value)
    return dataset


def ct_dataset(hu: NDArray[np.integer]) -> FileDataset:
    """An uncompressed CT slice: 16 bits unsigned, intercept -1024, spacing 0.8 mm by 0.7 mm."""
    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID = CTImageStorage
    meta.MediaStorageSOPInstanceUID = generate_uid()
    meta.TransferSyntaxUID = ExplicitVRLittleEndian
    dataset = FileDataset("", {}, file_meta=meta, preamble=b"\0" * 128)
    dataset.SOPClassUID, dataset.SOPInstanceUID = CTImageStorage, meta.MediaStorageSOPInstanceUID
    dataset.Modality = "CT"
    dataset.Rows, dataset.Columns = hu.shape
    dataset.SamplesPerPixel, dataset.PhotometricInterpretation = 1, "MONOCHROME2"
    dataset.BitsAllocated = dataset.BitsStored = 16
    dataset.HighBit, dataset.PixelRepresentation = 15, 0
    dataset.RescaleSlope, dataset.RescaleIntercept = "1", "-1024"
    dataset.PixelSpacing = ["0.8", "0.7"]
    dataset.ImageOrientationPatient = ["1", "0", "0", "0", "1", "0"]
    dataset.PixelData = (hu + 1024).astype(np.uint16).tobytes()
    dataset["PixelData"].VR = "OW"
    return dataset


FRAME_HU = np.tile(np.linspace(-200, 400, 64).astype(np.int32), (48, 1))


def multi_frame(frames: int) -> Dataset:
    """An enhanced CT with pixel attributes in functional groups; each frame is 10 HU above the one before."""
    dataset = ct_dataset(FRAME_HU)
    dataset.NumberOfFrames = frames
    stack = np.stack([(FRAME_HU + 10 * index + 1024).astype(np.uint16) for index in range(frames)])
    dataset.PixelData = stack.tobytes()
    for name in ("RescaleSlope", "RescaleIntercept", "PixelSpacing", "ImageOrientationPatient"):
        delattr(dataset, name)
    rescale, measures, plane, shared = Dataset(), Dataset(), Dataset(), Dataset()
    rescale.RescaleSlope, rescale.RescaleIntercept = "1", "-1024"
    measures.PixelSpacing = ["0.8", "0.7"]
    plane.ImageOrientationPatient = ["1", "0", "0", "0", "1", "0"]
    shared.PixelValueTransformationSequence = [rescale]
    shared.PixelMeasuresSequence, shared.PlaneOrientationSequence = [measures], [plane]
    dataset.SharedFunctionalGroupsSequence = [shared]
    return dataset


def dicom_bytes(dataset: pydicom.Dataset) -> bytes:
    buffer = io.BytesIO()
    dataset.save_as(buffer, enforce_file_format=True)
    return buffer.getvalue()


def compressed(dataset: FileDataset, syntax: UID, frame: bytes) -> FileDataset:
    """The same data set with its one frame encapsulated."""
    dataset.PixelData = encapsulate([frame])
    dataset["PixelData"].VR = "OB"
    dataset["PixelData"].is_undefined_length = True
    dataset.file_meta.TransferSyntaxUID = syntax
    return dataset


def jpeg_lossless(values: NDArray[np.integer]) -> bytes:
    """(h, w) of 16 bits as lossless JPEG: process 14, selection value 1 (ITU-T T.81, annex H). Slow and plain."""
    height, width = values.shape
    rows = values.astype(int).tolist()
    bits = []
    for y, row in enumerate(rows):
        for x, value in enumerate(row):
            predicted = row[x - 1] if x else rows[y - 1][0] if y else 1 << 15
            difference = (value - predicted + 32767) % 65536 - 32767
            size = abs(difference).bit_length()
            bits.append(f"{size:05b}")
            if 0 < size < 16:
                bits.append(f"{difference if difference > 0 else difference + (1 << size) - 1:0{size}b}")
    stream = "".join(bits)
    stream += "1" * (-len(stream) % 8)
    body = int(stream, 2).to_bytes(len(stream) // 8, "big").replace(b"\xff", b"\xff\x00")
    table = b"\x00" + bytes(17 if length == 5 else 0 for length in range(1, 17)) + bytes(range(17))
    segments = [
        (0xC3, struct.pack(">BHHB", 16, height, width, 1) + b"\x01\x11\x00"),
        (0xC4, table),
        (0xDA, b"\x01\x01\x00\x01\x00\x00"),
    ]
    headers = b"".join(struct.pack(">BBH", 0xFF, marker, len(part) + 2) + part for marker, part in segments)
    return b"\xff\xd8" + headers + body + b"\xff\xd9"


def slope_hu() -> NDArray[np.int32]:
    """(64, 64) Hounsfield units, rising from left to right and from top to bottom."""
    hu = np.linspace(0, 250, 64) + np.linspace(-20, 20, 64)[:, None]
    return np.asarray(np.rint(hu), dtype=np.int32)


def twelve_bit_jpeg() -> bytes:
    """`slope_hu` + 1024 as JPEG of 12 bits. None of our encoders writes it; libjpeg-turbo did, in quality 75."""
    return base64.b64decode("".join(_TWELVE_BIT_JPEG))


_TWELVE_BIT_JPEG = (
    "/9j/4AAQSkZJRgABAQAAAQABAAD/2wBDAAgGBgcGBQgHBwcJCQgKDBQNDAsLDBkSEw8UHRofHh0aHBwgJC4nICIsIxwcKDcpLDAxNDQ0Hyc5PTgy"
    "PC4zNDL/wQALDABAAEABAREA/8QAFwABAQEBAAAAAAAAAAAAAAAABgUIC//EABcQAAMBAAAAAAAAAAAAAAAAAAACBDH/2gAIAQEAAD8A5/ca4II1"
    "wQRrhfjXBBGuCCNcEEa4X41wxNGuCCNcEEa4X41wQRrggjXBBGuF+NcMTRrggjXBBGuCCNcL8a4II1wQRrhfjXDE0a4II1wQRrggjXC/GuCCNcEE"
    "a4II1wxLGuCCNcEEa4II1wvxrggjXBBGuCCNcMTRrhfjXBBGuCCNcL8a4II1wQRrggjXDE0a4X41wQRrggjXBBGuF+NcEEa4II1wxNGuF+NcEEa4"
    "II1wQRrhfjXBBGuCCNcP/9k="
)
