"""Training images generated for every epoch: lesions, domain and geometry are drawn for each image."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import keras
import numpy as np
from numpy.typing import NDArray
from PIL import Image
from scipy import ndimage

from training.augment.distractors import Slice, add_distractors, without_liver
from training.augment.domain import randomise_domain
from training.augment.geometry import Affine
from training.configuration import DataConfiguration, SegmenterConfiguration
from training.fields import FloatImage
from training.lesions import LABELS
from training.segmenter.background import Background, Kind, Masks, read_backgrounds, read_masks
from training.segmenter.prepare import lesion_target, with_lesions

REMOVED_SHARE = 0.5
"""Of the slices without liver: healthy ones with less than REMOVABLE_PX of liver, which is taken out."""
REMOVABLE_PX = 1500

Drawn = tuple[FloatImage, NDArray[np.float32]]


@dataclass(frozen=True)
class Target:
    """What one image teaches. values: (h, w, 3): liver, lesion, and how much a pixel's lesion value counts, 0..1."""

    hu: FloatImage
    values: NDArray[np.float32]


class TrainingBatches(keras.utils.PyDataset):
    """Batches of (grey (n, side, side, 1) float32, target (n, side, side, 3) float32).

    Everything drawn follows from seed, epoch and place, so that a resumed run sees what an uninterrupted one sees.
    """

    def __init__(self, folder: Path, settings: SegmenterConfiguration, data: DataConfiguration) -> None:
        super().__init__(workers=1, use_multiprocessing=False, max_queue_size=2)
        self.epoch = 0
        self._settings, self._data = settings, data
        self._read: dict[str, Masks] = {}
        self._folder = folder
        self._by_kind: dict[Kind, list[Background]] = {}
        for item in read_backgrounds(folder, "train"):
            self._by_kind.setdefault("boxed" if item.kind == "outlined" else item.kind, []).append(item)
        healthy = self._by_kind.get("healthy", [])
        self._small_livers = [item for item in healthy if 0 < int(self._masks(item).liver.sum()) < REMOVABLE_PX]

    def __len__(self) -> int:
        return self._settings.images_per_epoch // self._settings.batch_size

    def __getitem__(self, index: int) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        first = index * self._settings.batch_size
        made = [self.example(self.epoch, first + place) for place in range(self._settings.batch_size)]
        return np.stack([grey for grey, _ in made])[..., None], np.stack([target for _, target in made])

    def example(self, epoch: int, place: int) -> Drawn:
        """(grey levels 0..255 (side, side), target (side, side, 3)), both float32."""
        rng = np.random.default_rng([self._data.seed, epoch, place])
        kind, lesion_free = self._drawn_kind(rng)
        removed = kind == "no_liver" and bool(self._small_livers) and rng.random() < REMOVED_SHARE
        members = self._small_livers if removed else self._by_kind[kind]
        item = members[rng.integers(len(members))]
        masks = self._masks(item)
        target = self._removed(rng, masks) if removed else self._target(rng, item, masks, lesion_free=lesion_free)
        window = (self._data.window_low_hu, self._data.window_high_hu)
        liver = target.values[..., 0] > 0.5
        hu = randomise_domain(rng, target.hu, liver, self._data.pixel_spacing_mm, window)
        grey = np.clip((hu - window[0]) * (255 / (window[1] - window[0])), 0, 255)
        return self._moved(rng, grey, target.values)

    def _drawn_kind(self, rng: np.random.Generator) -> tuple[Kind, bool]:
        settings = self._settings
        shares: Sequence[tuple[Kind, float]] = (
            ("boxed", settings.boxed_share),
            ("unclear", settings.unclear_share),
            ("no_liver", settings.no_liver_share),
        )
        drawn = rng.random()
        for kind, share in shares:
            if drawn < share and kind in self._by_kind:
                return kind, False
            drawn -= share
        return "healthy", 0 <= drawn < settings.lesion_free_share

    def _target(self, rng: np.random.Generator, item: Background, masks: Masks, *, lesion_free: bool) -> Target:
        hu = self._hu(masks)
        counts = np.ones(masks.liver.shape, dtype=bool)
        liver, lesions = masks.liver, masks.lesions
        if item.kind == "healthy":
            changed = add_distractors(rng, Slice(hu, liver, self._data.pixel_spacing_mm))
            hu, liver = changed.hu, changed.liver
            label = LABELS[rng.integers(len(LABELS))]
            drawn = None if lesion_free else with_lesions(hu, liver, self._data, label, rng)
            if drawn is not None:
                hu, liver, lesions = drawn.hu, drawn.liver_mask, drawn.lesion_mask
        elif item.kind == "boxed":
            lesions, counts = lesion_target(item, masks)
        elif item.kind == "unclear":
            counts = ~ndimage.binary_dilation(liver, iterations=2)
        return Target(hu, np.stack([liver, lesions, counts], axis=-1).astype(np.float32))

    def _removed(self, rng: np.random.Generator, masks: Masks) -> Target:
        changed = without_liver(rng, Slice(self._hu(masks), masks.liver, self._data.pixel_spacing_mm))
        nothing = np.zeros(masks.liver.shape, dtype=np.float32)
        return Target(changed.hu, np.stack([nothing, nothing, nothing + 1], axis=-1))

    def _hu(self, masks: Masks) -> FloatImage:
        window_hu = self._data.window_high_hu - self._data.window_low_hu
        return np.asarray(self._data.window_low_hu + masks.grey.astype(np.float32) * (window_hu / 255), np.float32)

    def _moved(self, rng: np.random.Generator, grey: FloatImage, target: NDArray[np.float32]) -> Drawn:
        settings = self._settings
        affine = Affine.drawn(rng, settings.rotation_degrees, settings.translation, settings.zoom)
        moved = affine.apply(np.asarray(grey, dtype=np.float32), Image.Resampling.BILINEAR)
        layers = [affine.apply(target[..., layer], Image.Resampling.NEAREST) for layer in range(3)]
        layers[2] = np.maximum(layers[2], 1 - affine.apply(np.ones_like(moved), Image.Resampling.NEAREST))
        return np.rint(moved).astype(np.float32), np.stack(layers, axis=-1)

    def _masks(self, item: Background) -> Masks:
        if item.name not in self._read:
            self._read[item.name] = read_masks(self._folder, item)
        return self._read[item.name]


def fixed_batches(
    folder: Path, part: str, batch_size: int
) -> tuple[NDArray[np.float32], NDArray[np.float32], list[Background]]:
    """(grey, target, items) of all slices of a part as they are, with lesions that are known in full or not counted."""
    items = read_backgrounds(folder, part)
    greys, targets = [], []
    for item in items:
        masks = read_masks(folder, item)
        counts = np.ones(masks.liver.shape, dtype=bool)
        if item.kind == "boxed":
            _, counts = lesion_target(item, masks)
        elif item.kind == "unclear":
            counts = ~masks.liver
        greys.append(masks.grey.astype(np.float32)[..., None])
        targets.append(np.stack([masks.liver, masks.lesions, counts], axis=-1).astype(np.float32))
    kept = len(items) - len(items) % batch_size if len(items) > batch_size else len(items)
    return np.stack(greys[:kept]), np.stack(targets[:kept]), items[:kept]
