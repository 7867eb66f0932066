"""Fits and measures the ensembles of the shipped models: what `python -m training ensemble` writes to the cards."""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from hepar.contracts.cards import Distribution, Ensemble, Ensembles, FusionMethod, VotingMethod
from hepar.contracts.figures import Curves, Metric
from hepar.ensemble.voting import Thresholds
from training.evaluation.curves import classifier_curves, detector_curves
from training.evaluation.ensemble_application import apply_fusion, apply_vote
from training.evaluation.ensemble_fitting import (
    DEFAULT_FUSION,
    DEFAULT_VOTE,
    CalibrationSet,
    fitted_fusions,
    fitted_votes,
)
from training.evaluation.gate_fitting import liver_masks
from training.evaluation.ground_truth import true_boxes
from training.evaluation.liver_pooling import CalibrationImages, calibration_images, with_liver_pooling
from training.evaluation.model_evaluation import real_lesion_detection
from training.evaluation.reference import fusion_reference, vote_reference
from training.evaluation.shipped_models import (
    ShippedModel,
    calibrated_probabilities,
    found_boxes,
    models_of_task,
    votes_in_liver,
)
from training.metrics import classification, detection
from training.metrics.classification import Floats
from training.metrics.detection import Boxes
from training.prepared.dataset import (
    Example,
    image_paths,
    label_indices,
    largest_lesion_sizes,
    located_examples,
    read_images,
    read_manifest,
    read_real_lesions,
    real_lesion_paths,
)

Measure = Callable[[Ensemble], tuple[dict[str, Metric], Curves]]


@dataclass(frozen=True)
class FittedMethods:
    """Every decision method for the models of one task, and the method that is served by default."""

    methods: dict[str, Ensemble]
    default: VotingMethod | FusionMethod

    @property
    def default_ensemble(self) -> Ensemble:
        return self.methods[self.default]

    def measured(self, measure: Measure, reference: dict[str, Distribution]) -> Ensembles:
        """With the metrics and curves of each method."""
        measured = {}
        for ensemble in self.methods.values():
            metrics, curves = measure(ensemble)
            measured[ensemble.method] = ensemble.model_copy(update={"metrics": metrics, "curves": curves})
        return Ensembles(default=self.default, methods=measured, reference=reference)


@dataclass(frozen=True)
class FittedEnsembles:
    """What is fitted for the shipped models.

    models: the same, with the pooling in the liver on the cards of the classifiers.  ensembles: by task, every
    decision method, fitted on the validation part and measured on the test part.  curves: by model name, of each model
    on the test part.
    """

    models: list[ShippedModel]
    ensembles: dict[str, Ensembles]
    curves: dict[str, Curves]


def fit_ensembles(
    models: Sequence[ShippedModel], data: Path, segmenter: Path | None = None, *, keep_fusions: bool = False
) -> FittedEnsembles:
    """Each model runs once on each part; all methods share its predictions.

    segmenter: the ONNX file whose masks say where the liver is; None where the repository has none.
    keep_fusions: measures the fusions of the cards, gates included, and fits none. Raises ValueError without them.
    """
    classifiers, detectors = models_of_task(models, "classification"), models_of_task(models, "detection")
    ensembles: dict[str, Ensembles] = {}
    curves: dict[str, Curves] = {}
    test = read_manifest(data, "test")
    if classifiers:
        calibration = calibration_images(data, classifiers[0].card.window, segmenter)
        classifiers = with_liver_pooling(classifiers, calibration)
        images, votes = read_images(image_paths(data, test)), fit_votes(classifiers, calibration)
        probabilities = served_probabilities(classifiers, images, segmenter)
        reference = vote_reference(votes.default_ensemble.of_liver_votes, probabilities, images)
        measure = _vote_measure(classifiers, probabilities, test, data, segmenter)
        ensembles["classification"] = votes.measured(measure, reference)
        labels = label_indices(test)
        curves |= {name: classifier_curves(values, labels) for name, values in probabilities.items()}
    if detectors:
        located = located_examples(test)
        fusions = fusions_of_cards(detectors) if keep_fusions else fit_fusions(detectors, data)
        found = found_boxes(detectors, read_images(image_paths(data, located)))
        reference = fusion_reference(fusions.default_ensemble, found)
        ensembles["detection"] = fusions.measured(_fusion_measure(detectors, found, located, data), reference)
        truth = [true_boxes(example) for example in located]
        for card in (item.card for item in detectors):
            curves[card.name] = detector_curves(found[card.name], truth, card.decision_threshold)
    pooled = {item.card.name: item for item in classifiers}
    return FittedEnsembles([pooled.get(item.card.name, item) for item in models], ensembles, curves)


