"""Every model beside every ensemble, on the same held-out patients: the numbers of the report and of metrics.json."""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from scipy import stats
from scipy.special import softmax

from hepar.contracts.cards import (
    Curves,
    Distribution,
    Ensemble,
    Ensembles,
    FusionMethod,
    Metric,
    ModelCard,
    VotingMethod,
)
from training.evaluation import classification, detection
from training.evaluation.bootstrap import bootstrap_by_patient
from training.evaluation.classification import Floats, Labels
from training.evaluation.curves import classifier_curves, confusion, detector_curves, reliability, roc
from training.evaluation.detection import Boxes
from training.evaluation.ensemble import (
    DEFAULT_FUSION,
    DEFAULT_VOTE,
    fitted_fusions,
    fitted_votes,
    fused_by,
    voted_by,
)
from training.evaluation.judgement import (
    boxes_on,
    image_paths,
    labels_array,
    largest_lesions,
    located,
    logits_on,
    real_lesion_figures,
    true_boxes,
)
from training.evaluation.perturbations import PERTURBATIONS, moved_boxes
from training.evaluation.reference import fusion_reference, vote_reference
from training.evaluation.served import read_images
from training.prepare import CLASS_LABELS, Example, read_manifest, read_real_lesions
from training.versions import current, leading

UNCHANGED = "unchanged"
Report = dict[str, Any]
Measure = Callable[[Ensemble], tuple[dict[str, Metric], Curves]]


@dataclass(frozen=True)
class Shipped:
    """A model as it lies in triton_models/."""

    card: ModelCard
    model: Path


def shipped_models(repository: Path) -> list[Shipped]:
    """In name order; of each the version that answers most."""
    found = []
    for file in sorted(repository.glob("*/card.json")):
        model = file.parent / leading(current(file.parent)) / "model.onnx"
        found.append(Shipped(ModelCard.model_validate_json(file.read_bytes()), model))
    return found


@dataclass(frozen=True)
class Fits:
    """All decision methods for the models of one task, and the name of the default."""

    methods: dict[str, Ensemble]
    chosen: VotingMethod | FusionMethod

    @property
    def served(self) -> Ensemble:
        return self.methods[self.chosen]

    def measured(self, measure: Measure, reference: dict[str, Distribution]) -> Ensembles:
        methods = {}
        for ensemble in self.methods.values():
            metrics, curves = measure(ensemble)
            methods[ensemble.method] = ensemble.model_copy(update={"metrics": metrics, "curves": curves})
        return Ensembles(default=self.chosen, methods=methods, reference=reference)


def fit_ensembles(models: Sequence[Shipped], data: Path) -> tuple[dict[str, Ensembles], dict[str, Curves]]:
    """By task, every decision method: fitted on the validation part, with its figures on the test part.

    And by model its curves there. Each model answers once; every method decides by the same answers.
    """
    classifiers, detectors = of_task(models, "classification"), of_task(models, "detection")
    ensembles: dict[str, Ensembles] = {}
    curves: dict[str, Curves] = {}
    test = read_manifest(data, "test")
    if classifiers:
        images, votes = read_images(image_paths(data, test)), _fit_votes(classifiers, data)
        probabilities = probabilities_of(classifiers, images)
        reference = vote_reference(votes.served, probabilities, images)
        ensembles["classification"] = votes.measured(_of_vote(classifiers, probabilities, test, data), reference)
        curves |= {name: classifier_curves(values, labels_array(test)) for name, values in probabilities.items()}
    if detectors:
        judged, fusions = located(test), _fit_fusions(detectors, data)
        found = boxes_found(detectors, read_images(image_paths(data, judged)))
        reference = fusion_reference(fusions.served, found)
        ensembles["detection"] = fusions.measured(_of_fusion(detectors, found, judged, data), reference)
        truth = [true_boxes(example) for example in judged]
        for card in (item.card for item in detectors):
            curves[card.name] = detector_curves(found[card.name], truth, card.decision_threshold)
    return ensembles, curves


def _of_vote(
    models: Sequence[Shipped], probabilities: Mapping[str, Floats], test: Sequence[Example], data: Path
) -> Measure:
    """probabilities: of the test part, by model."""
    patients = [example.patient for example in test]
    real = read_real_lesions(data)
    slices = [data / "real" / f"{row.name}.png" for row in real]
    on_real = probabilities_of(models, read_images(slices)) if real else {}

    def measure(vote: Ensemble) -> tuple[dict[str, Metric], Curves]:
        together, labels = voted_by(vote, probabilities), labels_array(test)
        found = classification.classification_figures(
            together, labels, patients, vote.decision_threshold, largest_lesions(test)
        )
        if real:
            called = voted_by(vote, on_real)
            found |= classification.real_lesion_figures(called, [row.patient for row in real])
        return found, classifier_curves(together, labels, ranked=vote.method != "majority_vote")

    return measure


