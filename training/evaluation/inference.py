"""Runs the ONNX file of a model, the same file that Triton loads, on prepared images."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
from numpy.typing import NDArray

from hepar.contracts.views import FIELD_MM, View
from hepar.imaging.ct_image import CtImage
from hepar.imaging.prepared import NetworkInput, prepare
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


def predict_boxes(model: Path | bytes, images: NDArray[np.uint8], field_mm: float = FIELD_MM) -> list[Boxes]:
    """The boxes that a detector finds on each of images (n, h, w); unused rows (score 0) are left out.

    images: FIELD_MM wide, in standard display.  field_mm: of the detector's card. It sees that part of each image, as
    in the services; the boxes are those of the image itself.
    """
    seen = [_seen(image, field_mm) for image in images]
    outputs = run_model_on(model, np.stack([item.pixels for item in seen]))
    rows = zip(seen, outputs["boxes"], outputs["labels"], outputs["scores"], strict=True)
    return [
        Boxes(_in_image(boxes[scores > 0], item), labels[scores > 0], scores[scores > 0].astype(float))
        for item, boxes, labels, scores in rows
    ]


def _seen(image: NDArray[np.uint8], field_mm: float) -> NetworkInput:
    view = View(image.shape[0], image.shape[1], field_mm)
    return prepare(CtImage(image, "DICOM", sides_known=True), {view}, with_preview=False).inputs[view]


def _in_image(boxes: NDArray[np.floating], seen: NetworkInput) -> NDArray[np.float64]:
    """boxes: (n, 4), 0..1 of what the network sees; returned as 0..1 of the image, not clipped."""
    where = seen.transform
    size, offset = np.array([where.input_width, where.input_height] * 2), np.array([where.left, where.top] * 2)
    image_size = np.array([where.width, where.height] * 2)
    return np.asarray((boxes.astype(np.float64) * size - offset) / where.scale / image_size)
