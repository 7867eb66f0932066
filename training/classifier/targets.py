"""What a network learns about each image: labels, the teacher's probabilities and its feature maps."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from training.configuration import TeacherConfiguration
from training.prepared.dataset import CLASS_LABELS, NO_TUMOUR_INDEX, Example, label_indices
from training.teacher.lessons import Lessons

Floats32 = NDArray[np.float32]


@dataclass(frozen=True)
class Targets:
    """For images in order. logits: (n, labels) probabilities.  lesions: (n, 3) of a cell inside a lesion.

    maps: (n, cells, cells, components + 1) the teacher's feature maps and the share of each cell that is liver; no
    components without a teacher.
    """

    logits: Floats32
    lesions: Floats32
    maps: Floats32


def label_targets(examples: Sequence[Example], labels: int) -> Targets:
    """The labels alone."""
    indices = label_indices(examples)
    hot = np.eye(len(CLASS_LABELS), dtype=np.float32)[indices]
    return Targets(hot[:, :labels], hot, np.zeros((len(indices), 0, 0, 1), dtype=np.float32))


def taught_targets(
    examples: Sequence[Example], labels: int, cells: int, settings: TeacherConfiguration, lessons: Lessons
) -> Targets:
    """Labels mixed with the teacher's probabilities, and its feature maps, on at most `cells` x `cells` cells.

    The cross-entropy with the mixture is that with the labels plus the divergence from the teacher's probabilities, by
    their shares. Lesions of unknown type are equally of both.
    """
    plain, taught = label_targets(examples, labels), lessons.of(examples)
    unknown = np.array([example.type_unknown for example in examples])
    even = np.full((1, NO_TUMOUR_INDEX), 1 / NO_TUMOUR_INDEX, dtype=np.float32)
    logits, lesions = plain.logits.copy(), plain.lesions.copy()
    logits[unknown, :NO_TUMOUR_INDEX] = lesions[unknown, :NO_TUMOUR_INDEX] = even
    share = settings.probability_share
    mixed = (1 - share) * logits + share * taught.probabilities
    maps = _averaged(np.concatenate([taught.maps, taught.livers[..., None]], axis=-1), cells)
    return Targets(mixed.astype(np.float32), lesions, maps)


def _averaged(maps: Floats32, cells: int) -> Floats32:
    """(n, h, w, c) maps with at most `cells` rows and columns."""
    count, side, _, channels = maps.shape
    step = max(1, side // cells)
    return maps.reshape(count, side // step, step, side // step, step, channels).mean(axis=(2, 4))
