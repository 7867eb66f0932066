"""How much synthesised lesions are like real ones: statistics side by side, and a classifier that tells them apart.

Real lesions are boxes drawn by somebody who is not a radiologist, of unknown type: a development aid. Hand-drawn boxes
have margins and computed ones have none, so every box, real or not, is first drawn anew about the pixels nearer to the
lesion's level than to the liver's. Each real lesion is compared with the synthesised ones nearest to it in size, so
that size, which differs between the types by design, does not decide.

What MCT-LTDiag tables of 318 patients with known types (sizes, counts, rims, lobulation) is put beside the same of
what is synthesised.
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
PATCH_SIDE = 12
SMALLEST_SIDE_PX = 4


@dataclass(frozen=True)
class LesionStatistics:
    """Of one lesion, measured in the ellipse that fills its box and the ring of liver around it.

    contrast_hu: median inside minus median of the ring.
    texture_hu: standard deviation in the inner half after a Gaussian of one pixel is taken away.
    patchiness_hu: standard deviation in the inner half of what that Gaussian leaves.
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
    """side_px: the longer one of its box.  patch: (PATCH_SIDE, PATCH_SIDE) HU, the ring's median taken away."""

    patient: str
    side_px: int
    statistics: LesionStatistics
    patch: FloatImage


@dataclass(frozen=True)
class Realism:
    """table: by statistic, the quartiles (25, 50, 75 %) of real and of synthesised lesions.

    auc: of a random forest that tells them apart on patients it has not seen; 0.5 is chance.
    """

    real: int
    synthesised: int
    table: dict[str, tuple[NDArray[np.float64], NDArray[np.float64]]]
    auc: float


def measure(hu: FloatImage, corners: Corners, patient: str, spacing_mm: float) -> Specimen | None:
    """None where nothing can be measured: no ring of liver, no darker centre, or under SMALLEST_SIDE_PX a side."""
    drawn = _drawn_anew(hu, corners)
    if drawn is None:
        return None
    x_min, y_min, x_max, y_max = drawn
    width, height = x_max - x_min, y_max - y_min
    radius = _radius(hu.shape, drawn)
    ring = _ring(hu, radius)
    inside, core, outer = radius < 1, radius < 0.7, (radius > 0.8) & (radius < 1)
    if min(width, height) < SMALLEST_SIDE_PX or ring.sum() < 8 or min(core.sum(), outer.sum()) < 4:
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
    return Specimen(patient, max(width, height), statistics, _patch(hu - background, drawn))


def _drawn_anew(hu: FloatImage, corners: Corners) -> Corners | None:
    radius = _radius(hu.shape, corners)
    ring, centre = _ring(hu, radius), radius < 0.5
    if ring.sum() < 8 or centre.sum() < 4:
        return None
    smooth = ndimage.gaussian_filter(hu, 1.0)
    halfway = (float(np.median(hu[ring])) + float(np.median(smooth[centre]))) / 2
    parts, _ = ndimage.label((smooth < halfway) & (radius < 1.3))
    most = np.bincount(parts[centre]).copy()
    most[0] = 0  # what is no darker than halfway
    if not most.any():
        return None
    rows, columns = ndimage.find_objects((parts == most.argmax()).astype(int))[0]
    return columns.start, rows.start, columns.stop, rows.stop


def _radius(shape: tuple[int, ...], corners: Corners) -> FloatImage:
    """(h, w) distance from the box's centre, 1 on the ellipse that fills it."""
    x_min, y_min, x_max, y_max = corners
    rows, columns = np.indices(shape)
    across = (columns + 0.5 - (x_min + x_max) / 2) / ((x_max - x_min) / 2)
    down = (rows + 0.5 - (y_min + y_max) / 2) / ((y_max - y_min) / 2)
    return np.asarray(np.hypot(across, down), dtype=np.float32)


def _ring(hu: FloatImage, radius: FloatImage) -> BoolImage:
    """Around the lesion, without fat and air below and bone and contrast medium above."""
    return np.asarray((radius > 1.15) & (radius < 1.7) & (hu > 0) & (hu < 245))


