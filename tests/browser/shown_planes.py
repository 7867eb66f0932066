"""What the viewer of studies shows, pixel by pixel, compared with the sample study's known lesions."""

from __future__ import annotations

import gzip
import io
import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
from numpy.typing import NDArray
from PIL import Image
from playwright.sync_api import Locator, Page, expect

from hepar.imaging.volume import VolumeGeometry
from tests.browser.conftest import wait_until_drawn

KNOWN = json.loads(Path("samples/study.json").read_text())["lesions"]
FIRST_LESION = 2
"""Label of L1."""
BOX_PX = 4
PLANES = ("axial", "coronal", "sagittal")
LESION_COLOUR, METASTASIS_COLOUR = (230, 60, 50), (90, 209, 255)


def geometry_of(result: dict[str, Any]) -> VolumeGeometry:
    facts = result["volume"]
    shape = (facts["slices"], facts["rows"], facts["columns"])
    directions = {name: tuple(facts[name]) for name in ("slice_direction", "row_direction", "column_direction")}
    return VolumeGeometry(shape, tuple(facts["spacing_mm"]), tuple(facts["origin_mm"]), **directions)


def cut(volume: NDArray[Any], plane: str, index: int) -> NDArray[Any]:
    """As the viewer shows it: the head at the top. volume: (slices, rows, columns)."""
    if plane == "axial":
        return np.asarray(volume[index])
    return np.asarray(volume[::-1, index] if plane == "coronal" else volume[::-1, :, index])


class ShownPlane:
    """What one pane shows, and where the fitted image lies in it."""

    def __init__(self, pane: Locator, geometry: VolumeGeometry) -> None:
        self.plane = pane.get_attribute("data-plane") or ""
        self.index = int(pane.get_attribute("data-index") or "-1")
        content = pane.locator("canvas").screenshot()
        self.pixels = np.asarray(Image.open(io.BytesIO(content)).convert("RGB")).astype(int)
        height, width = self.pixels.shape[:2]
        slice_mm, row_mm, column_mm = geometry.spacing_mm
        down_mm, across_mm = {
            "axial": (row_mm, column_mm), "coronal": (slice_mm, column_mm), "sagittal": (slice_mm, row_mm)
        }[self.plane]  # fmt: skip
        rows, columns = cut(np.empty(geometry.shape), self.plane, 0).shape
        zoom = min(width / (columns * across_mm), height / (rows * down_mm))
        left, top = (width - columns * across_mm * zoom) / 2, (height - rows * down_mm * zoom) / 2
        self._row_of = np.floor((np.arange(height) + 0.5 - top) / (zoom * down_mm)).astype(int)
        self._column_of = np.floor((np.arange(width) + 0.5 - left) / (zoom * across_mm)).astype(int)
        self._left, self._top, self._scale = left, top, (zoom * across_mm, zoom * down_mm)

    def to_screen(self, x: float, y: float) -> tuple[float, float]:
        """From pixels of the plane."""
        return self._left + x * self._scale[0], self._top + y * self._scale[1]

    def expected(self, mask: NDArray[np.bool_]) -> NDArray[np.bool_]:
        """mask: of the plane's voxels. Returns it in the pixels of the screen."""
        rows, columns = mask.shape
        inside = ((self._row_of >= 0) & (self._row_of < rows))[:, None] & (
            (self._column_of >= 0) & (self._column_of < columns)
        )[None, :]
        sampled = mask[np.clip(self._row_of, 0, rows - 1)][:, np.clip(self._column_of, 0, columns - 1)]
        return np.asarray(sampled & inside)

    def near(self, colour: tuple[int, int, int], distance: int) -> NDArray[np.bool_]:
        return np.asarray(np.abs(self.pixels - colour).max(axis=-1) <= distance)


def boxes_in(result: dict[str, Any], plane: str, index: int) -> list[tuple[float, float, float, float]]:
    """x_min, y_min, x_max, y_max of every lesion in pixels of the plane."""
    slices, found = result["volume"]["slices"], []
    for lesion in result["lesions"]:
        across, down = [], []
        for box in lesion["boxes"]:
            x, y, z = (box["x_min"], box["x_max"]), (box["y_min"], box["y_max"]), box["slice"]
            height = (slices - 1 - z, slices - z)
            if plane == "axial" and z == index:
                across, down = [*x], [*y]
            elif plane != "axial":
                through, along = (y, x) if plane == "coronal" else (x, y)
                if through[0] <= index + 0.5 < through[1]:
                    across, down = [*across, *along], [*down, *height]
        if across:
            found.append((min(across), min(down), max(across), max(down)))
    return found


