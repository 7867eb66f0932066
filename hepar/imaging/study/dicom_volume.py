"""The chosen series as a volume on an even grid."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from pydicom import Dataset

from hepar.contracts.studies import UnreadableFile
from hepar.imaging.decoding import check_size, decoder_errors
from hepar.imaging.dicom import check_pixels
from hepar.imaging.dicom_file import read_dicom
from hepar.imaging.errors import ImageError, NoUsableSeries, StudyError, UnreadableImage
from hepar.imaging.hounsfield import hounsfield_units
from hepar.imaging.orientation import REORIENTED, dicom_orientation, pixel_aspect
from hepar.imaging.pixel_data import frame_values
from hepar.imaging.stored_values import padding_mask, stored_format
from hepar.imaging.study.choice import GAP_MM_MAX
from hepar.imaging.study.display import Plane, as_int16, square
from hepar.imaging.study.files import FileRef, StudyFiles
from hepar.imaging.study.series import SLICES_MIN, Slice, SliceStack, normal_of
from hepar.imaging.volume import AIR_HU, CtVolume, SliceSource, Vector, VolumeGeometry

_EXACT = 0.1
"""A slice may lie this share of the spacing off its place on the grid."""


@dataclass(frozen=True)
class Grid:
    """Places of slices at even distances along the normal."""

    start_mm: float
    spacing_mm: float
    count: int

    @classmethod
    def of(cls, stack: SliceStack) -> Grid:
        """The median distance, corrected so that the last slice lies on the grid."""
        spacing_mm = stack.spacing_mm or 1.0
        steps = max(1, round(stack.extent_mm / spacing_mm))
        return cls(stack.positions_mm[0], stack.extent_mm / steps, steps + 1)

    def place_mm(self, index: int) -> float:
        return self.start_mm + index * self.spacing_mm


@dataclass(frozen=True)
class _Decoded:
    """hu: (rows, columns) int16 in display orientation with square pixels."""

    position_mm: float
    item: Slice
    hu: NDArray[np.int16]


def load_series(files: StudyFiles, stack: SliceStack) -> CtVolume:
    """Decodes each image once; slices that are missing are interpolated between their neighbours.

    Raises NoUsableSeries where so many images cannot be decoded that a gap is too large or too few are left.
    """
    return _Loader(files, stack).volume()


class _Loader:
    def __init__(self, files: StudyFiles, stack: SliceStack) -> None:
        frame = stack.first.frame
        self._stack = stack
        self._stated = dicom_orientation([*(frame.along_row or ()), *(frame.along_column or ())], None)
        self._sent = _plane_as_sent(stack.first)
        self._plane = self._sent.turned(self._stated.orientation).with_square_pixels()
        self._geometry = self._sent.geometry(self._stated.orientation)
        self._datasets = _Datasets(files)
        self._unreadable: list[UnreadableFile] = []

    def volume(self) -> CtVolume:
        grid = Grid.of(self._stack)
        hu = np.empty((grid.count, *self._plane.shape), dtype=np.int16)
        sources = self._fill(hu, grid)
        known = tuple(source for source in sources if source is not None)
        if len(known) < SLICES_MIN:
            raise NoUsableSeries("too few images of the series could be decoded")
        start = next(index for index, source in enumerate(sources) if source is not None)
        hu = hu[start : start + len(known)]
        return CtVolume(
            hu,
            self._volume_geometry(hu.shape, grid, start),
            known,
            self._warnings(known),
            self._stack.uid,
            self._stack.first.instance.frame_of_reference_uid,
            tuple(self._unreadable),
        )

    def _fill(self, hu: NDArray[np.int16], grid: Grid) -> list[SliceSource | None]:
        """Sources of the grid's slices; None at its ends where the images could not be decoded."""
        sources: list[SliceSource | None] = [None] * grid.count
        tolerance_mm = _EXACT * grid.spacing_mm
        index, decoded, before = 0, 0, None
        for found in self._decoded():
            decoded += 1
            if before is not None and found.position_mm - before.position_mm > GAP_MM_MAX:
                raise NoUsableSeries(f"images of over {GAP_MM_MAX:.0f} mm of the series could not be decoded")
            while index < grid.count and grid.place_mm(index) <= found.position_mm + tolerance_mm:
                place_mm = grid.place_mm(index)
                if found.position_mm - place_mm <= tolerance_mm:
                    hu[index], sources[index] = found.hu, self._source(found.item)
                elif before is not None:
                    hu[index], sources[index] = self._between(before, found, place_mm, tolerance_mm)
                index += 1
            before = found
        if decoded < SLICES_MIN:
            why = self._unreadable[0].detail if self._unreadable else "there are too few"
            raise NoUsableSeries(f"the images of the series could not be decoded: {why}")
        return sources

    def _between(
        self, before: _Decoded, after: _Decoded, place_mm: float, tolerance_mm: float
    ) -> tuple[NDArray[np.int16], SliceSource]:
        """A slice between two images, linearly interpolated."""
        share = (place_mm - before.position_mm) / (after.position_mm - before.position_mm)
        if place_mm - before.position_mm <= tolerance_mm:
            return before.hu, self._source(before.item)
        mixed = before.hu * np.float32(1 - share) + after.hu * np.float32(share)
        nearest = after if share > 0.5 else before
        return as_int16(mixed), replace(self._source(nearest.item), is_exact=False)

    def _decoded(self) -> Iterator[_Decoded]:
        """In the order of their positions; images that cannot be decoded are noted and left out."""
        for item, position_mm in zip(self._stack.slices, self._stack.positions_mm, strict=True):
            try:
                with decoder_errors():
                    sent = _hounsfield_units(self._datasets.of(item), item.frame.index or 0)
                    if sent.shape != self._sent.shape:
                        raise UnreadableImage("the image has another size than its header states")
                    displayed = self._stated.orientation.to_display(sent)
                    yielded = _Decoded(position_mm, item, as_int16(square(displayed, self._plane.shape)))
            except StudyError:
                raise
            except ImageError as error:
                self._unreadable.append(UnreadableFile(index=item.instance.ref.index, detail=str(error)))
                continue
            yield yielded

    def _source(self, item: Slice) -> SliceSource:
        return SliceSource(
            item.instance.ref.index,
            item.frame.index,
            item.instance.sop_instance_uid,
            item.instance.sop_class_uid,
            self._geometry,
            _position(item),
        )

    def _volume_geometry(self, shape: tuple[int, ...], grid: Grid, start: int) -> VolumeGeometry:
        plane, normal = self._plane, normal_of(self._stack.first.frame)
        if normal is None:
            raise NoUsableSeries("the files do not state their orientation")
        row_mm, column_mm = (float(np.linalg.norm(step)) for step in (plane.row_step_mm, plane.column_step_mm))
        return VolumeGeometry(
            (shape[0], shape[1], shape[2]),
            (grid.spacing_mm, row_mm, column_mm),
            vector(plane.origin_mm + start * grid.spacing_mm * normal),
            vector(normal),
            vector(plane.row_step_mm / row_mm),
            vector(plane.column_step_mm / column_mm),
        )

    def _warnings(self, sources: tuple[SliceSource, ...]) -> tuple[str, ...]:
        warnings = [warning for warning in self._stated.warnings if warning != REORIENTED]
        if self._unreadable:
            warnings.append(f"{len(self._unreadable)} image(s) of the series could not be decoded.")
        if between := sum(not source.is_exact for source in sources):
            warnings.append(f"{between} of {len(sources)} slices lie between images and were interpolated.")
        return tuple(warnings)


