"""Cheaper variants of a detector, made from its served graph."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from training.export.parity import GreyImages
from training.prepared.dataset import image_paths, located_examples, read_images, read_manifest

if TYPE_CHECKING:
    import onnx

KEPT_ENERGY = {"detect_faster_rcnn": 0.995, "detect_yolov3": 0.99}
"""By detector whose convolutions are factorised, the share of their variance that is kept: docs/decisions/0076."""
_IMAGES = 128


def calibration_images(data: Path) -> GreyImages:
    """(n, h, w) of the training part, evenly spread."""
    examples = located_examples(read_manifest(data, "train"))
    return read_images(image_paths(data, examples[:: max(1, len(examples) // _IMAGES)][:_IMAGES]))


def reduced(graph: onnx.ModelProto, images: GreyImages, kept_energy: float) -> onnx.ModelProto:
    """A copy with factorised convolutions, and weights stored as float16. images: of the training."""
    from training.export.low_rank import factorise
    from training.export.weights import store_weights_as_float16

    copy = type(graph)()
    copy.CopyFrom(graph)
    factorise(copy, images, kept_energy)
    return store_weights_as_float16(copy)


def variants(
    graph: onnx.ModelProto, images: GreyImages, energies: Sequence[float], *, int8: bool
) -> Iterator[tuple[str, bytes]]:
    """The graph as it is and with each share of kept energy; each of them in int8, too, if wanted."""
    from training.export.int8 import quantised

    made = [("exported again", graph)]
    made += [(f"energy {energy:g}", reduced(graph, images, energy)) for energy in energies]
    for name, model in made:
        yield name, model.SerializeToString()
        if int8:
            yield f"{name}, int8", quantised(model, images).SerializeToString()
