"""Every model beside every ensemble, on the same held-out patients: the numbers of the report and of metrics.json."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from scipy import stats
from scipy.special import softmax
from sklearn.metrics import roc_curve

from hepar.contracts.cards import Ensemble, Metric, ModelCard
from training.evaluation import classification, detection
from training.evaluation.bootstrap import bootstrap_by_patient
from training.evaluation.classification import Floats, Labels
from training.evaluation.detection import Boxes
from training.evaluation.ensemble import (
    chosen_fusion,
    chosen_vote,
    fitted_fusions,
    fitted_votes,
    fused_by,
    voted_by,
)
from training.evaluation.judgement import boxes_on, image_paths, labels_array, largest_lesions, logits_on, true_boxes
from training.evaluation.perturbations import PERTURBATIONS, moved_boxes
from training.evaluation.served import read_images
from training.prepare import CLASS_LABELS, Example, read_manifest

UNCHANGED = "unchanged"
Report = dict[str, Any]


@dataclass(frozen=True)
class Shipped:
    """A model as it lies in triton_models/."""

    card: ModelCard
    model: Path


def shipped_models(repository: Path) -> list[Shipped]:
    """In name order; of each its newest version."""
    found = []
    for file in sorted(repository.glob("*/card.json")):
        model = max(file.parent.glob("*/model.onnx"), key=lambda path: int(path.parent.name))
        found.append(Shipped(ModelCard.model_validate_json(file.read_bytes()), model))
    return found


@dataclass(frozen=True)
class Fits:
    """Every way for the models of one task to decide together, and the name of the one to serve."""

    ways: dict[str, Ensemble]
    chosen: str

    @property
    def served(self) -> Ensemble:
        return self.ways[self.chosen]


def fit_ensembles(models: Sequence[Shipped], data: Path) -> dict[str, Ensemble]:
    """By task, the one to serve: fitted on the validation part, with its figures on the test part."""
    test = read_manifest(data, "test")
    patients, images = [example.patient for example in test], image_paths(data, test)
    ensembles = {}
    classifiers, detectors = _of_task(models, "classification"), _of_task(models, "detection")
    if classifiers:
        vote = _fit_votes(classifiers, data).served
        probabilities = voted_by(vote, _probabilities(classifiers, read_images(images)))
        metrics = classification.classification_figures(
            probabilities, labels_array(test), patients, vote.decision_threshold, largest_lesions(test)
        )
        ensembles["classification"] = vote.model_copy(update={"metrics": metrics})
    if detectors:
        fusion = _fit_fusions(detectors, data).served
        boxes = fused_by(fusion, _found(detectors, read_images(images)))
        truth = [true_boxes(example) for example in test]
        metrics = detection.detection_figures(boxes, truth, patients, fusion.decision_threshold)
        ensembles["detection"] = fusion.model_copy(update={"metrics": metrics})
    return ensembles


def compare(models: Sequence[Shipped], data: Path) -> Report:
    """The whole report as plain values. Ensembles are fitted anew on the validation part, as `fit_ensembles` does."""
    test = read_manifest(data, "test")
    report: Report = {
        "data_sha256": models[0].card.data_sha256,
        "test_images": len(test),
        "test_patients": len({example.patient for example in test}),
    }
    classifiers, detectors = _of_task(models, "classification"), _of_task(models, "detection")
    votes = _fit_votes(classifiers, data) if classifiers else None
    fusions = _fit_fusions(detectors, data) if detectors else None
    clean = read_images(image_paths(data, test))
    if votes:
        report["classification"] = _compare_classifiers(classifiers, votes, clean, test)
    if fusions:
        report["detection"] = _compare_detectors(detectors, fusions, clean, test)
    report["robustness"] = {
        name: _scores(classifiers, votes, detectors, fusions, np.stack([change(image) for image in clean]), test, name)
        for name, change in {UNCHANGED: lambda image: image, **PERTURBATIONS}.items()
    }
    return report


def _of_task(models: Sequence[Shipped], task: str) -> list[Shipped]:
    return [item for item in models if item.card.task == task]


def _fit_votes(models: Sequence[Shipped], data: Path) -> Fits:
    validation = read_manifest(data, "validation")
    probabilities = _probabilities(models, read_images(image_paths(data, validation)))
    labels = labels_array(validation)
    chosen = chosen_vote(probabilities, labels, [example.patient for example in validation])
    return Fits(fitted_votes(probabilities, labels), chosen)


def _fit_fusions(models: Sequence[Shipped], data: Path) -> Fits:
    validation = read_manifest(data, "validation")
    found = _found(models, read_images(image_paths(data, validation)))
    truth = [true_boxes(example) for example in validation]
    fusions = fitted_fusions(found, truth)
    return Fits(fusions, chosen_fusion(fusions, found, truth))


def _compare_classifiers(models: Sequence[Shipped], votes: Fits, images: np.ndarray, test: Sequence[Example]) -> Report:
    labels, patients, sizes = labels_array(test), [example.patient for example in test], largest_lesions(test)
    probabilities = _probabilities(models, images)
    together = {method: voted_by(vote, probabilities) for method, vote in votes.ways.items()}
    chosen = together[votes.chosen].argmax(axis=1) == labels
    everything = probabilities | together
    thresholds = {item.card.name: item.card.decision_threshold for item in models}
    thresholds |= {method: vote.decision_threshold for method, vote in votes.ways.items()}
    return {
        "labels": CLASS_LABELS[: next(iter(probabilities.values())).shape[1]],
        "chosen": votes.chosen,
        "figures": {
            name: _plain(classification.classification_figures(values, labels, patients, thresholds[name], sizes))
            for name, values in everything.items()
        },
        "ensemble_against": {
            name: _paired(chosen, values.argmax(axis=1) == labels, patients) for name, values in probabilities.items()
        },
        "confusion": _confusion(together[votes.chosen], labels),
        "roc": {name: _roc(values, labels) for name, values in everything.items() if name != "majority_vote"},
        "reliability": _reliability(together[votes.chosen], labels),
        "coverage_accuracy": _coverage_accuracy(together[votes.chosen], labels),
    }


def _compare_detectors(models: Sequence[Shipped], fusions: Fits, images: np.ndarray, test: Sequence[Example]) -> Report:
    truth, patients = [true_boxes(example) for example in test], [example.patient for example in test]
    found = _found(models, images)
    together = {method: fused_by(fusion, found) for method, fusion in fusions.ways.items()}
    everything = found | together
    thresholds = {item.card.name: item.card.decision_threshold for item in models}
    thresholds |= {method: fusion.decision_threshold for method, fusion in fusions.ways.items()}
    return {
        "chosen": fusions.chosen,
        "figures": {
            name: _plain(detection.detection_figures(boxes, truth, patients, thresholds[name]))
            for name, boxes in everything.items()
        },
        "precision_recall": {name: detection.precision_recall(boxes, truth) for name, boxes in everything.items()},
        "froc": {name: detection.froc(boxes, truth) for name, boxes in everything.items()},
        "confusion": detection.confusion(together[fusions.chosen], truth, fusions.served.decision_threshold),
    }


def _scores(
    classifiers: Sequence[Shipped],
    votes: Fits | None,
    detectors: Sequence[Shipped],
    fusions: Fits | None,
    images: np.ndarray,
    test: Sequence[Example],
    change: str,
) -> dict[str, float]:
    """Accuracy of classifiers and mAP at an overlap of 0.5 of detectors, and of both ensembles, on changed images."""
    row: dict[str, float] = {}
    if votes:
        labels, probabilities = labels_array(test), _probabilities(classifiers, images)
        for model, values in {
            **probabilities,
            "classification ensemble": voted_by(votes.served, probabilities),
        }.items():
            row[model] = round(float((values.argmax(axis=1) == labels).mean()), 4)
    if fusions:
        truth, found = [moved_boxes(change, true_boxes(example)) for example in test], _found(detectors, images)
        for model, boxes in {**found, "detection ensemble": fused_by(fusions.served, found)}.items():
            row[model] = round(detection.average_precision(boxes, truth), 4)
    return row


def _probabilities(models: Sequence[Shipped], images: np.ndarray) -> dict[str, Floats]:
    """Calibrated, by model: (n, k)."""
    return {item.card.name: softmax(logits_on(item.model, images) / item.card.temperature, axis=1) for item in models}


def _found(models: Sequence[Shipped], images: np.ndarray) -> dict[str, list[Boxes]]:
    return {item.card.name: boxes_on(item.model, images) for item in models}


def _paired(one: np.ndarray, other: np.ndarray, patients: Sequence[str]) -> Report:
    """Difference in accuracy with its interval over patients; McNemar's exact test on the images they differ on."""
    difference = bootstrap_by_patient(patients, lambda chosen: float(one[chosen].mean() - other[chosen].mean()))
    wins, losses = int((one & ~other).sum()), int((~one & other).sum())
    p_value = stats.binomtest(wins, wins + losses).pvalue if wins + losses else 1.0
    return {
        "accuracy_difference": difference.model_dump() if difference else None,
        "only_ensemble_right": wins,
        "only_model_right": losses,
        "mcnemar_p": round(float(p_value), 5),
    }


