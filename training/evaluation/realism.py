"""Realism of the synthesised lesions: statistics of real and synthesised lesions, and a classifier between them.

The real lesions are boxes of unknown type, drawn by somebody who is not a radiologist: a development aid. Hand-drawn
boxes have margins and computed ones have none, so every box is first refitted to the pixels whose level is nearer to
the lesion's than to the liver's. Each real lesion is compared with the synthesised lesions nearest to it in size, so
that size, which differs between the types by design, has no influence.

Sizes, counts, rims and lobulation by type are compared with the tables of MCT-LTDiag (318 patients of known type).
"""

from __future__ import annotations

import csv
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, fields
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage
from sklearn.ensemble import RandomForestClassifier
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import StratifiedGroupKFold, cross_val_predict

from training.configuration import DataConfiguration
from training.fields import BoolImage, FloatImage
from training.lesions import LABELS, LesionBox, synthesise
from training.sources import LiverSlice, UnusableData

Corners = tuple[int, int, int, int]
MATCHES = 3
PATCH_SIDE_PX = 12
MIN_SIDE_PX = 4


@dataclass(frozen=True)
class LesionStatistics:
    """Statistics of one lesion, measured in the ellipse that fills its box and the ring of liver around it.

    contrast_hu: median inside minus median of the ring.
    texture_hu: standard deviation in the inner half after a Gaussian of one pixel is subtracted.
    patchiness_hu: standard deviation of the Gaussian-smoothed values in the inner half.
    rim_hu: mean of the outer fifth inside minus mean of the inner half.
    edge_hu_per_mm: mean gradient across the border.
    """

    contrast_hu: float
    texture_hu: float
    patchiness_hu: float
    rim_hu: float
    edge_hu_per_mm: float


@dataclass(frozen=True)
class Specimen:
    """One measured lesion.

    side_px: longer side of its box.  patch: (PATCH_SIDE_PX, PATCH_SIDE_PX) HU minus the median of the ring.
    """

    patient: str
    side_px: int
    statistics: LesionStatistics
    patch: FloatImage


@dataclass(frozen=True)
class Realism:
    """Result of the comparison.

    real, synthesised: numbers of lesions.
    table: by statistic, the quartiles (25, 50, 75 %) of real and of synthesised lesions.
    auc: of a random forest that distinguishes them on patients it has not seen; 0.5 is chance.
    """

    real: int
    synthesised: int
    table: dict[str, tuple[NDArray[np.float64], NDArray[np.float64]]]
    auc: float


def measure(hu: FloatImage, corners: Corners, patient: str, spacing_mm: float) -> Specimen | None:
    """Measures one lesion. None without a ring of liver or a darker centre, or below MIN_SIDE_PX."""
    refitted = _refitted(hu, corners)
    if refitted is None:
        return None
    x_min, y_min, x_max, y_max = refitted
    width, height = x_max - x_min, y_max - y_min
    radius = _radius(hu.shape, refitted)
    ring = _ring(hu, radius)
    inside, core, outer = radius < 1, radius < 0.7, (radius > 0.8) & (radius < 1)
    if min(width, height) < MIN_SIDE_PX or ring.sum() < 8 or min(core.sum(), outer.sum()) < 4:
        return None
    smooth = ndimage.gaussian_filter(hu, 1.0)
    gradient = np.hypot(*np.gradient(smooth)) / spacing_mm
    background = float(np.median(hu[ring]))
    statistics = LesionStatistics(
        contrast_hu=float(np.median(hu[inside])) - background,
        texture_hu=float((hu - smooth)[core].std()),
        patchiness_hu=float(smooth[core].std()),
        rim_hu=float(hu[outer].mean() - hu[core].mean()),
        edge_hu_per_mm=float(gradient[(radius > 0.85) & (radius < 1.15)].mean()),
    )
    return Specimen(patient, max(width, height), statistics, _patch(hu - background, refitted))


