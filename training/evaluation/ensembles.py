"""Fits and measures the ensembles of the shipped models: what `python -m training ensemble` writes to the cards."""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from hepar.contracts.cards import Curves, Distribution, Ensemble, Ensembles, FusionMethod, Metric, VotingMethod
from hepar.ensemble.voting import Thresholds
from training.evaluation.curves import classifier_curves, detector_curves
from training.evaluation.ensemble_application import apply_fusion, apply_vote
from training.evaluation.ensemble_fitting import DEFAULT_FUSION, DEFAULT_VOTE, fitted_fusions, fitted_votes
from training.evaluation.ground_truth import true_boxes
from training.evaluation.model_evaluation import real_lesion_detection
from training.evaluation.reference import fusion_reference, vote_reference
from training.evaluation.shipped_models import ShippedModel, calibrated_probabilities, found_boxes, models_of_task
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


def fit_ensembles(models: Sequence[ShippedModel], data: Path) -> tuple[dict[str, Ensembles], dict[str, Curves]]:
    """By task, every decision method: fitted on the validation part, measured on the test part.

    Also returns, by model name, the curves of each model on the test part. Each model runs once on each part; all
    methods share its predictions.
    """
    classifiers, detectors = models_of_task(models, "classification"), models_of_task(models, "detection")
    ensembles: dict[str, Ensembles] = {}
    curves: dict[str, Curves] = {}
    test = read_manifest(data, "test")
    if classifiers:
        images, votes = read_images(image_paths(data, test)), fit_votes(classifiers, data)
        probabilities = calibrated_probabilities(classifiers, images)
        reference = vote_reference(votes.default_ensemble, probabilities, images)
        measure = _vote_measure(classifiers, probabilities, test, data)
        ensembles["classification"] = votes.measured(measure, reference)
        labels = label_indices(test)
        curves |= {name: classifier_curves(values, labels) for name, values in probabilities.items()}
    if detectors:
        located, fusions = located_examples(test), fit_fusions(detectors, data)
        found = found_boxes(detectors, read_images(image_paths(data, located)))
        reference = fusion_reference(fusions.default_ensemble, found)
        ensembles["detection"] = fusions.measured(_fusion_measure(detectors, found, located, data), reference)
        truth = [true_boxes(example) for example in located]
        for card in (item.card for item in detectors):
            curves[card.name] = detector_curves(found[card.name], truth, card.decision_threshold)
    return ensembles, curves


def fit_votes(models: Sequence[ShippedModel], data: Path) -> FittedMethods:
    """Every voting method, fitted on the validation part of `data`."""
    validation = read_manifest(data, "validation")
    probabilities = calibrated_probabilities(models, read_images(image_paths(data, validation)))
    return FittedMethods(
        fitted_votes(probabilities, label_indices(validation), largest_lesion_sizes(validation)), DEFAULT_VOTE
    )


def fit_fusions(models: Sequence[ShippedModel], data: Path) -> FittedMethods:
    """Every fusion method, fitted on the validation part of `data`."""
    validation = located_examples(read_manifest(data, "validation"))
    found = found_boxes(models, read_images(image_paths(data, validation)))
    truth = [true_boxes(example) for example in validation]
    return FittedMethods(fitted_fusions(found, truth), DEFAULT_FUSION)


def _vote_measure(
    models: Sequence[ShippedModel], probabilities: Mapping[str, Floats], test: Sequence[Example], data: Path
) -> Measure:
    """probabilities: of the test part, by model."""
    patients, labels = [example.patient for example in test], label_indices(test)
    real = read_real_lesions(data)
    on_real = calibrated_probabilities(models, read_images(real_lesion_paths(data, real))) if real else {}

    def measure(vote: Ensemble) -> tuple[dict[str, Metric], Curves]:
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
