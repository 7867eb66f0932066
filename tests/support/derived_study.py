"""A small study with a known result: generated DICOM headers, a volume, masks, and the result that belongs to them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime

import numpy as np
from numpy.typing import NDArray
from pydicom.dataset import Dataset
from pydicom.uid import CTImageStorage, EnhancedCTImageStorage

from hepar.contracts.lesions import Axis, Lesion, SliceBox
from hepar.contracts.studies import Series
from hepar.contracts.study_files import Language
from hepar.contracts.study_results import KeySlice, ModelVersion, SliceResult, StudyResult, VolumeFacts
from hepar.imaging.geometry import Geometry
from hepar.imaging.orientation import dicom_orientation
from hepar.imaging.volume import VolumeGeometry
from study_service.outputs.context import OutputContext, SourceSlice
from tests.support.orientations import IMAGE_ORIENTATIONS

CREATED_AT = datetime(2026, 11, 26, 9, 30, 15, tzinfo=UTC)
SLICES, ROWS, COLUMNS = 10, 42, 48
SPACING_MM = (5.0, 1.25, 1.25)
ORIGIN_MM = (-30.0, -29.25, 100.0)
_LIVER = ((2, 9), (8, 34), (5, 40))
_LESIONS = [((3, 6), (12, 20), (10, 22)), ((6, 8), (20, 25), (26, 34))]
"""First and last index, exclusive, of slices, rows and columns."""

Ranges = Sequence[tuple[int, int]]


@dataclass(frozen=True)
class StudyOptions:
    """orientation: a key of IMAGE_ORIENTATIONS.  descending: whether the scanner numbered the slices from the head.

    duplicates: slices that lie at the position of the slice before them.  between: slices without an image of their
    own.  boxed: lesions that have boxes only.  row_factor: height of a pixel of the upright image divided by its width;
    odd, so that its centre is the centre of a voxel.
    """

    orientation: str = "as displayed"
    descending: bool = False
    lesions: int = 2
    liver: bool = True
    duplicates: tuple[int, ...] = ()
    between: tuple[int, ...] = ()
    boxed: tuple[int, ...] = ()
    row_factor: int = 1
    multi_frame: bool = False
    patient_name: str = "Müller^Jörg"
    language: Language = "en"
    with_files: bool = True


def derived_study(options: StudyOptions | None = None) -> OutputContext:
    options = options or StudyOptions()
    geometry = VolumeGeometry((SLICES, ROWS, COLUMNS), SPACING_MM, ORIGIN_MM)
    liver = _filled(np.zeros(geometry.shape, dtype=np.uint8), _LIVER, 1) if options.liver else np.zeros(geometry.shape)
    labels = np.zeros(geometry.shape, dtype=np.uint16)
    for value, ranges in enumerate(_LESIONS[: options.lesions], start=1):
        if value - 1 not in options.boxed:
            _filled(labels, ranges, value)
    hu = np.where(liver > 0, 110, -20).astype(np.int16)
    hu[labels > 0] = 55
    return OutputContext(
        result=_result(options, geometry),
        geometry=geometry,
        hu=hu,
        liver=liver.astype(bool),
        lesions=labels,
        sources=tuple(_source(options, index) for index in range(SLICES)) if options.with_files else (),
        created_at=CREATED_AT,
        language=options.language,
    )


def with_lesions(context: OutputContext, count: int) -> OutputContext:
    """With the first `count` lesions of many; those that have no mask here have boxes."""
    result = context.result
    further = [
        _lesion(1, context.geometry, boxed=True).model_copy(
            update={"id": f"L{number + 1}", "tracking_uid": f"2.25.{1290033310 + number}"}
        )
        for number in range(len(result.lesions), count)
    ]
    changed = result.model_copy(update={"lesions": [*result.lesions, *further][:count]})
    return replace(context, result=changed)


def _filled(volume: NDArray[np.unsignedinteger], ranges: Ranges, value: int) -> NDArray[np.unsignedinteger]:
    (z, z_end), (y, y_end), (x, x_end) = ranges
    volume[z:z_end, y:y_end, x:x_end] = value
    return volume


def source_index(options: StudyOptions, index: int) -> int:
    """InstanceNumber of the image of a slice; a slice between images names the one below."""
    index = index - 1 if index in options.between else index
    return SLICES - index if options.descending else index + 1


def _source(options: StudyOptions, index: int) -> SourceSlice:
    """The position is computed from where each orientation puts the pixels, without hepar.imaging.geometry."""
    image_orientation, turn = IMAGE_ORIENTATIONS[options.orientation]
    factor = options.row_factor
    places = turn(np.arange(ROWS * COLUMNS).reshape(ROWS, COLUMNS)[factor // 2 :: factor])
    row, column = divmod(int(places[0, 0]), COLUMNS)
    along_row = [float(value) for value in image_orientation[:3]]
    header = Dataset()
    header.SOPClassUID = CTImageStorage
    header.SOPInstanceUID = f"1.2.826.0.1.3680043.8.498.{source_index(options, index)}"
    header.StudyInstanceUID, header.SeriesInstanceUID = "1.2.826.0.1.3680043.8.498.100", "1.2.826.0.1.3680043.8.498.200"
    header.FrameOfReferenceUID = "1.2.826.0.1.3680043.8.498.300"
    header.SpecificCharacterSet = "ISO_IR 192"
    header.PatientName, header.PatientID, header.PatientSex = options.patient_name, "H-4711", "M"
    header.PatientBirthDate, header.AccessionNumber, header.StudyDate = "19580417", "A-1042", "20261120"
    header.Modality, header.InstanceNumber = "CT", source_index(options, index)
    header.Rows, header.Columns = places.shape
    _, row_mm, column_mm = SPACING_MM
    is_transposed = along_row[0] == 0
    header.PixelSpacing = [column_mm, row_mm * factor] if is_transposed else [row_mm * factor, column_mm]
    position = index - 1 if index in (*options.duplicates, *options.between) else index
    x, y, z = ORIGIN_MM
    header.ImagePositionPatient = [x + column * column_mm, y + row * row_mm, z + position * SPACING_MM[0]]
    header.ImageOrientationPatient = image_orientation
    orientation = dicom_orientation(image_orientation, None).orientation
    aspect = 1 / factor if is_transposed else factor
    geometry = Geometry(places.shape[1], places.shape[0], orientation, aspect, sides_known=True)
    if options.multi_frame:
        header.SOPClassUID, header.SOPInstanceUID = EnhancedCTImageStorage, "1.2.826.0.1.3680043.8.498.400"
        for keyword in ("ImagePositionPatient", "ImageOrientationPatient", "PixelSpacing"):
            delattr(header, keyword)  # they are in the functional groups
    return SourceSlice(header, geometry, index if options.multi_frame else None, index not in options.between)


def _lesion(number: int, geometry: VolumeGeometry, boxed: bool) -> Lesion:
    (z, z_end), (y, y_end), (x, x_end) = _LESIONS[number]
    key = (z + z_end - 1) // 2
    long_mm, short_mm = (x_end - x) * SPACING_MM[2], (y_end - y) * SPACING_MM[1]

    def axis(start: tuple[float, float], end: tuple[float, float], length_mm: float) -> Axis:
        ends = [[float(key), point[1] - 0.5, point[0] - 0.5] for point in (start, end)]
        millimetres = geometry.to_patient_mm(np.array(ends)).tolist()
        return Axis(
            length_mm=length_mm,
            slice=key,
            start_mm=tuple(millimetres[0]),
            end_mm=tuple(millimetres[1]),
            start_px=start,
            end_px=end,
        )

    middle_y, middle_x = (y + y_end) / 2, (x + x_end) / 2
    box = {"x_min": x, "y_min": y, "x_max": x_end, "y_max": y_end, "score": 0.83, "label": "metastasis"}
    detectors = ["detect_faster_rcnn", "detect_yolov5"]
    centre = geometry.to_patient_mm(np.array([[float(key), middle_y - 0.5, middle_x - 0.5]])).tolist()[0]
    voxels = (z_end - z) * (y_end - y) * (x_end - x)
    return Lesion(
        id=f"L{number + 1}",
        tracking_uid=f"2.25.{1290033310 + number}",
        first_slice=z,
        last_slice=z_end - 1,
        key_slice=key,
        centre_mm=tuple(centre),
        measured_on="box" if boxed else "mask",
        long_axis=axis((x, middle_y), (x_end, middle_y), long_mm),
        short_axis=axis((middle_x, y), (middle_x, y_end), short_mm),
        volume_ml=None if boxed else voxels * geometry.voxel_ml,
        measurable=long_mm >= 10,
        probability=0.91 - 0.1 * number,
        label="metastasis",
        type_probabilities={"cholangiocarcinoma": 0.19, "metastasis": 0.81},
        detectors=detectors,
        agreement=2,
        liver_share=0.97,
        lobe="right",
        boxes=[SliceBox(slice=index, detectors=detectors, **box) for index in range(z, z_end)],
    )


def _result(options: StudyOptions, geometry: VolumeGeometry) -> StudyResult:
    lesions = [_lesion(number, geometry, number in options.boxed) for number in range(options.lesions)]
    tumour_ml = sum(lesion.volume_ml or 0.0 for lesion in lesions)
    (z, z_end), (y, y_end), (x, x_end) = _LIVER
    liver_ml = (z_end - z) * (y_end - y) * (x_end - x) * geometry.voxel_ml if options.liver else None
    found = bool(lesions)
    types = {"cholangiocarcinoma": 0.19, "metastasis": 0.81} if found else {}
    return StudyResult(
        study_id="0b0e7f0a-5d4e-4c8a-9a5e-0d7f6b3f7c11",
        version=1,
        created_at=CREATED_AT,
        outcome="decided" if options.liver else "out_of_scope",
        tumour=found if options.liver else None,
        tumour_probability=(0.96 if found else 0.04) if options.liver else None,
        label="metastasis" if found else None,
        type_probabilities=types,
        certainty="high" if options.liver else None,
        lesions=lesions,
        liver_ml=liver_ml,
        tumour_ml=tumour_ml if liver_ml else None,
        tumour_percent=tumour_ml / liver_ml * 100 if liver_ml else None,
        key_slices=[
            KeySlice(slice=lesion.key_slice, lesions=[lesion.id], tumour_probability=0.93) for lesion in lesions
        ],
        slices=[
            SliceResult(slice=index, outcome="decided", tumour_probability=0.5, type_probabilities=types)
            for index in range(z, z_end)
        ],
        volume=VolumeFacts(
            slices=SLICES,
            rows=ROWS,
            columns=COLUMNS,
            spacing_mm=SPACING_MM,
            origin_mm=ORIGIN_MM,
            slice_direction=geometry.slice_direction,
            row_direction=geometry.row_direction,
            column_direction=geometry.column_direction,
            liver_slices=(z, z_end - 1) if options.liver else None,
        ),
        series=[
            Series(
                id="series-2",
                uid="1.2.826.0.1.3680043.8.498.200",
                number=2,
                description="Abdomen portal venous",
                modality="CT",
                plane="axial",
                images=SLICES,
                slice_spacing_mm=5.0,
                findings=[],
                chosen=True,
                reason="axial, original, soft kernel, portal venous",
            )
        ],
        unreadable_files=[],
        warnings=[],
        models=[ModelVersion(model="segment_resunet", version="1"), ModelVersion(model="detect_yolov5", version="2")],
        missing_models=[],
        software_version="2.0.0",
    )
