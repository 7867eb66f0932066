"""A NIfTI volume (.nii, .nii.gz) as a CT volume. The file is read slab by slab, and never inflated as a whole."""

from __future__ import annotations

import gzip
import io
import math
import struct
import zlib
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import nibabel
import numpy as np
from nibabel.orientations import io_orientation
from nibabel.spatialimages import HeaderDataError
from numpy.typing import NDArray

from hepar.imaging.errors import ImageError, NoUsableSeries, StudyTooLarge, UnreadableStudy
from hepar.imaging.geometry import AS_SENT
from hepar.imaging.study.choice import SPACING_MM_MAX, VOXELS_MAX
from hepar.imaging.study.display import Plane, as_int16, square
from hepar.imaging.study.series import SLICES_MIN
from hepar.imaging.volume import CtVolume, SliceSource, Vector, VolumeGeometry

_GZIP_SIGNATURE = b"\x1f\x8b"
_NIFTI1_BYTES, _NIFTI2_BYTES = 348, 540
_SINGLE_FILE = (b"n+1", b"n+2")
_OFFSET_BYTES_MAX = 16 * 1024 * 1024
_SIDE_MIN, _SIDE_MAX = 32, 16_384
_SPACING_MM_MIN, _PIXEL_MM_MAX = 0.05, 10.0
_SHEAR_MAX, _PIXEL_RATIO_MAX = 0.02, 2.0
_AXIAL, _WARNED = math.sqrt(0.5), 0.9
_DARK_HU, _HU_LIMIT = -400.0, 32_767.0
_OTHER_UNITS = {"meter", "micron"}


@dataclass(frozen=True)
class NiftiHeader:
    """shape: as stored, three axes.  order: the stored axes that run along slices, rows and columns of the display.
    flipped: which of them run against it.  affine: of the display, before its pixels are made square (LPS, mm).
    slope, intercept: from stored values to Hounsfield units.
    """

    shape: tuple[int, int, int]
    dtype: np.dtype[np.generic]
    offset_bytes: int
    slope: float
    intercept: float
    order: tuple[int, int, int]
    flipped: tuple[bool, bool, bool]
    affine: NDArray[np.float64]

    @property
    def display_shape(self) -> tuple[int, int, int]:
        slices, rows, columns = (self.shape[axis] for axis in self.order)
        return slices, rows, columns

    @property
    def spacing_mm(self) -> Vector:
        slices, rows, columns = (float(np.linalg.norm(self.affine[:3, axis])) for axis in range(3))
        return slices, rows, columns

    @property
    def off_axis(self) -> float:
        """Cosine of the largest angle between an axis of the display and the patient's."""
        steps = self.affine[:3, :3] / np.array(self.spacing_mm)
        return float(min(abs(steps[2, 0]), abs(steps[1, 1]), abs(steps[0, 2])))


def read_nifti_header(path: Path) -> NiftiHeader:
    """Reads the whole file, because nothing but the values tells a CT volume from another.

    Raises UnreadableStudy, StudyTooLarge or NoUsableSeries for what is not a CT volume of axial slices.
    """
    with _nifti_errors(), _opened(path) as file:
        header = _checked(_raw_header(file))
        for _ in _slabs(file, header):
            pass
        return header


def load_nifti(path: Path) -> CtVolume:
    """Raises as `read_nifti_header`."""
    with _nifti_errors(), _opened(path) as file:
        header = _checked(_raw_header(file))
        hu = _values(file, header)
    return _volume(hu, header)


@contextmanager
def _nifti_errors() -> Generator[None]:
    try:
        yield
    except ImageError:
        raise
    except (EOFError, zlib.error, gzip.BadGzipFile, struct.error):
        raise UnreadableStudy("the NIfTI file is damaged or ends too early") from None
    except (ValueError, ArithmeticError, LookupError, TypeError, HeaderDataError):
        raise UnreadableStudy("the header of the NIfTI file is damaged") from None


@contextmanager
def _opened(path: Path) -> Generator[BinaryIO]:
    with path.open("rb") as plain:
        is_compressed = plain.read(len(_GZIP_SIGNATURE)) == _GZIP_SIGNATURE
        plain.seek(0)
        if not is_compressed:
            yield plain
            return
        with gzip.GzipFile(fileobj=plain) as inflated:
            yield inflated  # type: ignore[misc]  # a binary stream


