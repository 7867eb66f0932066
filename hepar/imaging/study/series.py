"""Series of a study: which images form one stack of slices, in which order, and what is irregular about it."""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hepar.contracts.studies import Plane, SeriesFinding
from hepar.imaging.orientation import is_localiser
from hepar.imaging.study.headers import FrameHeader, InstanceHeader

SLICES_MIN = 3
PARTS_MAX = 16
SAME_POSITION_MM = 0.01
TILT_DEGREES_MAX = 0.5
_SAME_DIRECTION = 0.999
_ALIGNED = math.sqrt(0.5)
_CLEAR = 0.9
_SPACING_TOLERANCE = 0.1
_DRIFT_PIXELS_MAX = 1.0


@dataclass(frozen=True)
class Slice:
    """One image of a stack."""

    instance: InstanceHeader
    frame: FrameHeader


@dataclass(frozen=True)
class SliceStack:
    """Images of a series with one orientation and one size.

    id: the same for the same files.  slices: from the feet to the head, one for each position, where that is stated.
    positions_mm: of the slices, along the normal.  spacing_mm: median distance, None for fewer than two positions.
    images: all readable ones, with those left out.  tilt_degrees: between the normal and the line of the positions.
    """

    id: str
    uid: str | None
    slices: tuple[Slice, ...]
    positions_mm: tuple[float, ...]
    plane: Plane | None
    spacing_mm: float | None
    tilt_degrees: float
    images: int
    findings: tuple[SeriesFinding, ...]

    @property
    def first(self) -> Slice:
        return self.slices[0]

    @property
    def extent_mm(self) -> float:
        return self.positions_mm[-1] - self.positions_mm[0] if self.positions_mm else 0.0

    @property
    def largest_gap_mm(self) -> float:
        return float(np.diff(self.positions_mm).max()) if len(self.positions_mm) > 1 else 0.0


def stacks_of(instances: Iterable[InstanceHeader]) -> tuple[SliceStack, ...]:
    """Every image of the instances is in one of the stacks. Series are in the order of their numbers."""
    by_series: dict[str, list[InstanceHeader]] = defaultdict(list)
    for instance in instances:
        by_series[_series_key(instance)].append(instance)
    ordered = sorted(by_series.items(), key=lambda item: (_number(item[1]), item[0]))
    parts = [part for _, found in ordered for part in _parts(found)]
    return tuple(_stack(f"series-{place}", part) for place, part in enumerate(parts, start=1))


def normal_of(frame: FrameHeader) -> NDArray[np.float64] | None:
    """Unit vector perpendicular to the slice, to the head where it is not parallel to an axial plane's."""
    if frame.along_row is None or frame.along_column is None:
        return None
    normal = np.cross(frame.along_row, frame.along_column)
    normal = normal / np.linalg.norm(normal)
    largest = normal[2] if abs(normal[2]) >= _ALIGNED else normal[int(np.abs(normal).argmax())]
    return np.asarray(normal if largest > 0 else -normal)


def plane_of(normal: NDArray[np.float64] | None) -> Plane | None:
    """Axial up to 45 degrees, as for single slices; the other planes up to 26."""
    if normal is None:
        return None
    if abs(normal[2]) >= _ALIGNED:
        return "axial"
    names: tuple[Plane, Plane] = ("sagittal", "coronal")
    return names[int(np.abs(normal[:2]).argmax())] if np.abs(normal[:2]).max() >= _CLEAR else "oblique"


def _series_key(instance: InstanceHeader) -> str:
    """The SeriesInstanceUID; what else tells series apart where files were stripped of it."""
    stated = (instance.modality, instance.series_number, instance.series_description, instance.kernel)
    return instance.series_uid or repr(stated)


def _number(instances: list[InstanceHeader]) -> int:
    return min((found.series_number for found in instances if found.series_number is not None), default=2**31)


@dataclass(frozen=True)
class _Part:
    """is_mixture: of what is left where a series has more than PARTS_MAX kinds of images, as a turning projection."""

    slices: list[Slice]
    findings: set[SeriesFinding]
    is_mixture: bool = False


def _parts(instances: list[InstanceHeader]) -> list[_Part]:
    """The images of a series, separated where they cannot be one stack; the largest part first."""
    groups: list[list[Slice]] = []
    rest: list[Slice] = []
    for item in (Slice(instance, frame) for instance in instances for frame in instance.frames):
        group = next((group for group in groups if _same_raster(group[0], item)), None)
        if group is not None:
            group.append(item)
        elif len(groups) < PARTS_MAX:
            groups.append([item])
        else:
            rest.append(item)
    findings: set[SeriesFinding] = set()
    if len({(group[0].instance.rows, group[0].instance.columns, group[0].frame.spacing_mm) for group in groups}) > 1:
        findings.add("mixed_sizes")
    if any(not _same_direction(groups[0][0].frame, group[0].frame) for group in groups):
        findings.add("mixed_orientations")
    separated = sorted((part for group in groups for part in _acquisitions(group)), key=len, reverse=True)
    parts = [_Part(part, findings) for part in separated]
    return [*parts, _Part(rest, findings, is_mixture=True)] if rest else parts


def _same_raster(one: Slice, other: Slice) -> bool:
    return (
        (one.instance.rows, one.instance.columns) == (other.instance.rows, other.instance.columns)
        and one.instance.modality == other.instance.modality
        and _same_direction(one.frame, other.frame)
        and is_localiser(one.frame.image_type) == is_localiser(other.frame.image_type)
        and _same_spacing(one.frame.spacing_mm, other.frame.spacing_mm)
    )


