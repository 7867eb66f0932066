"""A contact sheet of synthesised lesions, to inspect the training data."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw

from hepar.imaging.ct_image import Window
from training.configuration import DataConfiguration
from training.lesions import LABELS, LesionSlice, synthesise
from training.sources import LiverSlice, msd_liver_slices, phantom_slices

COLUMNS = 6
_MIN_LIVER_PX = 4000
_COLOURS = {"cholangiocarcinoma": "#ff9f1c", "metastasis": "#2ec4ff"}


def lesion_sheet(data: DataConfiguration, folder: Path | None, out: Path) -> Path:
    """Writes rows of slices with lesions of alternating type and their boxes: first phantoms, then real livers.

    folder: msd-liver-slices; without it, phantoms only.
    """
    tiles = []
    for row, slices in enumerate(_rows(data, folder)):
        for column, item in enumerate(slices):
            label = LABELS[column % len(LABELS)]
            rng = np.random.default_rng([data.seed, row, column])
            tiles.append(_tile(synthesise(item.hu, item.liver_mask, data.pixel_spacing_mm, label, rng), data))
    side = tiles[0].width
    sheet = Image.new("RGB", (COLUMNS * side, len(tiles) // COLUMNS * side))
    for index, tile in enumerate(tiles):
        sheet.paste(tile, (index % COLUMNS * side, index // COLUMNS * side))
    out.parent.mkdir(parents=True, exist_ok=True)
    sheet.save(out)
    return out


def _rows(data: DataConfiguration, folder: Path | None) -> Iterator[list[LiverSlice]]:
    phantoms = list(phantom_slices(2 * COLUMNS, data))
    yield phantoms[:COLUMNS]
    yield phantoms[COLUMNS:]
    if folder is None:
        return
    usable = (
        item for item in msd_liver_slices(folder, data) if item.tumour_free and item.liver_mask.sum() > _MIN_LIVER_PX
    )
    real = list(islice(usable, 0, 20 * COLUMNS, 10))
    for start in range(0, len(real) - COLUMNS + 1, COLUMNS):
        yield real[start : start + COLUMNS]


def _tile(made: LesionSlice, data: DataConfiguration) -> Image.Image:
    grey = Window(data.window_low_hu, data.window_high_hu).to_grey(made.hu)
    tile = Image.fromarray(grey).convert("RGB")
    draw = ImageDraw.Draw(tile)
    for box in made.boxes:
        corners = (box.x_min - 1, box.y_min - 1, box.x_max, box.y_max)
        draw.rectangle(corners, outline=_COLOURS[box.label])
    return tile
