"""The graphs of the report, each as PNG and SVG."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import matplotlib as mpl
import numpy as np
from matplotlib import pyplot as plt

from training.evaluation.learning_curve import DRAWN, STEM, LearningCurve
from training.lesions import LABELS

mpl.use("Agg")
mpl.rcParams.update({"svg.hashsalt": "hepar", "font.size": 9, "axes.spines.top": False, "axes.spines.right": False})
Report = dict[str, Any]


def draw_all(report: Report, folder: Path) -> list[tuple[str, str]]:
    """Writes every graph for which the report has numbers; returns (file stem, title) in order."""
    graphs: list[tuple[str, str, Callable[[], None]]] = []
    if "classification" in report:
        part = report["classification"]
        labels = part["labels"]
        graphs += [
            ("accuracy", "Accuracy by model", lambda: _bars(part["metrics"], ["accuracy"])),
            ("precision", "Precision by model", lambda: _bars(part["metrics"], _by_label(part, "precision"))),
            ("recall", "Recall by model", lambda: _bars(part["metrics"], _by_label(part, "recall"))),
            ("f1", "F1 by model", lambda: _bars(part["metrics"], [*_by_label(part, "f1"), "macro_f1"])),
            (
                "confusion",
                "Confusion matrix of the ensemble",
                lambda: _matrix(part["confusion"], labels, labels),
            ),
            ("roc", "ROC curves of the ensemble", lambda: _roc(part["roc"].get(part["default"], {}))),
            ("reliability", "Reliability of the ensemble", lambda: _reliability(part["reliability"])),
            ("coverage", "Accuracy and coverage", lambda: _coverage(part["coverage_accuracy"])),
        ]
    if "detection" in report:
        boxes = report["detection"]
        rows, columns = [*LABELS, "no lesion"], [*LABELS, "missed"]
        graphs += [
            ("map", "Mean average precision by detector", lambda: _bars(boxes["metrics"], ["map_50", "map_50_95"])),
            ("precision_recall", "Precision and recall at an overlap of 0.5", lambda: _precision_recall(boxes)),
            ("froc", "FROC curves", lambda: _froc(boxes["froc"])),
            (
                "detection_confusion",
                "Confusion matrix of the fused detectors",
                lambda: _matrix(boxes["confusion"], rows, columns),
            ),
        ]
    graphs.append(("robustness", "Robustness", lambda: _robustness(report["robustness"])))
    folder.mkdir(parents=True, exist_ok=True)
    for stem, title, draw in graphs:
        plt.figure(figsize=(7, 3.6), dpi=110)
        draw()
        plt.title(title, loc="left")
        _save(folder, stem)
    return [(stem, title) for stem, title, _ in graphs]


def draw_learning_curve(curve: LearningCurve, folder: Path) -> None:
    plt.figure(figsize=(7, 3.6), dpi=110)
    patients = [point.patients for point in curve.points]
    for name in DRAWN:
        rows = [np.array(point.scores[name]) for point in curve.points]
        (line,) = plt.plot(patients, [row.mean() for row in rows], "o-", label=name)
        low, high = [row.min() for row in rows], [row.max() for row in rows]
        plt.fill_between(patients, low, high, color=line.get_color(), alpha=0.15, linewidth=0)
    plt.xscale("log", base=2)
    plt.xticks(patients, [str(count) for count in patients])
    plt.xlabel("training patients (lines: mean of the draws; areas: lowest to highest)")
    plt.ylabel("validation patients")
    plt.legend(fontsize=7, loc="lower left", bbox_to_anchor=(1, 0))
    plt.title("Learning curve", loc="left")
    _save(folder, STEM)


def _save(folder: Path, stem: str) -> None:
    """Writes the current figure as PNG and SVG, and closes it."""
    plt.savefig(folder / f"{stem}.png", bbox_inches="tight", metadata={"Software": None})
    plt.savefig(folder / f"{stem}.svg", bbox_inches="tight", metadata={"Date": None})
    plt.close()


def _by_label(part: Report, metric: str) -> list[str]:
    return [f"{metric}_{label}" for label in part["labels"]]


def _bars(metrics: Report, names: list[str]) -> None:
    """One group per model, one bar per metric, with the 95 % interval."""
    models, width = list(metrics), 0.8 / len(names)
    for number, name in enumerate(names):
        known = [(index, metrics[model][name]) for index, model in enumerate(models) if name in metrics[model]]
        positions = [index + (number - (len(names) - 1) / 2) * width for index, _ in known]
        values = np.array([metric["value"] for _, metric in known])
        low = np.maximum(values - [metric["low"] for _, metric in known], 0)
        high = np.maximum([metric["high"] for _, metric in known] - values, 0)
        plt.bar(positions, values, width * 0.95, yerr=[low, high], capsize=2, label=name.replace("_", " "))
    plt.xticks(range(len(models)), [model.replace("_", " ") for model in models], rotation=30, ha="right")
    plt.ylim(0, 1.02)
    if len(names) > 1:
        plt.legend(fontsize=7, loc="lower left", bbox_to_anchor=(1, 0))


def _matrix(table: list[list[int]], rows: list[str], columns: list[str]) -> None:
    plt.imshow(table, cmap="Blues")
    for row, values in enumerate(table):
        for column, value in enumerate(values):
            dark = value > 0.6 * max(1, *map(max, table))
            plt.text(column, row, str(value), ha="center", va="center", color="white" if dark else "black")
    plt.xticks(range(len(columns)), columns, rotation=20, ha="right")
    plt.yticks(range(len(rows)), rows)
    plt.xlabel("predicted")
    plt.ylabel("true")


def _roc(curves: Report) -> None:
    for label, (false, true) in curves.items():
        plt.plot(false, true, label=label)
    plt.plot([0, 1], [0, 1], ":", color="grey")
    plt.xlabel("false positive rate")
    plt.ylabel("true positive rate")
    plt.legend()


def _reliability(rows: list[list[float]]) -> None:
    plt.plot([0, 1], [0, 1], ":", color="grey")
    plt.plot([row[0] for row in rows], [row[1] for row in rows], "o-")
    for confidence, accuracy, images in rows:
        plt.annotate(f"{images:.0f}", (confidence, accuracy), xytext=(4, -9), textcoords="offset points", fontsize=7)
    plt.xlabel("mean confidence (numbers: images)")
    plt.ylabel("accuracy")


def _coverage(rows: list[list[float]]) -> None:
    plt.plot([row[1] for row in rows], [row[2] for row in rows], ".-")
    plt.xlabel("share of images with a decision")
    plt.ylabel("accuracy of the decided images")


def _precision_recall(boxes: Report) -> None:
    for name, precision in boxes["precision_recall"].items():
        plt.plot(np.linspace(0, 1, len(precision)), precision, label=name.replace("_", " "))
    plt.xlabel("recall")
    plt.ylabel("precision")
    plt.legend(fontsize=7)


def _froc(curves: Report) -> None:
    for name, points in curves.items():
        plt.plot([point[0] for point in points], [point[1] for point in points], label=name.replace("_", " "))
    plt.xlabel("false positives per image")
    plt.ylabel("sensitivity")
    plt.legend(fontsize=7)


def _robustness(table: Report) -> None:
    models = list(next(iter(table.values())))
    width = 0.8 / len(table)
    for number, (name, row) in enumerate(table.items()):
        plt.bar(np.arange(len(models)) + (number - len(table) / 2) * width, list(row.values()), width, label=name)
    plt.xticks(range(len(models)), [model.replace("_", " ") for model in models], rotation=30, ha="right")
    plt.ylabel("accuracy or mAP50")
    plt.legend(fontsize=7, loc="lower left", bbox_to_anchor=(1, 0))
