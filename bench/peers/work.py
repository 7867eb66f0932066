"""The work of a peer for one image: from the bytes of a PNG to the answer. Runs in .venv-peers.

The same steps as in Hepar, written without its code: greyscale, letterbox, all networks, vote or fusion.
"""

from __future__ import annotations

import io
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
from numpy.typing import NDArray
from PIL import Image

from bench.peers.box_fusion import Box, weighted_box_fusion

Answer = dict[str, Any]


def tuned_options() -> onnxruntime.SessionOptions:
    """One thread for each call and no spinning: the calls of several images run in parallel instead."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.inter_op_num_threads = 1
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    return options


@dataclass(frozen=True)
class Network:
    """card: the model card.  ensemble: how the models of its task are combined by default."""

    session: onnxruntime.InferenceSession
    card: dict[str, Any]
    ensemble: dict[str, Any]

    def run(self, outputs: Sequence[str], pixels: NDArray[np.uint8]) -> list[NDArray[Any]]:
        """pixels: (height, width). The outputs without their batch axis."""
        image = pixels[..., None]
        batched = len(self.session.get_inputs()[0].shape) > image.ndim
        found = self.session.run(list(outputs), {"image": image[None] if batched else image})
        return [output[0] if batched else output for output in found]


def networks(repository: Path, task: str, options: onnxruntime.SessionOptions | None = None) -> list[Network]:
    """The newest version of every model of a task. options: of their sessions; ONNX Runtime's defaults where None."""
    found = []
    for file in sorted(repository.glob("*/card.json")):
        card = json.loads(file.read_bytes())
        if card["task"] == task:
            graph = max(file.parent.glob("*/model.onnx"), key=lambda path: int(path.parent.name))
            session = onnxruntime.InferenceSession(str(graph), options, providers=["CPUExecutionProvider"])
            methods = card["ensemble"]
            found.append(Network(session, card, methods["methods"][methods["default"]]))
    return found


def read_png(content: bytes) -> Image.Image:
    return Image.open(io.BytesIO(content)).convert("L")


def letterboxed(image: Image.Image, height: int, width: int) -> tuple[NDArray[np.uint8], float, tuple[int, int]]:
    """The image scaled to fit (height, width), centred on black; its scale, and its offset from the left and top."""
    scale = min(height / image.height, width / image.width)
    size = (max(1, round(image.width * scale)), max(1, round(image.height * scale)))
    offset = ((width - size[0]) // 2, (height - size[1]) // 2)
    canvas = Image.new("L", (width, height))
    canvas.paste(image if image.size == size else image.resize(size, Image.Resampling.BILINEAR), offset)
    return np.asarray(canvas), scale, offset


def _softmax(values: NDArray[np.floating]) -> NDArray[np.float64]:
    exponentials = np.exp(values.astype(np.float64) - values.max())
    return np.asarray(exponentials / exponentials.sum())


def classify(models: Sequence[Network], image: Image.Image) -> Answer:
    """Softmax of each network's calibrated logits, then their mean."""
    inputs = models[0].card["input"]
    pixels, _, _ = letterboxed(image, inputs["height"], inputs["width"])
    votes = [_softmax(model.run(["logits"], pixels)[0] / model.card["temperature"]) for model in models]
    ensemble, labels = models[0].ensemble, models[0].card["labels"]
    mean = np.average(votes, axis=0, weights=[ensemble["members"][model.card["name"]] for model in models])
    probabilities = _softmax(np.log(mean) / ensemble["temperature"])
    return {
        "label": labels[int(probabilities.argmax())],
        "probabilities": dict(zip(labels, probabilities.tolist(), strict=True)),
        "votes": {
            model.card["name"]: dict(zip(labels, vote.tolist(), strict=True))
            for model, vote in zip(models, votes, strict=True)
        },
    }


def detect(models: Sequence[Network], image: Image.Image) -> Answer:
    """The boxes of each network in pixels of the image, fused."""
    inputs, ensemble = models[0].card["input"], models[0].ensemble
    pixels, scale, offset = letterboxed(image, inputs["height"], inputs["width"])
    size = np.array([inputs["width"], inputs["height"]] * 2, dtype=np.float64)
    found = []
    for model in models:
        boxes, scores, labels = model.run(["boxes", "scores", "labels"], pixels)
        used = scores >= ensemble["member_threshold"]
        corners = np.clip((boxes[used] * size - np.array(offset * 2)) / scale, 0, np.array(image.size * 2))
        for row, score, label in zip(corners.tolist(), scores[used].tolist(), labels[used], strict=True):
            if row[2] > row[0] and row[3] > row[1]:
                found.append(Box(model.card["name"], row, score, model.card["labels"][int(label)]))
    fused = weighted_box_fusion(found, ensemble["members"], ensemble["overlap"])
    return {"boxes": [box for box in fused if box["score"] >= ensemble["decision_threshold"]]}
