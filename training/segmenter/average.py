"""The mean of the weights of trainings that continued the same one ("model soup", Wortsman et al., ICML 2022)."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import keras
import numpy as np
from numpy.typing import NDArray

from training.configuration import Configuration
from training.segmenter.fit import LAST_WEIGHTS, segmenter_settings
from training.segmenter.network import build_segmenter


def average_weights(configuration: Configuration, trainings: Sequence[Path], out: Path) -> None:
    """Writes the mean to the folder `out`, as the weights of a training.

    trainings: folders of `train_segmenter`. Raises ValueError for a network of another shape.
    """
    model = build_segmenter(segmenter_settings(configuration), configuration.data.input_size_px)
    learnt = [_weights(model, training) for training in trainings]
    model.set_weights([np.mean(same, axis=0) for same in zip(*learnt, strict=True)])
    model.save_weights(out / LAST_WEIGHTS)


def _weights(model: keras.Model, training: Path) -> list[NDArray[np.float32]]:
    model.load_weights(training / LAST_WEIGHTS)
    return list(model.get_weights())
