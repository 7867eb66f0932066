"""Compares every model with every ensemble on the same held-out patients: the numbers of the report."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from hepar.contracts.figures import Metric
from hepar.ensemble.voting import Thresholds
from training.evaluation.curves import confusion, reliability, roc
from training.evaluation.ensemble_application import apply_fusion, apply_vote
from training.evaluation.ensembles import FittedMethods, fit_fusions, fit_votes, served_probabilities
from training.evaluation.ground_truth import true_boxes
from training.evaluation.liver_pooling import calibration_images
from training.evaluation.perturbations import PERTURBATIONS, perturbed_boxes
from training.evaluation.shipped_models import ShippedModel, found_boxes, models_of_task
from training.metrics import classification, detection
from training.metrics.bootstrap import bootstrap_by_patient
from training.metrics.classification import Floats, Labels
from training.prepared.dataset import (
    CLASS_LABELS,
    Example,
    image_paths,
    label_indices,
    largest_lesion_sizes,
    located_examples,
    read_images,
    read_manifest,
)

UNCHANGED = "unchanged"
Report = dict[str, Any]
GreyImages = NDArray[np.uint8]


def compare(models: Sequence[ShippedModel], data: Path, segmenter: Path | None = None) -> Report:
    """The whole report as plain values. Ensembles are fitted on the validation part, as `fit_ensembles` does.

    segmenter: see `fit_ensembles`.
    """
    test = read_manifest(data, "test")
    report: Report = {
        "data_sha256": models[0].card.measured_on_sha256,
        "test_images": len(test),
        "test_patients": len({example.patient for example in test}),
    }
    classifiers, detectors = models_of_task(models, "classification"), models_of_task(models, "detection")
    votes = None
    if classifiers:
        votes = fit_votes(classifiers, calibration_images(data, classifiers[0].card.window, segmenter))
    fusions = fit_fusions(detectors, data) if detectors else None
    images = read_images(image_paths(data, test))
    if votes:
        report["classification"] = _compare_classifiers(
            classifiers, votes, served_probabilities(classifiers, images, segmenter), test
        )
    if fusions:
        report["detection"] = _compare_detectors(detectors, fusions, images, test)
    robustness: dict[str, dict[str, float]] = {}
    for name, perturb in {UNCHANGED: lambda image: image, **PERTURBATIONS}.items():
        perturbed = np.stack([perturb(image) for image in images])
        probabilities = served_probabilities(classifiers, perturbed, segmenter) if votes else {}
        scores = _classifier_scores(votes, probabilities, test) if votes else {}
        robustness[name] = scores | (_detector_scores(detectors, fusions, perturbed, test, name) if fusions else {})
    report["robustness"] = robustness
    return report


def _compare_classifiers(
    models: Sequence[ShippedModel], votes: FittedMethods, by_model: Mapping[str, Floats], test: Sequence[Example]
) -> Report:
    """by_model: the probabilities of each."""
    labels, patients, sizes = label_indices(test), [example.patient for example in test], largest_lesion_sizes(test)
    served_votes = {method: vote.of_liver_votes for method, vote in votes.methods.items()}
    by_method = {method: apply_vote(vote, by_model) for method, vote in served_votes.items()}
    served = by_method[votes.default]
    served_correct = served.argmax(axis=1) == labels
    alone = {item.card.name: item.card.decision_threshold for item in models}
    thresholds = {name: Thresholds(threshold, threshold) for name, threshold in alone.items()}
    thresholds |= {method: Thresholds.of(vote) for method, vote in served_votes.items()}
    return {
        "labels": CLASS_LABELS[: served.shape[1]],
        "default": votes.default,
        "metrics": {
            name: _plain(classification.classification_metrics(values, labels, patients, thresholds[name], sizes))
            for name, values in {**by_model, **by_method}.items()
        },
        "ensemble_vs_model": {
            name: paired_comparison(served_correct, values.argmax(axis=1) == labels, patients)
            for name, values in by_model.items()
        },
        "confusion": confusion(served, labels),
        "roc": {
            name: roc(values, labels) for name, values in {**by_model, **by_method}.items() if name != "majority_vote"
        },
        "reliability": reliability(served, labels),
        "coverage_accuracy": _coverage_accuracy(served, labels),
    }


def _compare_detectors(
    models: Sequence[ShippedModel], fusions: FittedMethods, images: GreyImages, test: Sequence[Example]
) -> Report:
    located = located_examples(test)
    truth, patients = [true_boxes(example) for example in located], [example.patient for example in located]
    by_model = found_boxes(models, images[[example.located for example in test]])
    by_method = {method: apply_fusion(fusion, by_model) for method, fusion in fusions.methods.items()}
    everything = by_model | by_method
    thresholds = {item.card.name: item.card.decision_threshold for item in models}
    thresholds |= {method: fusion.decision_threshold for method, fusion in fusions.methods.items()}
    return {
        "default": fusions.default,
        "metrics": {
            name: _plain(detection.detection_metrics(boxes, truth, patients, thresholds[name]))
            for name, boxes in everything.items()
        },
        "precision_recall": {name: detection.precision_recall(boxes, truth) for name, boxes in everything.items()},
        "froc": {name: detection.froc(boxes, truth) for name, boxes in everything.items()},
        "confusion": detection.confusion(by_method[fusions.default], truth, thresholds[fusions.default]),
    }


def _classifier_scores(
    votes: FittedMethods, probabilities: Mapping[str, Floats], test: Sequence[Example]
) -> dict[str, float]:
    """Accuracy of each classifier and of the served ensemble. probabilities: by classifier."""
    labels = label_indices(test)
    ensemble = {"classification ensemble": apply_vote(votes.default_ensemble.of_liver_votes, probabilities)}
    return {
        name: round(float((values.argmax(axis=1) == labels).mean()), 4)
        for name, values in {**probabilities, **ensemble}.items()
    }


def _detector_scores(
    models: Sequence[ShippedModel],
    fusions: FittedMethods,
    images: GreyImages,
    test: Sequence[Example],
    perturbation: str,
) -> dict[str, float]:
    """Mean average precision at an overlap of 0.5 of each detector and of the served ensemble."""
    truth = [perturbed_boxes(perturbation, true_boxes(example)) for example in located_examples(test)]
    found = found_boxes(models, images[[example.located for example in test]])
    ensemble = {"detection ensemble": apply_fusion(fusions.default_ensemble, found)}
    return {name: round(detection.average_precision(boxes, truth), 4) for name, boxes in (found | ensemble).items()}


def paired_comparison(
    ensemble_correct: NDArray[np.bool_], model_correct: NDArray[np.bool_], patients: Sequence[str]
) -> Report:
    """Difference in accuracy with its interval over patients, and McNemar's exact test on the discordant images.

    ensemble_correct, model_correct: (n,) whether each image is classified correctly.
    """
    difference = bootstrap_by_patient(
        patients, lambda chosen: float(ensemble_correct[chosen].mean() - model_correct[chosen].mean())
    )
    wins = int((ensemble_correct & ~model_correct).sum())
    losses = int((~ensemble_correct & model_correct).sum())
    p_value = stats.binomtest(wins, wins + losses).pvalue if wins + losses else 1.0
    return {
        "accuracy_difference": difference.model_dump() if difference else None,
        "only_ensemble_right": wins,
        "only_model_right": losses,
        "mcnemar_p": round(float(p_value), 5),
    }


def _coverage_accuracy(probabilities: Floats, labels: Labels) -> list[list[float]]:
    """Rows of threshold, share of images decided at it, accuracy of the decided images."""
    confidence, correct = probabilities.max(axis=1), probabilities.argmax(axis=1) == labels
    rows = []
    for threshold in np.round(np.arange(0.3, 1.0, 0.02), 2):
        decided = confidence >= threshold
        if decided.any():
            rows.append([float(threshold), round(float(decided.mean()), 4), round(float(correct[decided].mean()), 4)])
    return rows


def _plain(metrics: Mapping[str, Metric]) -> dict[str, dict[str, float]]:
    return {name: metric.model_dump() for name, metric in metrics.items()}