def _same_spacing(one: tuple[float, float] | None, other: tuple[float, float] | None) -> bool:
    if one is None or other is None:
        return one is other
    return bool(np.allclose(one, other, rtol=1e-3))


def _same_direction(one: FrameHeader, other: FrameHeader) -> bool:
    pairs = ((one.along_row, other.along_row), (one.along_column, other.along_column))
    return all(a is b if a is None or b is None else float(np.dot(a, b)) >= _SAME_DIRECTION for a, b in pairs)


def _acquisitions(slices: list[Slice]) -> list[list[Slice]]:
    """Several acquisitions of one region in one series, such as phases, which their numbers tell apart."""
    by_number: dict[int | None, list[Slice]] = defaultdict(list)
    for item in slices:
        by_number[item.frame.acquisition].append(item)
    places = Counter(item.frame.position_mm for item in slices)
    several = len(by_number) > 1 and sum(count > 1 for count in places.values()) * 2 > len(places)
    return list(by_number.values()) if several else [slices]


def _stack(stack_id: str, part: _Part) -> SliceStack:
    first = part.slices[0]
    normal = None if part.is_mixture else normal_of(first.frame)
    ordered, positions_mm = _ordered(part.slices, normal)
    gaps_mm = np.diff(positions_mm)
    tilt_degrees, is_off_line = (0.0, False) if normal is None else _tilt_degrees(ordered, positions_mm, normal)
    findings = part.findings | _kind_findings(first) | _gap_findings(gaps_mm)
    if not positions_mm:
        findings.add("no_positions")
    elif len(ordered) < len(part.slices):
        findings.add("duplicate_slices")
    if len(ordered) < SLICES_MIN:
        findings.add("too_few_slices")
    if is_off_line:
        findings.add("shifted_slices")
    elif tilt_degrees > TILT_DEGREES_MAX:
        findings.add("gantry_tilt")
    return SliceStack(
        stack_id,
        first.instance.series_uid,
        tuple(ordered),
        tuple(positions_mm),
        plane_of(normal),
        float(np.median(gaps_mm)) if len(gaps_mm) else None,
        tilt_degrees,
        len(part.slices),
        tuple(sorted(findings)),
    )


def _kind_findings(item: Slice) -> set[SeriesFinding]:
    findings: set[SeriesFinding] = set()
    kind = item.frame.image_type
    if is_localiser(kind):
        findings.add("localizer")
    if kind[:1] == ("DERIVED",) or kind[1:2] == ("SECONDARY",) or item.instance.is_secondary_capture:
        findings.add("derived")
    if item.instance.modality != "CT":
        findings.add("not_ct")
    return findings


def _ordered(slices: Sequence[Slice], normal: NDArray[np.float64] | None) -> tuple[list[Slice], list[float]]:
    """From the feet to the head with their positions along the normal, one for each position (PS3.3, C.7.6.2.1.1).

    Of several at one position, the one with the lowest instance number is taken. As given where no position is known.
    """
    if normal is None or any(item.frame.position_mm is None for item in slices):
        return list(slices), []
    places = [(float(np.dot(item.frame.position_mm or (), normal)), _tie_break(item), item) for item in slices]
    ordered: list[Slice] = []
    positions_mm: list[float] = []
    for position_mm, _, item in sorted(places, key=lambda place: place[:2]):
        if not positions_mm or position_mm - positions_mm[-1] > SAME_POSITION_MM:
            ordered.append(item)
            positions_mm.append(position_mm)
    return ordered, positions_mm


def _tie_break(item: Slice) -> tuple[int, str, int]:
    number = item.instance.instance_number
    return 2**31 if number is None else number, item.instance.sop_instance_uid, item.frame.index or 0


def _gap_findings(gaps_mm: NDArray[np.float64]) -> set[SeriesFinding]:
    """A gap of two or more median distances lacks slices; any other that differs by over a tenth is uneven."""
    findings: set[SeriesFinding] = set()
    if not len(gaps_mm):
        return findings
    steps = gaps_mm / np.median(gaps_mm)
    near_whole = np.abs(steps - np.rint(steps)) <= _SPACING_TOLERANCE * np.maximum(steps, 1)
    if bool((near_whole & (steps >= 2 - 2 * _SPACING_TOLERANCE)).any()):
        findings.add("missing_slices")
    if bool((~near_whole | (np.rint(steps) < 1)).any()):
        findings.add("uneven_spacing")
    return findings


def _tilt_degrees(
    slices: Sequence[Slice], positions_mm: Sequence[float], normal: NDArray[np.float64]
) -> tuple[float, bool]:
    """Between the normal and the line from the first to the last position; and whether a slice lies off that line."""
    if len(positions_mm) < 2:
        return 0.0, False
    places = np.array([item.frame.position_mm for item in slices], dtype=np.float64)
    along_mm = np.array(positions_mm) - positions_mm[0]
    in_plane_mm = places - places[0] - along_mm[:, None] * normal
    drift_mm = in_plane_mm[-1]
    off_line_mm = np.linalg.norm(in_plane_mm - drift_mm * (along_mm / along_mm[-1])[:, None], axis=1)
    length_mm, limit_mm = float(np.linalg.norm(drift_mm)), _DRIFT_PIXELS_MAX * min(slices[0].frame.spacing_mm or (1, 1))
    degrees = math.degrees(math.atan2(length_mm, along_mm[-1])) if length_mm > limit_mm else 0.0
    return degrees, bool(off_line_mm.max() > limit_mm)
