"""A picture of what each augmentation does: one row a line of the configuration, the lesions' boxes moving along."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from PIL import Image, ImageDraw
from torchvision import tv_tensors  # before TensorFlow, which else crashes it

from hepar.imaging.ct_image import Window
from training.classifier import augmentation as classifier_augmentation
from training.configuration import Configuration
from training.detector.augmentation import transforms
from training.lesions import synthesise
from training.sources import phantom_slices

DRAWS = 5
_TITLE_PX = 14


def augmentation_sheet(configuration: Configuration, out: Path) -> Path:
    """Each row begins with the untouched phantom; titles name the part of the configuration and its line."""
    data = configuration.data
    (phantom,) = phantom_slices(1, data)
    made = synthesise(
        phantom.hu, phantom.liver_mask, data.pixel_spacing_mm, "metastasis", np.random.default_rng(data.seed)
    )
    grey = Window(data.window_low_hu, data.window_high_hu).to_grey(made.hu)
    corners = np.array([(box.x_min, box.y_min, box.x_max, box.y_max) for box in made.boxes], dtype=np.float32)
    mask = np.asarray(made.lesion_mask, dtype=np.float32) * 255
    rows: list[tuple[str, list[Image.Image]]] = []
    geometry = classifier_augmentation.geometry(configuration.classifier, data.seed)
    for name, layer in (geometry | classifier_augmentation.intensity(configuration.classifier, data.seed)).items():
        channels = np.stack([grey.astype(np.float32), mask], axis=-1)[..., : 2 if name in geometry else 1]
        images = np.stack([channels] * DRAWS)
        drawn = np.clip(np.asarray(layer(images, training=True)), 0, 255)
        masks = drawn[..., 1] > 127 if name in geometry else [mask > 127] * DRAWS
        tiles = [_tile(image[..., 0], _boxes(lesions)) for image, lesions in zip(drawn, masks, strict=True)]
        rows.append((f"classifier {name}", tiles))
    torch.manual_seed(data.seed)
    for name, transform in transforms(configuration.detector).items():
        image = tv_tensors.Image(torch.from_numpy(grey.astype(np.float32) / 255)[None])
        boxes = tv_tensors.BoundingBoxes(
            torch.from_numpy(corners), format=tv_tensors.BoundingBoxFormat.XYXY, canvas_size=grey.shape
        )
        answers = [transform(image, boxes) for _ in range(DRAWS)]
        tiles = [_tile(np.clip(moved[0].numpy() * 255, 0, 255), found.numpy()) for moved, found in answers]
        rows.append((f"detector {name}", tiles))
    untouched = _tile(grey, corners)
    side = untouched.width
    sheet = Image.new("RGB", ((DRAWS + 1) * side, len(rows) * (side + _TITLE_PX)))
    draw = ImageDraw.Draw(sheet)
    for number, (title, tiles) in enumerate(rows):
        top = number * (side + _TITLE_PX)
        draw.text((2, top + 1), title, fill="white")
        for column, tile in enumerate([untouched, *tiles]):
            sheet.paste(tile, (column * side, top + _TITLE_PX))
    out.parent.mkdir(parents=True, exist_ok=True)
    sheet.save(out)
    return out


def _boxes(lesions: np.ndarray) -> np.ndarray:
    """The box about all lesions of a moved mask."""
    rows, columns = np.nonzero(lesions)
    if not len(rows):
        return np.zeros((0, 4))
    return np.array([[columns.min(), rows.min(), columns.max() + 1, rows.max() + 1]])


def _tile(grey: np.ndarray, corners: np.ndarray) -> Image.Image:
    tile = Image.fromarray(np.asarray(grey).astype(np.uint8)).convert("RGB")
    draw = ImageDraw.Draw(tile)
    for x_min, y_min, x_max, y_max in corners.tolist():
        draw.rectangle((x_min - 1, y_min - 1, max(x_min, x_max), max(y_min, y_max)), outline="#2ec4ff")
    return tile
