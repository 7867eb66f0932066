"""Contact sheets of outlined lesions, to review them by eye: each lesion without and with its outline, and its box."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw
from scipy import ndimage

from training.segmenter.outlines import Outline
from training.sources import LiverSlice

COLUMNS, ROWS = 4, 5
_SIDE_PX, _TITLE_PX = 200, 14
_LEAST_PX = 36
"""Side of the smallest region that is shown."""
_BELOW_LIVER_HU, _ABOVE_LIVER_HU = 60.0, 40.0
_OUTLINE, _BOX = "#ff3030", "#50c850"


def outline_sheets(outlined: Sequence[tuple[LiverSlice, Outline]], folder: Path) -> list[Path]:
    """Writes <folder>/sheet-1.png and so on."""
    paths: list[Path] = []
    width = 2 * _SIDE_PX
    for first in range(0, len(outlined), COLUMNS * ROWS):
        sheet = Image.new("RGB", (COLUMNS * width, ROWS * (_SIDE_PX + _TITLE_PX)))
        draw = ImageDraw.Draw(sheet)
        for place, (item, outline) in enumerate(outlined[first : first + COLUMNS * ROWS]):
            left, top = place % COLUMNS * width, place // COLUMNS * (_SIDE_PX + _TITLE_PX)
            title = f"{outline.image} {outline.number}: {outline.agreement:.2f} at {outline.threshold:g}"
            draw.text((left + 2, top + 1), title, fill="white")
            sheet.paste(_tile(item, outline), (left, top + _TITLE_PX))
        paths.append(folder / f"sheet-{len(paths) + 1}.png")
        sheet.save(paths[-1])
    return paths


def _tile(item: LiverSlice, outline: Outline) -> Image.Image:
    """The region around the box twice, in a narrow window around the liver; the second time with outline and box."""
    x_min, y_min, x_max, y_max = item.real_lesions[outline.number]
    side = max(_LEAST_PX, round(1.6 * max(x_max - x_min, y_max - y_min)))
    left, top = (x_min + x_max - side) // 2, (y_min + y_max - side) // 2
    zoom = _SIDE_PX / side
    low_hu = float(np.median(item.hu[item.liver_mask])) - _BELOW_LIVER_HU
    grey = np.clip((item.hu - low_hu) * (255 / (_BELOW_LIVER_HU + _ABOVE_LIVER_HU)), 0, 255).astype(np.uint8)
    region = (left, top, left + side, top + side)
    plain = Image.fromarray(grey).crop(region).resize((_SIDE_PX, _SIDE_PX), Image.Resampling.BICUBIC).convert("RGB")
    marked = plain.copy()
    mask = Image.fromarray(outline.mask).crop(region).convert("L").resize(plain.size, Image.Resampling.NEAREST)
    inside = np.asarray(mask) > 0
    marked.paste(_OUTLINE, mask=Image.fromarray(inside & ~ndimage.binary_erosion(inside)))
    corners = [(x_min - left) * zoom, (y_min - top) * zoom, (x_max - left) * zoom, (y_max - top) * zoom]
    ImageDraw.Draw(marked).rectangle(corners, outline=_BOX)
    tile = Image.new("RGB", (2 * _SIDE_PX, _SIDE_PX))
    tile.paste(plain, (0, 0))
    tile.paste(marked, (_SIDE_PX, 0))
    return tile
