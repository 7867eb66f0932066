"""Writes docs/model-cards/<name>.md, for people, from card.json."""

from __future__ import annotations

from pathlib import Path

from hepar.contracts.base import RESEARCH_USE_NOTICE
from hepar.contracts.cards import Ensemble, ModelCard
from hepar.contracts.figures import Metric


def write_model_card(card: ModelCard, model: Path, folder: Path) -> Path:
    """Writes the page of one model. model: its ONNX file, to state its size."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{card.name}.md"
    ensemble = card.ensemble
    window = f"grey levels of {card.window.low_hu:g} to {card.window.high_hu:g} HU"
    lines = [
        f"# {card.name}",
        "",
        f"> {RESEARCH_USE_NOTICE}",
        "",
        f"Made by `make export` from `triton_models/{card.name}/card.json`; do not edit.",
        "",
        f"- **Task**: {card.task}, {', '.join(card.labels)}",
        f"- **Network**: {card.architecture}, {card.size}, {model.stat().st_size / 1e6:.1f} MB",
        f"- **Input**: {card.input.width} x {card.input.height} pixels for {card.input.field_mm:g} mm, {window}",
        f"- **Temperature**: {card.temperature:g}; **decision threshold**: {card.decision_threshold:g}",
        f"- **Training data**: {card.training_data}",
        *([f"- **Training time**: {card.training_minutes:g} min"] if card.training_minutes is not None else []),
        f"- **Date**: {card.date}; **licence**: {card.licence}",
        f"- **Fingerprints**: data `{card.data_sha256[:16]}`, code `{card.code_sha256[:16]}`"
        + (f", data of the metrics `{card.evaluation_sha256[:16]}`" if card.evaluation_sha256 else ""),
        "",
        "## On held-out patients",
        "",
        *_metrics_table(card.metrics),
        "",
    ]
    if ensemble is not None:
        lines += ["## In the ensemble", "", f"By default: {_readable(ensemble.default)}.", ""]
        for fitted in ensemble.methods.values():
            members = ", ".join(f"{name} {weight:g}" for name, weight in fitted.members.items())
            lines += [f"### {_readable(fitted.method).capitalize()}", "", f"Weights: {members}.", ""]
            lines += _gate(fitted)
            lines += [*_metrics_table(fitted.metrics), ""]
    lines += ["## Limits and excluded uses", "", *(f"- {limit}" for limit in card.limits), ""]
    path.write_text("\n".join(lines))
    return path


def _gate(fitted: Ensemble) -> list[str]:
    gate = fitted.liver_gate
    if gate is None:
        return []
    sentence = (
        f"Score threshold {fitted.decision_threshold:g}; where the segmenter's mask of the liver is known "
        f"{gate.decision_threshold:g}, for boxes with {gate.minimum_share:g} or more of their area in the liver."
    )
    return [sentence, ""]


def _readable(method: str) -> str:
    return method.replace("_", " ")


def _metrics_table(metrics: dict[str, Metric]) -> list[str]:
    rows = [f"| {name} | {m.value:.3f} | {m.low:.3f} to {m.high:.3f} |" for name, m in metrics.items()]
    return ["| metric | value | 95 % interval |", "|---|---|---|", *rows]
