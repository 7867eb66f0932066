"""Runs the ONNX file of a model, the same file that Triton loads, on prepared images."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
from numpy.typing import NDArray

from training.metrics.detection import Boxes

BATCH = 16


def run_model_on(model: Path | bytes, images: NDArray[np.uint8]) -> dict[str, NDArray[Any]]:
    """Outputs by name, each (n, ...), for images (n, h, w) of the model's input size.

    A graph without a batch axis is run once per image.
    """
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    source = str(model) if isinstance(model, Path) else model
    session = onnxruntime.InferenceSession(source, options, providers=["CPUExecutionProvider"])
    names = [output.name for output in session.get_outputs()]
    if len(session.get_inputs()[0].shape) == 3:
        results = [session.run(names, {"image": image[..., None]}) for image in images]
        return {name: np.stack(parts) for name, parts in zip(names, zip(*results, strict=True), strict=True)}
    results = [
        session.run(names, {"image": images[start : start + BATCH, ..., None]})
        for start in range(0, len(images), BATCH)
    ]
    return {name: np.concatenate(parts) for name, parts in zip(names, zip(*results, strict=True), strict=True)}


def predict_logits(model: Path | bytes, images: NDArray[np.uint8]) -> NDArray[np.float64]:
    """(n, labels) logits of a classifier for images (n, h, w)."""
    return np.asarray(run_model_on(model, images)["logits"], dtype=np.float64)


def predict_boxes(model: Path | bytes, images: NDArray[np.uint8]) -> list[Boxes]:
    """The boxes that a detector finds on each of images (n, h, w); unused rows (score 0) are left out."""
    outputs = run_model_on(model, images)
    rows = zip(outputs["boxes"], outputs["labels"], outputs["scores"], strict=True)
    return [
        Boxes(boxes[scores > 0].astype(float), labels[scores > 0], scores[scores > 0].astype(float))
        for boxes, labels, scores in rows
    ]
