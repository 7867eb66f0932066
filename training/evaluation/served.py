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


def run_model(model: Path | bytes, images: Sequence[Path]) -> dict[str, NDArray[Any]]:
    """Outputs by name, each (n, ...), in the order of `images` (8-bit greyscale PNG of the model's input size)."""
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    source = str(model) if isinstance(model, Path) else model
    session = onnxruntime.InferenceSession(source, options, providers=["CPUExecutionProvider"])
    names = [output.name for output in session.get_outputs()]
    rows = []
    for start in range(0, len(images), BATCH):
        batch = np.stack([np.asarray(Image.open(path)) for path in images[start : start + BATCH]])
        rows.append(session.run(names, {"image": batch[..., None]}))
    return {name: np.concatenate(parts) for name, parts in zip(names, zip(*rows, strict=True), strict=True)}
