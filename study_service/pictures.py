"""Slices and masks as files: PNG for display, NIfTI for programs."""

from __future__ import annotations

import io
import zlib
from collections.abc import AsyncIterator

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from hepar.imaging.ct_image import Window
from hepar.imaging.volume import VolumeGeometry

_PNG_LEVEL = 3
_GZIP_WINDOW_BITS, _GZIP_LEVEL = 31, 1
_NIFTI_HEADER_BYTES = 352
_SCANNER_COORDINATES = 1
_LARGEST_LABEL = 255
_NOTHING, _LIVER, _LESION = (0, 0, 0, 0), (40, 170, 90, 70), (230, 60, 50, 120)
"""Red, green, blue and opacity of the labels 0, 1 and of all others."""


def slice_png(hu: NDArray[np.int16], window: Window) -> bytes:
    """(rows, columns) Hounsfield units in a window, as 8 bits of grey."""
    return _png(Image.fromarray(window.to_grey(hu.astype(np.float32))))


def mask_png(labels: NDArray[np.uint16]) -> bytes:
    """(rows, columns) labels as a palette image that can be laid over the slice; the indices are the labels."""
    picture = Image.fromarray(np.minimum(labels, _LARGEST_LABEL).astype(np.uint8), "L")
    colours = [_NOTHING, _LIVER, *[_LESION] * (_LARGEST_LABEL - 1)]
    picture.putpalette([value for colour in colours for value in colour[:3]])
    return _png(picture, transparency=bytes(colour[3] for colour in colours))


def _png(picture: Image.Image, **options: bytes) -> bytes:
    buffer = io.BytesIO()
    picture.save(buffer, "PNG", compress_level=_PNG_LEVEL, **options)
    return buffer.getvalue()


async def nifti_gz(geometry: VolumeGeometry, slices: AsyncIterator[NDArray[np.uint16]]) -> AsyncIterator[bytes]:
    """A label map (.nii.gz) of axes column, row, slice, one slice in memory at a time."""
    packer = zlib.compressobj(_GZIP_LEVEL, zlib.DEFLATED, _GZIP_WINDOW_BITS)
    yield packer.compress(_nifti_header(geometry))
    async for labels in slices:
        if packed := packer.compress(np.ascontiguousarray(labels, dtype="<u2").tobytes()):
            yield packed
    yield packer.flush()


def _nifti_header(geometry: VolumeGeometry) -> bytes:
    """NIfTI counts x to the right and y to the front, DICOM to the left and to the back."""
    from nibabel import Nifti1Header

    affine = np.diag([-1.0, -1.0, 1.0, 1.0]) @ geometry.affine[:, [2, 1, 0, 3]]
    header = Nifti1Header(endianness="<")
    header.set_data_dtype(np.uint16)
    header.set_data_shape(geometry.shape[::-1])
    header.set_qform(affine, _SCANNER_COORDINATES)
    header.set_sform(affine, _SCANNER_COORDINATES)
    header.set_xyzt_units("mm")
    header["magic"], header["vox_offset"] = b"n+1", _NIFTI_HEADER_BYTES
    content: bytes = header.binaryblock
    return content.ljust(_NIFTI_HEADER_BYTES, b"\0")