def check_planes(page: Page, result: dict[str, Any], masks: bytes) -> None:
    """Of each known lesion in each plane, mask and box lie where the lesion does, as the API gives them."""
    labels = np.asarray(nib.Nifti1Image.from_bytes(gzip.decompress(masks)).dataobj).transpose(2, 1, 0)
    page.get_by_label("Layout").select_option("planes")
    page.get_by_label("Opacity of masks").fill("1")
    page.get_by_label("Diameters").uncheck()
    lesions = [_nearest(result, known["centre_mm"]) for known in KNOWN]
    assert len({lesion["id"] for lesion in lesions}) == len(KNOWN), "a known lesion is missing"
    for known, lesion in zip(KNOWN, lesions, strict=True):
        page.get_by_role("button", name=re.compile(f"^{lesion['id']} ")).click()
        _check_masks(page, geometry_of(result), labels >= FIRST_LESION, known["centre_mm"])
        _check_boxes(page, result)


def _check_masks(page: Page, geometry: VolumeGeometry, lesions: NDArray[np.bool_], centre_mm: list[float]) -> None:
    page.get_by_role("checkbox", name="Lesions").uncheck()
    page.get_by_label("Masks", exact=True).check()
    expect(page.locator(".loading-volume")).to_have_count(0)
    page.wait_for_timeout(300)
    wait_until_drawn(page)
    for plane in PLANES:
        shown = ShownPlane(page.locator(f"[data-plane={plane}]"), geometry)
        red = shown.near(LESION_COLOUR, 25)
        expected = shown.expected(cut(lesions, plane, shown.index))
        assert expected.any()
        assert not (red & ~_moved(expected, np.any)).any(), f"{plane}: a mask where there is no lesion"
        assert not (_moved(expected, np.all) & ~red & ~_on_crosshair(page, shown, geometry)).any(), f"{plane}: a gap"
        column, row, slice_ = _indices(geometry, centre_mm)
        across = row if plane == "sagittal" else column
        down = row if plane == "axial" else geometry.shape[0] - 1 - slice_
        x, y = (int(value) for value in shown.to_screen(across + 0.5, down + 0.5))
        assert red[y - 3 : y + 4, x - 3 : x + 4].any(), f"{plane}: nothing at the known centre"


def _moved(mask: NDArray[np.bool_], combined: Callable[..., NDArray[np.bool_]]) -> NDArray[np.bool_]:
    """The mask one pixel larger (np.any) or smaller (np.all)."""
    steps = [(down, across) for down in (-1, 0, 1) for across in (-1, 0, 1)]
    return np.asarray(combined([np.roll(mask, step, (0, 1)) for step in steps], axis=0))


def _on_crosshair(page: Page, shown: ShownPlane, geometry: VolumeGeometry) -> NDArray[np.bool_]:
    """The pixels within two of its lines."""
    places = {plane: int(page.locator(f"[data-plane={plane}]").get_attribute("data-index") or "") for plane in PLANES}
    across = places["coronal"] if shown.plane == "sagittal" else places["sagittal"]
    down = places["coronal"] if shown.plane == "axial" else geometry.shape[0] - 1 - places["axial"]
    x, y = shown.to_screen(across + 0.5, down + 0.5)
    rows, columns = np.indices(shown.pixels.shape[:2])
    return np.asarray((np.abs(columns + 0.5 - x) < 2) | (np.abs(rows + 0.5 - y) < 2))


def _check_boxes(page: Page, result: dict[str, Any]) -> None:
    page.get_by_label("Masks", exact=True).uncheck()
    page.get_by_role("checkbox", name="Lesions").check()
    wait_until_drawn(page)
    for plane in PLANES:
        shown = ShownPlane(page.locator(f"[data-plane={plane}]"), geometry_of(result))
        corners = np.array(boxes_in(result, plane, shown.index))
        left, top = shown.to_screen(corners[:, 0].min(), corners[:, 1].min())
        right, bottom = shown.to_screen(corners[:, 2].max(), corners[:, 3].max())
        rows, columns = np.nonzero(shown.near(METASTASIS_COLOUR, 40))
        seen = (columns.min(), rows.min(), columns.max(), rows.max())
        assert np.abs(np.array(seen) - (left, top, right, bottom)).max() <= BOX_PX, f"{plane}: {seen}"


def _nearest(result: dict[str, Any], centre_mm: list[float]) -> dict[str, Any]:
    lesion: dict[str, Any] = min(
        result["lesions"], key=lambda found: np.linalg.norm(np.subtract(found["centre_mm"], centre_mm))
    )
    assert np.linalg.norm(np.subtract(lesion["centre_mm"], centre_mm)) < 10
    return lesion


def _indices(geometry: VolumeGeometry, point_mm: list[float]) -> tuple[int, int, int]:
    """Column, row and slice."""
    slice_, row, column, _ = np.rint(np.linalg.inv(geometry.affine) @ [*point_mm, 1]).astype(int)
    return int(column), int(row), int(slice_)
