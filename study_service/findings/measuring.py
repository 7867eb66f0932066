"""Measures a finding after a reader has outlined it."""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from hepar.contracts.findings import FindingMeasurement, SliceOutline
from hepar.contracts.lesions import Lesion
from hepar.core.errors import InvalidField, InvalidRequest
from hepar.ensemble.lesion_measurements import measure_mask
from hepar.ensemble.outlines import OutlinedLesion, outlined_lesion, polygon_fault
from hepar.imaging.volume import VolumeGeometry
from study_service.analysed_volume import LIVER_LABEL, AnalysedVolume, StoredVolume


def check_outlines(outlines: Sequence[SliceOutline], geometry: VolumeGeometry) -> None:
    """Raises InvalidRequest."""
    slices, rows, columns = geometry.shape
    seen: set[int] = set()
    for place, outline in enumerate(outlines):
        if outline.slice >= slices:
            raise _invalid(place, "no_such_slice", f"the volume has {slices} slices, from 0")
        if outline.slice in seen:
            raise _invalid(place, "slice_twice", "each slice has one outline")
        fault = polygon_fault(outline.polygon, (rows, columns))
        if fault is not None:
            raise _invalid(place, "invalid_outline", fault)
        seen.add(outline.slice)


async def measured_finding(
    volume: AnalysedVolume, lesion: Lesion | None, outlines: Mapping[int, SliceOutline]
) -> FindingMeasurement:
    """lesion: of the models; slices without an outline keep its mask, if it has one. outlines: in force, by slice.

    Raises InvalidRequest where the outlines leave nothing, NoSuchSlice and Unavailable.
    """
    stored = await volume.volume()
    masks = await _masks(volume, stored, lesion, outlines)
    polygons = {index: outline.polygon for index, outline in outlines.items()}
    outlined = await asyncio.to_thread(outlined_lesion, masks, polygons)
    if outlined is None:
        raise _invalid(0, "nothing_left", "the outlines leave nothing of the lesion: reject it instead")
    return await asyncio.to_thread(_measurement, outlined, stored)


def _measurement(outlined: OutlinedLesion, stored: StoredVolume) -> FindingMeasurement:
    found = measure_mask(outlined, stored.geometry)
    thickness_mm = stored.thickness_mm or stored.geometry.spacing_mm[0]
    return FindingMeasurement(
        measured_on="outline",
        first_slice=found.first_slice,
        last_slice=found.last_slice,
        centre_mm=found.centre_mm,
        long_axis=found.long_axis,
        short_axis=found.short_axis,
        volume_ml=found.volume_ml if len(outlined.by_slice) > 1 else None,
        measurable=found.measurable(thickness_mm),
    )


async def _masks(
    volume: AnalysedVolume, stored: StoredVolume, lesion: Lesion | None, outlined: Collection[int]
) -> dict[int, NDArray[np.bool_]]:
    if lesion is None or lesion.measured_on == "box":
        return {}
    label, described = LIVER_LABEL + int(lesion.id.removeprefix("L")), await volume.masks()
    wanted = [index for index in range(lesion.first_slice, lesion.last_slice + 1) if index not in outlined]
    found = {index: await volume.labels(described, stored, index) == label for index in wanted}
    return {index: mask for index, mask in found.items() if mask.any()}


def _invalid(place: int, code: str, message: str) -> InvalidRequest:
    return InvalidRequest(message, InvalidField("body", f"/outlines/{place}", code, message))