def _refitted(hu: FloatImage, corners: Corners) -> Corners | None:
    """The box of the largest connected region around the centre that is darker than halfway to the liver's level."""
    radius = _radius(hu.shape, corners)
    ring, centre = _ring(hu, radius), radius < 0.5
    if ring.sum() < 8 or centre.sum() < 4:
        return None
    smooth = ndimage.gaussian_filter(hu, 1.0)
    halfway = (float(np.median(hu[ring])) + float(np.median(smooth[centre]))) / 2
    parts, _ = ndimage.label((smooth < halfway) & (radius < 1.3))
    sizes = np.bincount(parts[centre]).copy()
    sizes[0] = 0  # the pixels that are not darker than halfway
    if not sizes.any():
        return None
    rows, columns = ndimage.find_objects((parts == sizes.argmax()).astype(int))[0]
    return columns.start, rows.start, columns.stop, rows.stop


def _radius(shape: tuple[int, ...], corners: Corners) -> FloatImage:
    """(h, w) distance from the box's centre, 1 on the ellipse that fills it."""
    x_min, y_min, x_max, y_max = corners
    rows, columns = np.indices(shape)
    x = (columns + 0.5 - (x_min + x_max) / 2) / ((x_max - x_min) / 2)
    y = (rows + 0.5 - (y_min + y_max) / 2) / ((y_max - y_min) / 2)
    return np.asarray(np.hypot(x, y), dtype=np.float32)


def _ring(hu: FloatImage, radius: FloatImage) -> BoolImage:
    """The ring around the lesion, without fat, air, bone and contrast medium."""
    return np.asarray((radius > 1.15) & (radius < 1.7) & (hu > 0) & (hu < 245))


def real_specimens(slices: Iterable[LiverSlice], data: DataConfiguration) -> list[Specimen]:
    """All reviewed real lesions that can be measured."""
    measured = [
        measure(item.hu, corners, item.patient, data.pixel_spacing_mm)
        for item in slices
        for corners in item.real_lesions
    ]
    return [specimen for specimen in measured if specimen is not None]


def synthesised_specimens(slices: Iterable[LiverSlice], data: DataConfiguration, variants: int = 2) -> list[Specimen]:
    """Lesions synthesised into tumour-free slices, both types equally often."""
    found = []
    for number, item in enumerate(slices):
        for variant in range(variants):
            for label_index, label in enumerate(LABELS):
                rng = np.random.default_rng([data.seed, number, variant, label_index])
                try:
                    made = synthesise(item.hu, item.liver_mask, data.pixel_spacing_mm, label, rng)
                except ValueError:
                    continue  # too little liver on this slice
                for box in made.boxes:
                    corners = (box.x_min, box.y_min, box.x_max, box.y_max)
                    found.append(measure(made.hu, corners, item.patient, data.pixel_spacing_mm))
    return [specimen for specimen in found if specimen is not None]


def compare(real: Sequence[Specimen], synthesised: Sequence[Specimen]) -> Realism:
    """Raises UnusableData for fewer than five real lesions or patients, too few for cross-validation."""
    if len(real) < 5 or len({specimen.patient for specimen in real}) < 5:
        raise UnusableData(f"{len(real)} real lesions are too few to compare with")
    matched = _matched(real, synthesised)
    names = [field.name for field in fields(LesionStatistics)]
    table = {name: (_quartiles(real, name), _quartiles(matched, name)) for name in names}
    return Realism(len(real), len(matched), table, _auc(real, matched))


@dataclass(frozen=True)
class TypeTraits:
    """Traits of one tumour type.

    diameters_mm: largest diameter in space at the QUANTILES.  lesions: mean count.
    rim, lobulated: share of the lesions that have a rim or are lobulated.
    """

    diameters_mm: NDArray[np.float64]
    lesions: float
    rim: float
    lobulated: float


QUANTILES = (10, 25, 50, 75, 90)
TYPES: dict[str, tuple[str, ...]] = {"cholangiocarcinoma": ("ICC",), "metastasis": ("CRLM", "BCLM")}


