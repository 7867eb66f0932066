"""What cheaper variants of a detector find on validation patients, compared with the shipped graph."""

from __future__ import annotations

import statistics
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import onnxruntime
from numpy.typing import NDArray

from hepar.contracts.figures import Metric
from training.evaluation.ensemble_application import apply_fusion
from training.evaluation.ensembles import fusions_of_cards
from training.evaluation.ground_truth import boxes_from_rows, true_boxes
from training.evaluation.inference import predict_boxes
from training.evaluation.shipped_models import ShippedModel
from training.metrics.bootstrap import bootstrap_by_patient
from training.metrics.detection import Boxes, average_precision, overlaps_any, precision_score
from training.prepared.dataset import (
    NO_TUMOUR_INDEX,
    image_paths,
    located_examples,
    read_images,
    read_manifest,
    read_real_lesions,
    real_lesion_paths,
)

_RESAMPLES = 100
_WARM_UP_RUNS = 2


@dataclass(frozen=True)
class ReductionFigures:
    """One variant. cpu_ms: of one image on one thread.  map_50: of the detector alone.

    fused_map_50, difference: of the fusion of all detectors, and its difference to that with the shipped graph.
    real_lesions: found of all, by the fusion at its threshold.  false_boxes: of the fusion on a slice without a lesion.
    """

    name: str
    size_bytes: int
    cpu_ms: float
    map_50: float
    fused_map_50: float
    difference: Metric
    real_lesions: tuple[int, int]
    false_boxes: float

    def row(self) -> str:
        low, high = self.difference.low, self.difference.high
        found, known = self.real_lesions
        return (
            f"| {self.name} | {self.size_bytes / 1e6:.1f} | {self.cpu_ms:.2f} | {self.map_50:.3f} | "
            f"{self.fused_map_50:.3f} | {self.difference.value:+.3f} ({low:+.3f} to {high:+.3f}) | "
            f"{found} of {known} | {self.false_boxes:.3f} |"
        )


HEADER = (
    "| graph | MB | CPU ms | mAP alone | mAP fused | difference, 95 % interval | real lesions | false boxes a slice |",
    "|---|---|---|---|---|---|---|---|",
)


class Comparison:
    """The validation part of prepared data, and what the detectors that stay the same find there."""

    def __init__(self, detectors: Sequence[ShippedModel], replaced: str, data: Path) -> None:
        """Raises ValueError where the detectors have no fitted fusion."""
        examples = located_examples(read_manifest(data, "validation"))
        real = [row for row in read_real_lesions(data) if row.part == "validation"]
        self._patients = [example.patient for example in examples]
        self._truth = [true_boxes(example) for example in examples]
        self._healthy = [index for index, example in enumerate(examples) if example.label == NO_TUMOUR_INDEX]
        self._real = [boxes_from_rows([(0, *box) for box in row.boxes]).corners for row in real]
        self._images = read_images([*image_paths(data, examples), *real_lesion_paths(data, real)])
        self._replaced = replaced
        self._fusion = fusions_of_cards(detectors).default_ensemble
        self._found = {item.card.name: predict_boxes(item.model, self._images) for item in detectors}
        self._shipped = self._fused(self._found)

    @property
    def image(self) -> NDArray[np.uint8]:
        """(h, w), to measure times with."""
        return self._images[0]

    def figures(self, name: str, graph: bytes, cpu_ms: float) -> ReductionFigures:
        found = predict_boxes(graph, self._images)
        fused = self._fused(self._found | {self._replaced: found})
        count, threshold = len(self._truth), self._fusion.decision_threshold
        scores = [precision_score(boxes[:count], self._truth) for boxes in (fused, self._shipped)]
        difference = bootstrap_by_patient(
            self._patients, lambda chosen: scores[0](chosen) - scores[1](chosen), resamples=_RESAMPLES
        )
        if difference is None:
            raise ValueError("the validation part has no lesion")
        hits = [
            overlaps_any(boxes.corners[boxes.scores >= threshold], lesion[None])
            for boxes, lesions in zip(fused[count:], self._real, strict=True)
            for lesion in lesions
        ]
        false = [int((fused[index].scores >= threshold).sum()) for index in self._healthy]
        return ReductionFigures(
            name,
            len(graph),
            cpu_ms,
            average_precision(found[:count], self._truth),
            average_precision(fused[:count], self._truth),
            difference,
            (sum(hits), len(hits)),
            float(np.mean(false)) if false else float("nan"),
        )

    def _fused(self, found: Mapping[str, Sequence[Boxes]]) -> list[Boxes]:
        return apply_fusion(self._fusion, found)


def alternating_cpu_ms(graphs: Sequence[bytes], image: NDArray[np.uint8], runs: int) -> list[float]:
    """Median processor time of a run of each graph on one thread; whole runs take turns. image: (h, w)."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.log_severity_level = 3
    sessions = [onnxruntime.InferenceSession(graph, options, ["CPUExecutionProvider"]) for graph in graphs]
    taken_ms: list[list[float]] = [[] for _ in sessions]
    for _ in range(runs + _WARM_UP_RUNS):
        for session, times in zip(sessions, taken_ms, strict=True):
            batched = len(session.get_inputs()[0].shape) == 4
            started_s = time.thread_time()
            session.run(None, {"image": image[None, ..., None] if batched else image[..., None]})
            times.append((time.thread_time() - started_s) * 1e3)
    return [statistics.median(times[_WARM_UP_RUNS:]) for times in taken_ms]
