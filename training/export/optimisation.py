"""The graph passes for a model repository that was exported without them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import onnx
from PIL import Image

from training.evaluation.inference import run_model_on
from training.export.parity import GreyImages, ParityError
from training.export.passes import optimise
from training.versions import existing_versions

MAX_DIFFERENCE = 1e-5
"""Of any element of any output; on the processors measured so far there is none."""
_RANDOM_IMAGES = 4


@dataclass(frozen=True)
class OptimisedGraph:
    """One version of a model. max_difference: of any output on any image, 0 where all are bit-identical."""

    model: str
    version: str
    bytes_before: int
    bytes_after: int
    max_difference: float

    def sentence(self) -> str:
        sizes = f"{self.bytes_before} bytes, {self.bytes_after} after"
        outputs = f"outputs differ by up to {self.max_difference:.2g}" if self.max_difference else "same outputs"
        return f"{self.model} {self.version}: {sizes}; {outputs}"


def optimise_repository(repository: Path, images: Sequence[Path]) -> Iterator[OptimisedGraph]:
    """Rewrites each graph in place that a pass changes, and yields what it did with it.

    The outputs stay, and with them every figure on the model's card, which is not touched.
    images: to compare outputs on, besides random ones. Raises ParityError, and leaves the file, where outputs differ.
    """
    for folder in sorted(card.parent for card in repository.glob("*/card.json")):
        for version in existing_versions(folder):
            file = folder / version / "model.onnx"
            before = file.read_bytes()
            model = onnx.load_model_from_string(before)
            nodes = model.graph.SerializeToString()
            if optimise(model).graph.SerializeToString() == nodes:
                continue
            after = model.SerializeToString()
            difference = largest_difference(before, after, _images_for(model, images))
            if difference > MAX_DIFFERENCE:
                raise ParityError(
                    f"{file}: outputs of the optimised graph differ by {difference:.2g}; the file is not changed"
                )
            draft = file.with_suffix(".draft")
            draft.write_bytes(after)
            draft.replace(file)
            yield OptimisedGraph(folder.name, version, len(before), len(after), difference)


def largest_difference(before: bytes, after: bytes, images: GreyImages) -> float:
    """Of any element of any output of two graphs, on a batch and on a single image. images: (n, h, w).

    Raises ParityError where outputs differ in name, shape or type.
    """
    largest = 0.0
    for batch in (images, images[:1]):
        expected, answers = run_model_on(before, batch), run_model_on(after, batch)
        for name, values in expected.items():
            answer = answers.get(name)
            if answer is None or (answer.shape, answer.dtype) != (values.shape, values.dtype):
                raise ParityError(f"{name} has another shape or type in the optimised graph")
            apart = np.abs(answer.astype(np.float64) - values.astype(np.float64))
            largest = max(largest, float(apart.max()))
    return largest


def _images_for(model: onnx.ModelProto, files: Sequence[Path]) -> GreyImages:
    """(n, h, w) in the size of the model's input: the files, and noise of a fixed seed."""
    height, width, _ = [axis.dim_value for axis in model.graph.input[0].type.tensor_type.shape.dim][-3:]
    noise = np.random.default_rng(0).integers(0, 256, (_RANDOM_IMAGES, height, width), dtype=np.uint8)
    read = [np.asarray(Image.open(file).convert("L").resize((width, height))) for file in files]
    return np.concatenate([np.stack(read), noise]) if read else noise