def real_specimens(slices: Iterable[LiverSlice], data: DataConfiguration) -> list[Specimen]:
    """Of all reviewed real lesions."""
    measured = [
        measure(item.hu, corners, item.patient, data.pixel_spacing_mm)
        for item in slices
        for corners in item.real_lesions
    ]
    return [specimen for specimen in measured if specimen is not None]


def synthesised_specimens(slices: Iterable[LiverSlice], data: DataConfiguration, variants: int = 2) -> list[Specimen]:
    """Of lesions synthesised into tumour-free slices, both types alike often."""
    found = []
    for number, item in enumerate(slices):
        for variant in range(variants):
            for place, label in enumerate(LABELS):
                rng = np.random.default_rng([data.seed, number, variant, place])
                try:
                    made = synthesise(item.hu, item.liver_mask, data.pixel_spacing_mm, label, rng)
                except ValueError:
                    continue  # too little liver on this slice
                for box in made.boxes:
                    corners = (box.x_min, box.y_min, box.x_max, box.y_max)
                    found.append(measure(made.hu, corners, item.patient, data.pixel_spacing_mm))
    return [specimen for specimen in found if specimen is not None]


def compare(real: Sequence[Specimen], synthesised: Sequence[Specimen]) -> Realism:
    """Raises UnusableData with fewer than five real lesions or patients, too few to hold some out."""
    if len(real) < 5 or len({specimen.patient for specimen in real}) < 5:
        raise UnusableData(f"{len(real)} real lesions are too few to compare with")
    matched = _matched(real, synthesised)
    names = [field.name for field in fields(LesionStatistics)]
    table = {name: (_quartiles(real, name), _quartiles(matched, name)) for name in names}
    return Realism(len(real), len(matched), table, _auc(real, matched))


@dataclass(frozen=True)
class TypeTraits:
    """Of one tumour type. diameters_mm: largest one in space, quantiles 10, 25, 50, 75, 90 %.  lesions: mean count."""

    diameters_mm: NDArray[np.float64]
    lesions: float
    rim: float
    lobulated: float


QUANTILES = (10, 25, 50, 75, 90)
TYPES: dict[str, tuple[str, ...]] = {"cholangiocarcinoma": ("ICC",), "metastasis": ("CRLM", "BCLM")}


def tabled_traits(folder: Path) -> dict[str, TypeTraits]:
    """By label, from meta_info_patient.csv and meta_info_tumor.csv of MCT-LTDiag.

    Its number of lesions is the volume of all of them over their mean volume. Raises UnusableData without the tables.
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
    """By label, of lesions synthesised into tumour-free slices; of each slice the largest, as in MCT-LTDiag."""
    largest: dict[str, list[LesionBox]] = {label: [] for label in LABELS}
    counts: dict[str, list[int]] = {label: [] for label in LABELS}
    for number, item in enumerate(slices):
        for place, label in enumerate(LABELS):
            rng = np.random.default_rng([data.seed, number, place])
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
    """For each real lesion the MATCHES synthesised ones nearest in size, none of them twice."""
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
    """By five-fold cross-validation over patients, on the statistics and on the coarse picture."""
    specimens = [*real, *synthesised]
    names = [field.name for field in fields(LesionStatistics)]
    features = np.array(
        [[*(getattr(item.statistics, name) for name in names), *item.patch.ravel()] for item in specimens]
    )
    truth = np.array([1] * len(real) + [0] * len(synthesised))
    forest = RandomForestClassifier(300, class_weight="balanced", random_state=0, min_samples_leaf=2)
    groups = [item.patient for item in specimens]
    folds = StratifiedGroupKFold(5, shuffle=True, random_state=0)
    said = cross_val_predict(forest, features, truth, groups=groups, cv=folds, method="predict_proba")
    return float(roc_auc_score(truth, said[:, 1]))


def _patch(hu: FloatImage, corners: Corners) -> FloatImage:
    """The box and a quarter of its sides around it, resampled to PATCH_SIDE."""
    x_min, y_min, x_max, y_max = corners
    width, height = x_max - x_min, y_max - y_min
    steps = (np.arange(PATCH_SIDE) + 0.5) / PATCH_SIDE * 1.5 - 0.25
    grid = np.meshgrid(y_min + steps * height, x_min + steps * width, indexing="ij")
    return np.asarray(ndimage.map_coordinates(hu, grid, order=1, mode="nearest"), dtype=np.float32)