def _raw_header(file: BinaryIO) -> nibabel.Nifti1Header:
    start = _exactly(file, _NIFTI1_BYTES)
    sizes = {struct.unpack(order, start[:4])[0] for order in ("<i", ">i")}
    if _NIFTI2_BYTES in sizes:
        start += _exactly(file, _NIFTI2_BYTES - _NIFTI1_BYTES)
        magic, kind = start[4:7], nibabel.Nifti2Header
    elif _NIFTI1_BYTES in sizes:
        magic, kind = start[344:347], nibabel.Nifti1Header
    else:
        raise UnreadableStudy("the file is neither a ZIP archive, DICOM nor NIfTI")
    if magic not in _SINGLE_FILE:
        raise UnreadableStudy("the file is not a NIfTI volume in one file (.nii, .nii.gz)")
    return kind.from_fileobj(io.BytesIO(start), check=False)


def _checked(raw: nibabel.Nifti1Header) -> NiftiHeader:
    shape = _shape(raw)
    dtype = raw.get_data_dtype()
    if dtype.kind not in "iuf" or dtype.itemsize > 8:
        raise NoUsableSeries("the NIfTI volume has colours or complex numbers, not Hounsfield units")
    if dtype.itemsize == 1:
        raise NoUsableSeries("the NIfTI volume has 8 bits a voxel: labels or grey levels, not Hounsfield units")
    offset_bytes = int(raw.get_data_offset())
    if not _NIFTI1_BYTES <= offset_bytes <= _OFFSET_BYTES_MAX:
        raise UnreadableStudy("the NIfTI header states an implausible start of its data")
    slope, intercept = raw.get_slope_inter()
    order, flipped, affine = _display_axes(_affine(raw), shape)
    header = NiftiHeader(
        shape,
        dtype,
        offset_bytes,
        1.0 if slope is None else float(slope),
        0.0 if intercept is None else float(intercept),
        order,
        flipped,
        affine,
    )
    _check_sizes(header)
    return header


def _shape(raw: nibabel.Nifti1Header) -> tuple[int, int, int]:
    shape = tuple(int(side) for side in raw.get_data_shape())
    if len(shape) < 3 or any(side != 1 for side in shape[3:]):
        raise NoUsableSeries(f"the NIfTI file has {len(shape)} dimensions; one volume of three is read")
    if min(shape) < 1 or max(shape) > _SIDE_MAX or math.prod(shape) > VOXELS_MAX:
        raise StudyTooLarge(f"the NIfTI volume has over {VOXELS_MAX} voxels, or an implausible size")
    return shape[0], shape[1], shape[2]


def _affine(raw: nibabel.Nifti1Header) -> NDArray[np.float64]:
    """In millimetres, x to the patient's right (RAS). The sform outranks the qform."""
    if int(raw["sform_code"]) <= 0 and int(raw["qform_code"]) <= 0:
        raise NoUsableSeries("the NIfTI file does not state its orientation (sform_code and qform_code are 0)")
    if raw.get_xyzt_units()[0] in _OTHER_UNITS:
        raise NoUsableSeries("the NIfTI file is not in millimetres")
    affine = np.asarray(raw.get_best_affine(), dtype=np.float64)
    lengths = np.linalg.norm(affine[:3, :3], axis=0)
    if not np.isfinite(affine).all() or lengths.min() < _SPACING_MM_MIN or np.abs(affine).max() > 1e5:
        raise NoUsableSeries("the orientation that the NIfTI file states is not plausible")
    directions = affine[:3, :3] / lengths
    if np.abs(directions.T @ directions - np.eye(3)).max() > _SHEAR_MAX:
        raise NoUsableSeries("the axes of the NIfTI volume are not perpendicular, as with a gantry tilt")
    return affine


def _display_axes(
    affine: NDArray[np.float64], shape: tuple[int, int, int]
) -> tuple[tuple[int, int, int], tuple[bool, bool, bool], NDArray[np.float64]]:
    """Order and flips of the stored axes, and the affine (LPS) of the display.

    Its axes are slices to the head, rows to the back and columns to the left.
    """
    lps = np.diag([-1.0, -1.0, 1.0, 1.0]) @ affine
    nearest = io_orientation(lps)  # the patient's axis and the sign of each stored axis
    axes = [int(np.flatnonzero(nearest[:, 0] == patient_axis)[0]) for patient_axis in (2, 1, 0)]
    flipped = [bool(nearest[axis, 1] < 0) for axis in axes]
    result = np.eye(4)
    result[:3, 3] = lps[:3, 3]
    for place, (axis, is_flipped) in enumerate(zip(axes, flipped, strict=True)):
        step = lps[:3, axis]
        if is_flipped:
            result[:3, 3] += step * (shape[axis] - 1)
        result[:3, place] = -step if is_flipped else step
    return (axes[0], axes[1], axes[2]), (flipped[0], flipped[1], flipped[2]), result