class _Datasets:
    """Parsed files; the last one is kept, because it may have more frames."""

    def __init__(self, files: StudyFiles) -> None:
        self._files = files
        self._ref: FileRef | None = None
        self._dataset = Dataset()

    def of(self, item: Slice) -> Dataset:
        """Raises ImageError and whatever a parser raises."""
        if item.instance.ref != self._ref:
            self._ref, self._dataset = None, Dataset()  # frees the one before
            self._dataset = read_dicom(self._files.read(item.instance.ref))
            check_pixels(self._dataset, check_size, len(self._dataset.PixelData))
            self._ref = item.instance.ref
        return self._dataset


def _hounsfield_units(dataset: Dataset, index: int) -> NDArray[np.float32]:
    """(rows, columns) as sent; padding is air."""
    form, container = stored_format(dataset), frame_values(dataset, index)
    padding = padding_mask(dataset, form, container)
    if padding.all():
        return np.full(container.shape, AIR_HU, dtype=np.float32)
    hu = hounsfield_units(dataset, index, form, form.values(container), padding)
    hu[padding] = AIR_HU
    return hu


def _plane_as_sent(item: Slice) -> Plane:
    frame = item.frame
    if frame.spacing_mm is None or frame.along_row is None or frame.along_column is None:
        raise NoUsableSeries("the files do not state where the pixels are")
    down_mm, across_mm = frame.spacing_mm
    pixel_aspect(frame.spacing_mm, None)  # refuses sides that differ too much
    return Plane(
        (item.instance.rows, item.instance.columns),
        np.array(_position(item)),
        np.multiply(frame.along_column, down_mm),
        np.multiply(frame.along_row, across_mm),
    )


def _position(item: Slice) -> Vector:
    if item.frame.position_mm is None:
        raise NoUsableSeries("the files do not state where the slices are")
    return item.frame.position_mm


def vector(numbers: NDArray[np.float64]) -> Vector:
    x, y, z = numbers.tolist()
    return x, y, z
