"""Writes the evaluation report: metrics.json for programs, report.html, table.md and graphs for people."""

from __future__ import annotations

import html
import json
from pathlib import Path
from typing import Any

from hepar.contracts.base import RESEARCH_USE_NOTICE
from training.evaluation.graphs import draw_all

Report = dict[str, Any]
_CLASSIFICATION = ("accuracy", "macro_f1", "roc_auc", "brier_score", "calibration_error", "size_matched_type_accuracy")
_DETECTION = ("map_50", "map_50_95", "sensitivity", "false_positives_per_image")


def write_report(report: Report, folder: Path) -> Path:
    """Writes metrics.json, the graphs, `table.md` and report.html; returns the last."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "metrics.json").write_text(json.dumps(report, indent=1) + "\n")
    (folder / "table.md").write_text(_markdown(report))
    graphs = draw_all(report, folder)
    tables = "".join(f"<h2>{title}</h2>{_html_table(rows)}" for title, rows in _tables(report))
    images = "".join(f"<h2>{html.escape(title)}</h2><img alt='{title}' src='{stem}.svg'>" for stem, title in graphs)
    path = folder / "report.html"
    path.write_text(
        "<!doctype html><html lang='en'><meta charset='utf-8'><title>Hepar: evaluation</title>"
        f"<style>{_STYLE}</style><h1>Evaluation</h1><p>{html.escape(RESEARCH_USE_NOTICE)}</p>"
        f"<p>{report['test_images']} images of {report['test_patients']} held-out patients. In brackets: 95 % "
        f"intervals from resampling patients. Tumours are synthesised unless the data set contains real ones.</p>"
        f"{tables}{images}</html>"
    )
    return path


def _tables(report: Report) -> list[tuple[str, list[list[str]]]]:
    tables = []
    for task, names in (("classification", _CLASSIFICATION), ("detection", _DETECTION)):
        if task in report:
            tables.append((task.capitalize(), _metrics_table(report[task], names)))
    if "classification" in report:
        rows = [["model", "difference in accuracy", "McNemar p"]]
        for name, pair in report["classification"]["ensemble_vs_model"].items():
            rows.append([name, _formatted(pair["accuracy_difference"]), f"{pair['mcnemar_p']:.3g}"])
        tables.append(("The ensemble compared with each model", rows))
    robustness = report["robustness"]
    models = list(next(iter(robustness.values())))
    rows = [["perturbation", *models]]
    rows += [[name, *(f"{row[model]:.3f}" for model in models)] for name, row in robustness.items()]
    tables.append(("Accuracy and mAP50 on perturbed images", rows))
    return tables


def _metrics_table(part: Report, names: tuple[str, ...]) -> list[list[str]]:
    rows = [["model", *(name.replace("_", " ") for name in names)]]
    for model, metrics in part["metrics"].items():
        suffix = " (served by default)" if model == part["default"] else ""
        rows.append([model + suffix, *(_formatted(metrics.get(name)) for name in names)])
    return rows


def _formatted(metric: dict[str, float] | None) -> str:
    return f"{metric['value']:.3f} ({metric['low']:.3f} to {metric['high']:.3f})" if metric else "not defined"


def _html_table(rows: list[list[str]]) -> str:
    head = "".join(f"<th>{html.escape(cell)}</th>" for cell in rows[0])
    body = "".join("<tr>" + "".join(f"<td>{html.escape(cell)}</td>" for cell in row) + "</tr>" for row in rows[1:])
    return f"<table><tr>{head}</tr>{body}</table>"


def _markdown(report: Report) -> str:
    lines = []
    for title, rows in _tables(report):
        lines += [f"**{title}**", "", f"| {' | '.join(rows[0])} |", "|" + "---|" * len(rows[0])]
        lines += [f"| {' | '.join(row)} |" for row in rows[1:]] + [""]
    return "\n".join(lines)


_STYLE = (
    "body{font:15px system-ui;margin:2em auto;max-width:75em}td,th{text-align:left;padding:.2em 1em .2em 0;"
    "border-bottom:1px solid #ccc}img{max-width:100%}"
)