def published_traits(folder: Path) -> dict[str, TypeTraits]:
    """By label, from meta_info_patient.csv and meta_info_tumor.csv of MCT-LTDiag.

    The number of lesions is their total volume divided by their mean volume. Raises UnusableData without the tables.
    """
    tables = [folder / "meta_info_patient.csv", folder / "meta_info_tumor.csv"]
    for table in tables:
        if not table.is_file():
            raise UnusableData(f"{table} is missing: is {folder} the folder mct-ltdiag?")
    with tables[0].open(newline="") as file:
        types = {row["ID"]: row["type"] for row in csv.DictReader(file)}
    with tables[1].open(newline="") as file:
        rows = list(csv.DictReader(file))
    found = {}
    for label, names in TYPES.items():
        own = [row for row in rows if types.get(row["ID"]) in names]
        found[label] = TypeTraits(
            np.percentile([float(row["Max3D_Diameter_mm"]) for row in own], QUANTILES),
            float(np.mean([float(row["InExp_Volume_mm3"]) / float(row["Avg_Volume_mm3"]) for row in own])),
            float(np.mean([row["Rim APHE"] == "Y" for row in own])),
            float(np.mean([row["Lobulated"] == "Y" for row in own])),
        )
    return found


def synthesised_traits(slices: Iterable[LiverSlice], data: DataConfiguration) -> dict[str, TypeTraits]:
    """By label, the largest lesion of each slice, as in MCT-LTDiag, synthesised into tumour-free slices."""
    largest: dict[str, list[LesionBox]] = {label: [] for label in LABELS}
    counts: dict[str, list[int]] = {label: [] for label in LABELS}
    for number, item in enumerate(slices):
        for label_index, label in enumerate(LABELS):
            rng = np.random.default_rng([data.seed, number, label_index])
            try:
                boxes = synthesise(item.hu, item.liver_mask, data.pixel_spacing_mm, label, rng).boxes
            except ValueError:
                continue  # too little liver on this slice
            largest[label].append(max(boxes, key=lambda box: box.diameter_mm))
            counts[label].append(len(boxes))
    return {
        label: TypeTraits(
            np.percentile([box.diameter_mm for box in boxes], QUANTILES),
            float(np.mean(counts[label])),
            float(np.mean([box.rim for box in boxes])),
            float(np.mean([box.lobulated for box in boxes])),
        )
        for label, boxes in largest.items()
    }


def _matched(real: Sequence[Specimen], synthesised: Sequence[Specimen]) -> list[Specimen]:
    """For each real lesion the MATCHES synthesised lesions nearest in size; each is used once."""
    free = list(synthesised)
    chosen: list[Specimen] = []
    for specimen in real:
        for _ in range(MATCHES):
            if not free:
                return chosen
            nearest = min(range(len(free)), key=lambda index: abs(free[index].side_px - specimen.side_px))
            chosen.append(free.pop(nearest))
    return chosen


def _quartiles(specimens: Sequence[Specimen], name: str) -> NDArray[np.float64]:
    return np.asarray(np.percentile([getattr(specimen.statistics, name) for specimen in specimens], [25, 50, 75]))


def _auc(real: Sequence[Specimen], synthesised: Sequence[Specimen]) -> float:
    """Area under the ROC curve by five-fold cross-validation over patients, on the statistics and the patches."""
    specimens = [*real, *synthesised]
    names = [field.name for field in fields(LesionStatistics)]
    features = np.array(
        [[*(getattr(item.statistics, name) for name in names), *item.patch.ravel()] for item in specimens]
    )
    truth = np.array([1] * len(real) + [0] * len(synthesised))
    forest = RandomForestClassifier(300, class_weight="balanced", random_state=0, min_samples_leaf=2)
    groups = [item.patient for item in specimens]
    folds = StratifiedGroupKFold(5, shuffle=True, random_state=0)
    predicted = cross_val_predict(forest, features, truth, groups=groups, cv=folds, method="predict_proba")
    return float(roc_auc_score(truth, predicted[:, 1]))


def _patch(hu: FloatImage, corners: Corners) -> FloatImage:
    """The box with a margin of a quarter of its sides, resampled to PATCH_SIDE_PX."""
    x_min, y_min, x_max, y_max = corners
    width, height = x_max - x_min, y_max - y_min
    steps = (np.arange(PATCH_SIDE_PX) + 0.5) / PATCH_SIDE_PX * 1.5 - 0.25
    grid = np.meshgrid(y_min + steps * height, x_min + steps * width, indexing="ij")
    return np.asarray(ndimage.map_coordinates(hu, grid, order=1, mode="nearest"), dtype=np.float32)