def fit_votes(models: Sequence[ShippedModel], calibration: CalibrationImages) -> FittedMethods:
    """Every voting method, by the whole image and, where the models pool there, by the evidence in the liver."""
    whole = calibrated_probabilities(models, calibration.images)
    in_liver = None
    if calibration.livers is not None and votes_in_liver(models):
        in_liver = calibrated_probabilities(models, calibration.images, calibration.livers)
    known = CalibrationSet(calibration.labels, calibration.sizes, calibration.originals)
    return FittedMethods(fitted_votes(whole, known, in_liver), DEFAULT_VOTE)


def served_probabilities(
    models: Sequence[ShippedModel], images: NDArray[np.uint8], segmenter: Path | None
) -> dict[str, Floats]:
    """As `calibrated_probabilities`, in the liver that the segmenter sees."""
    livers = None if segmenter is None else liver_masks(segmenter, images)
    return calibrated_probabilities(models, images, livers)


def fit_fusions(models: Sequence[ShippedModel], data: Path) -> FittedMethods:
    """Every fusion method, fitted on the validation part of `data`."""
    validation = located_examples(read_manifest(data, "validation"))
    found = found_boxes(models, read_images(image_paths(data, validation)))
    truth = [true_boxes(example) for example in validation]
    return FittedMethods(fitted_fusions(found, truth), DEFAULT_FUSION)


def fusions_of_cards(models: Sequence[ShippedModel]) -> FittedMethods:
    """As they were fitted before. Raises ValueError where the cards have none."""
    fitted = models[0].card.ensemble
    if fitted is None:
        raise ValueError("the detectors have no fitted fusion: run `python -m training ensemble` first")
    return FittedMethods({str(method): ensemble for method, ensemble in fitted.methods.items()}, fitted.default)


def _vote_measure(
    models: Sequence[ShippedModel],
    probabilities: Mapping[str, Floats],
    test: Sequence[Example],
    data: Path,
    segmenter: Path | None,
) -> Measure:
    """probabilities: of the test part, by model."""
    patients, labels = [example.patient for example in test], label_indices(test)
    real = read_real_lesions(data)
    on_real = served_probabilities(models, read_images(real_lesion_paths(data, real)), segmenter) if real else {}

    def measure(ensemble: Ensemble) -> tuple[dict[str, Metric], Curves]:
        vote = ensemble.of_liver_votes
        voted = apply_vote(vote, probabilities)
        metrics = classification.classification_metrics(
            voted, labels, patients, Thresholds.of(vote), largest_lesion_sizes(test)
        )
        if real:
            metrics |= classification.real_lesion_metrics(apply_vote(vote, on_real), [row.patient for row in real])
        return metrics, classifier_curves(voted, labels, ranked=vote.method != "majority_vote")

    return measure


def _fusion_measure(
    models: Sequence[ShippedModel], found: Mapping[str, Sequence[Boxes]], test: Sequence[Example], data: Path
) -> Measure:
    """found: on the located images of the test part, by model."""
    truth, patients = [true_boxes(example) for example in test], [example.patient for example in test]

    @functools.cache
    def boxes_by_model(paths: tuple[Path, ...]) -> dict[str, list[Boxes]]:
        return found_boxes(models, read_images(paths))

    def measure(fusion: Ensemble) -> tuple[dict[str, Metric], Curves]:
        def find(paths: Sequence[Path]) -> list[Boxes]:
            return apply_fusion(fusion, boxes_by_model(tuple(paths)))

        threshold, fused = fusion.decision_threshold, apply_fusion(fusion, found)
        metrics = detection.detection_metrics(fused, truth, patients, threshold)
        metrics |= real_lesion_detection(find, data, threshold)
        return metrics, detector_curves(fused, truth, threshold)

    return measure