def _confusion(probabilities: Floats, labels: Labels) -> list[list[int]]:
    """Rows: true labels. Columns: the most probable label."""
    count = probabilities.shape[1]
    table = np.zeros((count, count), dtype=int)
    np.add.at(table, (labels, probabilities.argmax(axis=1)), 1)
    return table.tolist()


def _roc(probabilities: Floats, labels: Labels) -> dict[str, list[list[float]]]:
    curves = {}
    for label in range(probabilities.shape[1]):
        if 0 < (labels == label).sum() < len(labels):
            false, true, _ = roc_curve(labels == label, probabilities[:, label])
            curves[CLASS_LABELS[label]] = [np.round(false, 4).tolist(), np.round(true, 4).tolist()]
    return curves


def _reliability(probabilities: Floats, labels: Labels, bins: int = 10) -> list[list[float]]:
    """Mean confidence, accuracy and images of each tenth of the confidences that has any."""
    confidence, correct = probabilities.max(axis=1), probabilities.argmax(axis=1) == labels
    place = np.minimum((confidence * bins).astype(int), bins - 1)
    rows = [(confidence[place == one].mean(), correct[place == one].mean(), (place == one).sum()) for one in set(place)]
    return sorted([round(float(value), 4) for value in row] for row in rows)


def _coverage_accuracy(probabilities: Floats, labels: Labels) -> list[list[float]]:
    """Threshold, share of images decided at it, accuracy of those."""
    confidence, correct = probabilities.max(axis=1), probabilities.argmax(axis=1) == labels
    rows = []
    for threshold in np.round(np.arange(0.3, 1.0, 0.02), 2):
        decided = confidence >= threshold
        if decided.any():
            rows.append([float(threshold), round(float(decided.mean()), 4), round(float(correct[decided].mean()), 4)])
    return rows


def _plain(figures: Mapping[str, Metric]) -> dict[str, dict[str, float]]:
    return {name: metric.model_dump() for name, metric in figures.items()}
