"""The mean of the weights of trainings that continued the same one ("model soup", Wortsman et al., ICML 2022)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import keras
import numpy as np
from numpy.typing import NDArray

from training.sources import UnusableData


def save_mean(model: keras.Model, loads: Sequence[Callable[[], None]], file: Path) -> None:
    """loads: each gives `model` the weights of one training. Raises UnusableData for weights of another shape."""
    learnt = [_loaded(model, load) for load in loads]
    model.set_weights([np.mean(same, axis=0) for same in zip(*learnt, strict=True)])
    file.parent.mkdir(parents=True, exist_ok=True)
    model.save_weights(file)


def _loaded(model: keras.Model, load: Callable[[], None]) -> list[NDArray[np.float32]]:
    try:
        load()
    except ValueError as error:
        raise UnusableData(f"weights of another shape than those of {model.name}: {error}") from error
    return list(model.get_weights())
