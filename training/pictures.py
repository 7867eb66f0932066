"""Pictures for people: a contact sheet of synthesised lesions, and the samples that we ship."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw

from hepar.imaging.ct_image import Window
from training.configuration import DataConfiguration
from training.lesions import LABELS, LesionSlice, synthesise
from training.phantom import abdomen_phantom
from training.sources import LiverSlice, msd_liver_slices, phantom_slices

COLUMNS = 6
SAMPLE_SIZE_PX = 512
_SAMPLE_SEEDS = {"cholangiocarcinoma": 35, "metastasis": 56, "no_tumour": 21}
_COLOURS = {"cholangiocarcinoma": "#ff9f1c", "metastasis": "#2ec4ff"}


def lesion_sheet(data: DataConfiguration, folder: Path | None, out: Path) -> Path:
    """Rows: phantoms, then real slices where `folder` has them; of each, both tumour types, with their boxes."""
    tiles = []
    for row, source in enumerate(_rows(data, folder)):
        for column, item in enumerate(source):
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


def write_samples(data: DataConfiguration, folder: Path) -> list[Path]:
    """One phantom of each kind as PNG, in the window the networks expect."""
    folder.mkdir(parents=True, exist_ok=True)
    window = Window(data.window_low_hu, data.window_high_hu)
    paths = []
    for label, seed in _SAMPLE_SEEDS.items():
        rng = np.random.default_rng(seed)
        phantom = abdomen_phantom(rng, SAMPLE_SIZE_PX)
        hu = phantom.hu
        if label in LABELS:
            hu = synthesise(hu, phantom.liver_mask, phantom.spacing_mm, LABELS[LABELS.index(label)], rng).hu
        path = folder / f"{label}.png"
        Image.fromarray(window.to_grey(hu)).save(path, optimize=True)
        paths.append(path)
    return paths


def _rows(data: DataConfiguration, folder: Path | None) -> Iterator[list[LiverSlice]]:
    phantoms = list(phantom_slices(2 * COLUMNS, data))
    yield phantoms[:COLUMNS]
    yield phantoms[COLUMNS:]
    if folder is None:
        return
    roomy = (item for item in msd_liver_slices(folder, data) if item.tumour_free and item.liver_mask.sum() > 4000)
    real = list(islice(roomy, 0, 20 * COLUMNS, 10))
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