def _check_sizes(header: NiftiHeader) -> None:
    slice_mm, row_mm, column_mm = header.spacing_mm
    if header.off_axis < _AXIAL:
        raise NoUsableSeries("the NIfTI volume is oblique; only volumes of axial slices are read")
    if max(row_mm, column_mm) > _PIXEL_RATIO_MAX * min(row_mm, column_mm):
        plane = "coronal" if row_mm > column_mm else "sagittal"
        raise NoUsableSeries(f"the NIfTI volume was stored in {plane} slices; only axial ones are read")
    if slice_mm > SPACING_MM_MAX or max(row_mm, column_mm) > _PIXEL_MM_MAX:
        raise NoUsableSeries(f"the slices of the NIfTI volume are {slice_mm:.1f} mm apart, or its pixels too large")
    slices, rows, columns = header.display_shape
    if slices < SLICES_MIN or min(rows, columns) < _SIDE_MIN:
        raise NoUsableSeries(f"{slices} slices of {columns} x {rows} pixels are too few")


def _values(file: BinaryIO, header: NiftiHeader) -> NDArray[np.int16]:
    """(slices, rows, columns) Hounsfield units of the display, before its pixels are made square."""
    hu = np.empty(header.display_shape, dtype=np.int16)
    flips = tuple(slice(None, None, -1 if is_flipped else 1) for is_flipped in header.flipped)
    stored_order = hu[flips].transpose(np.argsort(header.order))
    for index, slab in enumerate(_slabs(file, header)):
        stored_order[:, :, index] = as_int16(slab)
    return hu


def _slabs(file: BinaryIO, header: NiftiHeader) -> Iterator[NDArray[np.float64] | NDArray[np.int16]]:
    """(first axis, second axis) values of each place on the third axis. Raises NoUsableSeries, EOFError."""
    is_plain = np.can_cast(header.dtype, np.int16) and (header.slope, header.intercept) == (1, 0)
    _exactly(file, header.offset_bytes - file.tell())
    slab_bytes = header.shape[0] * header.shape[1] * header.dtype.itemsize
    darkest, lightest = math.inf, -math.inf
    for _ in range(header.shape[2]):
        stored = np.frombuffer(_exactly(file, slab_bytes), dtype=header.dtype)
        values = stored.astype(np.int16) if is_plain else stored.astype(np.float64) * header.slope + header.intercept
        if not np.isfinite(values).all():
            raise NoUsableSeries("the NIfTI volume has values that are not numbers")
        darkest, lightest = min(darkest, float(values.min())), max(lightest, float(values.max()))
        yield values.reshape(header.shape[:2], order="F")
    file.read(1)  # where the file ends here, its checksum is compared
    if darkest > _DARK_HU or lightest > _HU_LIMIT or lightest <= 0:
        raise NoUsableSeries("the values of the NIfTI volume are not Hounsfield units: there is no air, or no tissue")


def _volume(hu: NDArray[np.int16], header: NiftiHeader) -> CtVolume:
    affine = header.affine
    sent = Plane((hu.shape[1], hu.shape[2]), affine[:3, 3], affine[:3, 1], affine[:3, 2])
    plane = sent.with_square_pixels()
    if plane.shape != sent.shape:
        squared = [as_int16(square(one.astype(np.float32), plane.shape)) for one in hu]
        hu = np.stack(squared)
    slice_mm = header.spacing_mm[0]
    row_mm, column_mm = (float(np.linalg.norm(step)) for step in (plane.row_step_mm, plane.column_step_mm))
    geometry = VolumeGeometry(
        (hu.shape[0], hu.shape[1], hu.shape[2]),
        (slice_mm, row_mm, column_mm),
        vector(plane.origin_mm),
        vector(affine[:3, 0] / slice_mm),
        vector(plane.row_step_mm / row_mm),
        vector(plane.column_step_mm / column_mm),
    )
    as_stored = sent.geometry(AS_SENT)
    sources = tuple(
        SliceSource(0, None, None, None, as_stored, vector(affine[:3, 3] + index * affine[:3, 0]))
        for index in range(len(hu))
    )
    warnings: tuple[str, ...] = ()
    if header.off_axis < _WARNED:
        degrees = round(math.degrees(math.acos(header.off_axis)))
        warnings = (f"The slices are {degrees} degrees off standard axial ones; the result may be wrong.",)
    return CtVolume(hu, geometry, sources, warnings)


def _exactly(file: BinaryIO, size_bytes: int) -> bytes:
    if size_bytes < 0:
        raise EOFError
    content = file.read(size_bytes)
    if len(content) != size_bytes:
        raise EOFError
    return content


def vector(numbers: NDArray[np.float64]) -> Vector:
    x, y, z = numbers.tolist()
    return x, y, z
