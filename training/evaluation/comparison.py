"""Every model beside every ensemble, on the same held-out patients: the numbers of the report and of metrics.json."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image
from scipy import stats
from scipy.special import softmax
from sklearn.metrics import roc_curve

from hepar.contracts.cards import Ensemble, Metric, ModelCard
from training.evaluation import classification, detection
from training.evaluation.bootstrap import bootstrap_by_patient
from training.evaluation.classification import Floats, Labels
from training.evaluation.detection import Boxes
from training.evaluation.ensemble import FUSIONS, fitted_fusion, fitted_vote, fused, voted
from training.evaluation.judgement import boxes_of, image_paths, labels_array, largest_lesions, logits_of, true_boxes
from training.evaluation.perturbations import PERTURBATIONS, moved_boxes
from training.evaluation.served import run_model_on
from training.prepare import CLASS_LABELS, Example, read_manifest

VOTES = ("soft_vote", "weighted_vote", "majority_vote")
Report = dict[str, Any]


class NotFitted(Exception):
    """The cards do not say how their models decide together."""


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


def fit_ensembles(models: Sequence[Shipped], data: Path) -> dict[str, Ensemble]:
    """By task, fitted on the validation part, with its figures on the test part."""
    validation = read_manifest(data, "validation")
    images = image_paths(data, validation)
    patients = [example.patient for example in validation]
    ensembles = {}
    classifiers = [item for item in models if item.card.task == "classification"]
    if classifiers:
        probabilities = _probabilities(classifiers, images)
        ensembles["classification"] = fitted_vote(probabilities, labels_array(validation), patients)
    detectors = [item for item in models if item.card.task == "detection"]
    if detectors:
        found = {item.card.name: boxes_of(item.model, images) for item in detectors}
        ensembles["detection"] = fitted_fusion(found, [true_boxes(example) for example in validation])
    test = read_manifest(data, "test")
    for task, members in (("classification", classifiers), ("detection", detectors)):
        if members:
            metrics = _ensemble_figures(ensembles[task], members, test, data)
            ensembles[task] = ensembles[task].model_copy(update={"metrics": metrics})
    return ensembles


def compare(models: Sequence[Shipped], data: Path) -> Report:
    """The whole report as plain values. The cards must hold fitted ensembles (`fit_ensembles`)."""
    test = read_manifest(data, "test")
    report: Report = {
        "data_sha256": models[0].card.data_sha256,
        "test_images": len(test),
        "test_patients": len({example.patient for example in test}),
    }
    classifiers = [item for item in models if item.card.task == "classification"]
    detectors = [item for item in models if item.card.task == "detection"]
    if classifiers:
        report["classification"] = _compare_classifiers(classifiers, test, data)
    if detectors:
        report["detection"] = _compare_detectors(detectors, test, data)
    report["robustness"] = _robustness(classifiers, detectors, test, data)
    return report


def _compare_classifiers(models: Sequence[Shipped], test: Sequence[Example], data: Path) -> Report:
    labels, patients, sizes = labels_array(test), [example.patient for example in test], largest_lesions(test)
    probabilities = _probabilities(models, image_paths(data, test))
    ensemble = _ensemble_of(models)
    together = {method: _voted(method, probabilities, ensemble) for method in VOTES}
    chosen = together[ensemble.method].argmax(axis=1) == labels
    everything = probabilities | together
    thresholds = {item.card.name: item.card.decision_threshold for item in models}
    return {
        "labels": CLASS_LABELS[: next(iter(probabilities.values())).shape[1]],
        "chosen": ensemble.method,
        "figures": {
            name: _plain(
                classification.classification_figures(
                    values, labels, patients, thresholds.get(name, ensemble.decision_threshold), sizes
                )
            )
            for name, values in everything.items()
        },
        "ensemble_against": {
            name: _paired(chosen, values.argmax(axis=1) == labels, patients) for name, values in probabilities.items()
        },
        "confusion": _confusion(together[ensemble.method], labels),
        "roc": {name: _roc(values, labels) for name, values in everything.items() if name != "majority_vote"},
        "reliability": _reliability(together[ensemble.method], labels),
        "coverage_accuracy": _coverage_accuracy(together[ensemble.method], labels),
    }


def _compare_detectors(models: Sequence[Shipped], test: Sequence[Example], data: Path) -> Report:
    truth, patients = [true_boxes(example) for example in test], [example.patient for example in test]
    images = image_paths(data, test)
    found: dict[str, list[Boxes]] = {item.card.name: boxes_of(item.model, images) for item in models}
    ensemble = _ensemble_of(models)
    overlap = ensemble.overlap or 0.5
    together = {
        method: fused(method, found, overlap if method == ensemble.method else values[1])
        for method, values in FUSIONS.items()
    }
    thresholds = {item.card.name: item.card.decision_threshold for item in models}
    everything = found | together
    return {
        "chosen": ensemble.method,
        "figures": {
            name: _plain(
                detection.detection_figures(boxes, truth, patients, thresholds.get(name, ensemble.decision_threshold))
            )
            for name, boxes in everything.items()
        },
        "precision_recall": {name: detection.precision_recall(boxes, truth) for name, boxes in everything.items()},
        "froc": {name: detection.froc(boxes, truth) for name, boxes in everything.items()},
        "confusion": detection.confusion(together[ensemble.method], truth, ensemble.decision_threshold),
    }


def _ensemble_figures(
    ensemble: Ensemble, models: Sequence[Shipped], test: Sequence[Example], data: Path
) -> dict[str, Metric]:
    patients, images = [example.patient for example in test], image_paths(data, test)
    if models[0].card.task == "classification":
        probabilities = _voted(ensemble.method, _probabilities(models, images), ensemble)
        return classification.classification_figures(
            probabilities, labels_array(test), patients, ensemble.decision_threshold, largest_lesions(test)
        )
    found = {item.card.name: boxes_of(item.model, images) for item in models}
    boxes = fused(ensemble.method, found, ensemble.overlap or 0.5)
    truth = [true_boxes(example) for example in test]
    return detection.detection_figures(boxes, truth, patients, ensemble.decision_threshold)


def _robustness(
    classifiers: Sequence[Shipped], detectors: Sequence[Shipped], test: Sequence[Example], data: Path
) -> Report:
    """Accuracy (classifiers) and mAP at an overlap of 0.5 (detectors) by perturbation, model and ensemble."""
    clean = np.stack([np.asarray(Image.open(path)) for path in image_paths(data, test)])
    labels = labels_array(test)
    table: Report = {}
    for name, change in {"unchanged": lambda image: image, **PERTURBATIONS}.items():
        images = np.stack([change(image) for image in clean])
        row: dict[str, float] = {}
        if classifiers:
            probabilities = {
                item.card.name: softmax(run_model_on(item.model, images)["logits"] / item.card.temperature, axis=1)
                for item in classifiers
            }
            together = _voted(_ensemble_of(classifiers).method, probabilities, _ensemble_of(classifiers))
            for model, values in {**probabilities, "classification ensemble": together}.items():
                row[model] = round(float((values.argmax(axis=1) == labels).mean()), 4)
        if detectors:
            truth = [moved_boxes(name, true_boxes(example)) for example in test]
            found = {item.card.name: _boxes_on(item.model, images) for item in detectors}
            ensemble = _ensemble_of(detectors)
            whole = fused(ensemble.method, found, ensemble.overlap or 0.5)
            for model, boxes in {**found, "detection ensemble": whole}.items():
                row[model] = round(detection.average_precision(boxes, truth), 4)
        table[name] = row
    return table


def _ensemble_of(models: Sequence[Shipped]) -> Ensemble:
    """Raises NotFitted where the cards were not fitted together."""
    ensemble = models[0].card.ensemble
    if ensemble is None or any(item.card.ensemble != ensemble for item in models):
        raise NotFitted("the cards hold no common ensemble: run `python -m training ensemble` first")
    return ensemble


def _probabilities(models: Sequence[Shipped], images: Sequence[Path]) -> dict[str, Floats]:
    return {item.card.name: softmax(logits_of(item.model, images) / item.card.temperature, axis=1) for item in models}


def _voted(method: str, probabilities: Mapping[str, Floats], ensemble: Ensemble) -> Floats:
    temperature = ensemble.temperature if method != "majority_vote" else 1.0
    return voted(method, probabilities, ensemble.members if method == "weighted_vote" else None, temperature)


def _boxes_on(model: Path, images: np.ndarray) -> list[Boxes]:
    answers = run_model_on(model, images)
    rows = zip(answers["boxes"], answers["labels"], answers["scores"], strict=True)
    return [Boxes(boxes[s > 0].astype(float), labels[s > 0], s[s > 0].astype(float)) for boxes, labels, s in rows]


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
