"""A contact sheet of augmented images: one row per augmentation setting, with the boxes of the lesions."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image, ImageDraw
from torchvision import tv_tensors  # torchvision must be imported before TensorFlow: the other order crashes

from hepar.imaging.ct_image import GreyImage, Window
from training.classifier.augmentation import geometric_layers, intensity_layers
from training.configuration import ClassifierConfiguration, Configuration, DetectorConfiguration
from training.detector.augmentation import transforms
from training.lesions import synthesise
from training.sources import phantom_slices

DRAWS = 5
_TITLE_PX = 14
Row = tuple[str, list[Image.Image]]


@dataclass(frozen=True)
class _Original:
    """The phantom that is augmented. corners: (m, 4) pixels.  mask: (h, w) 0 or 255."""

    grey: GreyImage
    corners: NDArray[np.float32]
    mask: NDArray[np.float32]


def augmentation_sheet(configuration: Configuration, out: Path) -> Path:
    """Each row starts with the original phantom; its title names the network type and the setting."""
    data = configuration.data
    original = _original(configuration)
    rows = _classifier_rows(configuration.classifier, original, data.seed)
    torch.manual_seed(data.seed)
    rows += _detector_rows(configuration.detector, original)
    first = _tile(original.grey, original.corners)
    side = first.width
    sheet = Image.new("RGB", ((DRAWS + 1) * side, len(rows) * (side + _TITLE_PX)))
    draw = ImageDraw.Draw(sheet)
    for number, (title, tiles) in enumerate(rows):
        top = number * (side + _TITLE_PX)
        draw.text((2, top + 1), title, fill="white")
        for column, tile in enumerate([first, *tiles]):
            sheet.paste(tile, (column * side, top + _TITLE_PX))
    out.parent.mkdir(parents=True, exist_ok=True)
    sheet.save(out)
    return out


def _original(configuration: Configuration) -> _Original:
    data = configuration.data
    (phantom,) = phantom_slices(1, data)
    rng = np.random.default_rng(data.seed)
    made = synthesise(phantom.hu, phantom.liver_mask, data.pixel_spacing_mm, "metastasis", rng)
    grey = Window(data.window_low_hu, data.window_high_hu).to_grey(made.hu)
    corners = np.array([(box.x_min, box.y_min, box.x_max, box.y_max) for box in made.boxes], dtype=np.float32)
    return _Original(grey, corners, np.asarray(made.lesion_mask, dtype=np.float32) * 255)


def _classifier_rows(settings: ClassifierConfiguration, original: _Original, seed: int) -> list[Row]:
    rows: list[Row] = []
    mask = original.mask > 127
    channels = np.stack([original.grey.astype(np.float32), original.mask], axis=-1)
    for name, layer in geometric_layers(settings, seed).items():
        changed = np.clip(np.asarray(layer(np.stack([channels] * DRAWS), training=True)), 0, 255)
        tiles = [_tile(image[..., 0], _lesion_box(image[..., 1] > 127)) for image in changed]
        rows.append((f"classifier {name}", tiles))
    for name, layer in intensity_layers(settings, seed).items():
        changed = np.clip(np.asarray(layer(np.stack([channels[..., :1]] * DRAWS), training=True)), 0, 255)
        rows.append((f"classifier {name}", [_tile(image[..., 0], _lesion_box(mask)) for image in changed]))
    return rows


def _detector_rows(settings: DetectorConfiguration, original: _Original) -> list[Row]:
    image = tv_tensors.Image(torch.from_numpy(original.grey.astype(np.float32) / 255)[None])
    boxes = tv_tensors.BoundingBoxes(
        torch.from_numpy(original.corners), format=tv_tensors.BoundingBoxFormat.XYXY, canvas_size=original.grey.shape
    )
    rows: list[Row] = []
    for name, transform in transforms(settings).items():
        changed = [transform(image, boxes) for _ in range(DRAWS)]
        tiles = [_tile(np.clip(grey[0].numpy() * 255, 0, 255), corners.numpy()) for grey, corners in changed]
        rows.append((f"detector {name}", tiles))
    return rows


def _lesion_box(lesions: NDArray[np.bool_]) -> NDArray[np.intp]:
    """(1, 4) box around all lesions of a mask; (0, 4) without a lesion."""
    rows, columns = np.nonzero(lesions)
    if not len(rows):
        return np.zeros((0, 4), dtype=np.intp)
    return np.array([[columns.min(), rows.min(), columns.max() + 1, rows.max() + 1]])


def _tile(grey: NDArray[np.generic], corners: NDArray[np.generic]) -> Image.Image:
    tile = Image.fromarray(np.asarray(grey).astype(np.uint8)).convert("RGB")
    draw = ImageDraw.Draw(tile)
    for x_min, y_min, x_max, y_max in corners.tolist():
        draw.rectangle((x_min - 1, y_min - 1, max(x_min, x_max), max(y_min, y_max)), outline="#2ec4ff")
    return tile
