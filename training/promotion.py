"""Promotes a new version of a model: it must be significantly better than the served one on the same data."""

from __future__ import annotations

from pathlib import Path

from hepar.contracts.cards import ModelCard, Versions
from training.prepared.dataset import data_fingerprint
from training.versions import (
    UnknownVersion,
    add_version,
    existing_versions,
    leading_version,
    read_card,
    read_versions,
    write_versions,
)


class PromotionRefused(Exception):
    """The repository stays as it is; the message gives the reason."""


def add_better_version(folder: Path, version: str, candidate: Path, data: Path) -> str:
    """Adds a version if it beats the served one; it serves no requests yet. Returns the result as a sentence.

    folder: of the model in the repository.  candidate: the exported folder of the new version.  data: prepared.
    Raises PromotionRefused, and FileExistsError if the version exists.
    """
    from training.evaluation.version_comparison import compare_versions

    model, card = _comparable_candidate(folder, candidate, data)
    served = folder / leading_version(read_versions(folder)) / "model.onnx"
    comparison = compare_versions(served, model, card, data)
    if not comparison.candidate_is_better:
        raise PromotionRefused(f"{comparison.sentence()}; {folder} is not changed")
    add_version(folder, version, model, card)
    return comparison.sentence()


def _comparable_candidate(folder: Path, candidate: Path, data: Path) -> tuple[Path, ModelCard]:
    """The ONNX file and card of the candidate.

    Raises PromotionRefused if it is not a version of the same model or was not evaluated on `data`.
    """
    versions = existing_versions(candidate)
    if not (candidate / "card.json").is_file() or not versions:
        raise PromotionRefused(
            f"{candidate} has no model: run `python -m training --repository ... export {folder.name}` first"
        )
    card, served = read_card(candidate / "card.json"), read_card(folder / "card.json")
    if card.task == "input_check":
        raise PromotionRefused("there is no paired test for an input check: export it to the repository instead")
    for field in ("name", "task", "labels", "input", "window"):
        if getattr(card, field) != getattr(served, field):
            raise PromotionRefused(
                f"{candidate} differs from {folder} in its {field}: it is another model, not another version"
            )
    if not (data / "manifest.jsonl").is_file() or data_fingerprint(data) != card.measured_on_sha256:
        raise PromotionRefused(
            f"{candidate} was not evaluated on the data in {data}: prepare it from the same source (DATA)"
        )
    return candidate / versions[-1] / "model.onnx", card


def serve_version(folder: Path, version: str, weight: float) -> Versions:
    """An existing version gets this share of the requests (above 0, at most 1); the others share the rest."""
    previous = read_versions(folder)
    others = _scaled(_without(previous.serving, version), 1 - weight)
    shadow = [other for other in previous.shadow if other != version]
    serving = {**others, version: weight if others else 1.0}
    return _write(folder, version, Versions(serving=serving, shadow=shadow))


def shadow_version(folder: Path, version: str) -> Versions:
    """An existing version gets a copy of the requests. Raises PromotionRefused if no other version serves."""
    previous = read_versions(folder)
    others = _scaled(_without(previous.serving, version), 1.0)
    if not others:
        raise PromotionRefused(f"version {version} is the only serving version: let another version serve first")
    shadow = [*(other for other in previous.shadow if other != version), version]
    return _write(folder, version, Versions(serving=others, shadow=shadow))


def roll_back(folder: Path, version: str) -> Versions:
    """An existing version serves all requests."""
    return _write(folder, version, Versions(serving={version: 1.0}))


def _write(folder: Path, version: str, versions: Versions) -> Versions:
    """Raises UnknownVersion, with a hint, if the version does not exist."""
    existing = existing_versions(folder)
    if version not in existing:
        raise UnknownVersion(
            f"{folder} has no version {version}; it has {', '.join(existing) or 'none'}. Add a new one with --candidate"
        )
    write_versions(folder, versions)
    return versions


def _without(weights: dict[str, float], version: str) -> dict[str, float]:
    return {other: weight for other, weight in weights.items() if other != version}


def _scaled(weights: dict[str, float], total: float) -> dict[str, float]:
    """The weights scaled to a sum of `total`; empty if that is 0."""
    if total <= 0:
        return {}
    scale = total / sum(weights.values()) if weights else 0.0
    return {version: round(weight * scale, 6) for version, weight in weights.items()}