def _of_fusion(
    models: Sequence[Shipped], found: Mapping[str, Sequence[Boxes]], test: Sequence[Example], data: Path
) -> Measure:
    """found: on the located images of the test part, by model."""
    truth, patients = [true_boxes(example) for example in test], [example.patient for example in test]
    answers = functools.cache(lambda paths: boxes_found(models, read_images(paths)))

    def measure(fusion: Ensemble) -> tuple[dict[str, Metric], Curves]:
        def find(paths: Sequence[Path]) -> list[Boxes]:
            return fused_by(fusion, answers(tuple(paths)))

        threshold, together = fusion.decision_threshold, fused_by(fusion, found)
        metrics = detection.detection_figures(together, truth, patients, threshold)
        metrics |= real_lesion_figures(find, data, threshold)
        return metrics, detector_curves(together, truth, threshold)

    return measure


def compare(models: Sequence[Shipped], data: Path) -> Report:
    """The whole report as plain values. Ensembles are fitted anew on the validation part, as `fit_ensembles` does."""
    test = read_manifest(data, "test")
    report: Report = {
        "data_sha256": models[0].card.data_sha256,
        "test_images": len(test),
        "test_patients": len({example.patient for example in test}),
    }
    classifiers, detectors = of_task(models, "classification"), of_task(models, "detection")
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


def of_task(models: Sequence[Shipped], task: str) -> list[Shipped]:
    return [item for item in models if item.card.task == task]


def _fit_votes(models: Sequence[Shipped], data: Path) -> Fits:
    validation = read_manifest(data, "validation")
    probabilities = probabilities_of(models, read_images(image_paths(data, validation)))
    labels = labels_array(validation)
    return Fits(fitted_votes(probabilities, labels), DEFAULT_VOTE)


def _fit_fusions(models: Sequence[Shipped], data: Path) -> Fits:
    validation = located(read_manifest(data, "validation"))
    found = boxes_found(models, read_images(image_paths(data, validation)))
    truth = [true_boxes(example) for example in validation]
    return Fits(fitted_fusions(found, truth), DEFAULT_FUSION)


def _compare_classifiers(models: Sequence[Shipped], votes: Fits, images: np.ndarray, test: Sequence[Example]) -> Report:
    labels, patients, sizes = labels_array(test), [example.patient for example in test], largest_lesions(test)
    probabilities = probabilities_of(models, images)
    together = {method: voted_by(vote, probabilities) for method, vote in votes.methods.items()}
    chosen = together[votes.chosen].argmax(axis=1) == labels
    everything = probabilities | together
    thresholds = {item.card.name: item.card.decision_threshold for item in models}
    thresholds |= {method: vote.decision_threshold for method, vote in votes.methods.items()}
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
        "confusion": confusion(together[votes.chosen], labels),
        "roc": {name: roc(values, labels) for name, values in everything.items() if name != "majority_vote"},
        "reliability": reliability(together[votes.chosen], labels),
        "coverage_accuracy": _coverage_accuracy(together[votes.chosen], labels),
    }


def _compare_detectors(models: Sequence[Shipped], fusions: Fits, images: np.ndarray, test: Sequence[Example]) -> Report:
    judged = located(test)
    truth, patients = [true_boxes(example) for example in judged], [example.patient for example in judged]
    found = boxes_found(models, images[[example.located for example in test]])
    together = {method: fused_by(fusion, found) for method, fusion in fusions.methods.items()}
    everything = found | together
    thresholds = {item.card.name: item.card.decision_threshold for item in models}
    thresholds |= {method: fusion.decision_threshold for method, fusion in fusions.methods.items()}
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
        labels, probabilities = labels_array(test), probabilities_of(classifiers, images)
        for model, values in {
            **probabilities,
            "classification ensemble": voted_by(votes.served, probabilities),
        }.items():
            row[model] = round(float((values.argmax(axis=1) == labels).mean()), 4)
    if fusions:
        truth = [moved_boxes(change, true_boxes(example)) for example in located(test)]
        found = boxes_found(detectors, images[[example.located for example in test]])
        for model, boxes in {**found, "detection ensemble": fused_by(fusions.served, found)}.items():
            row[model] = round(detection.average_precision(boxes, truth), 4)
    return row


def probabilities_of(models: Sequence[Shipped], images: np.ndarray) -> dict[str, Floats]:
    """Calibrated, by model: (n, k)."""
    return {item.card.name: softmax(logits_on(item.model, images) / item.card.temperature, axis=1) for item in models}


def boxes_found(models: Sequence[Shipped], images: np.ndarray) -> dict[str, list[Boxes]]:
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
