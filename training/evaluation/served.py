"""Runs a model's ONNX file, the very one that Triton will load, over prepared images."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
from numpy.typing import NDArray
from PIL import Image

BATCH = 16


def read_images(paths: Sequence[Path]) -> NDArray[np.uint8]:
    """(n, h, w) of 8-bit greyscale PNGs of one size."""
    return np.stack([np.asarray(Image.open(path)) for path in paths])


def run_model_on(model: Path | bytes, images: NDArray[np.uint8]) -> dict[str, NDArray[Any]]:
    """Outputs by name, each (n, ...), for images (n, h, w) of the model's input size.

    A graph without a batch axis is asked once an image.
    """
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    source = str(model) if isinstance(model, Path) else model
    session = onnxruntime.InferenceSession(source, options, providers=["CPUExecutionProvider"])
    names = [output.name for output in session.get_outputs()]
    if len(session.get_inputs()[0].shape) == 3:
        answers = [session.run(names, {"image": image[..., None]}) for image in images]
        return {name: np.stack(parts) for name, parts in zip(names, zip(*answers, strict=True), strict=True)}
    answers = [
        session.run(names, {"image": images[start : start + BATCH, ..., None]})
        for start in range(0, len(images), BATCH)
    ]
    return {name: np.concatenate(parts) for name, parts in zip(names, zip(*answers, strict=True), strict=True)}
