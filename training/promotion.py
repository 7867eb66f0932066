"""Letting a new version of a model answer: only one that beats the serving one, and only where both can be compared."""

from __future__ import annotations

from pathlib import Path

from hepar.contracts.cards import ModelCard, Versions
from training.prepare import data_fingerprint
from training.versions import UnknownVersion, current, leading, present, put_in, read_card, share


class NotLetIn(Exception):
    """The repository stays as it is; the message says why."""


def let_in(folder: Path, version: str, candidate: Path, data: Path) -> str:
    """Adds a version that wins; nobody asks it yet. Returns how it won.

    folder: of the model in the repository.  candidate: the exported folder of the new version.  data: prepared.
    Raises NotLetIn, and FileExistsError where there is a version of that number.
    """
    from training.evaluation.contest import hold

    graph, card = _comparable(folder, candidate, data)
    contest = hold(folder / leading(current(folder)) / "model.onnx", graph, card, data)
    if not contest.won:
        raise NotLetIn(f"{contest.sentence()}; {folder} stays as it is")
    put_in(folder, version, graph, card)
    return contest.sentence()


def _comparable(folder: Path, candidate: Path, data: Path) -> tuple[Path, ModelCard]:
    """The candidate's graph and card. Raises NotLetIn for one that cannot stand in the serving one's place."""
    if not (candidate / "card.json").is_file() or not (there := present(candidate)):
        raise NotLetIn(
            f"{candidate} holds no model: run `python -m training --repository ... export {folder.name}` first"
        )
    card, serving = read_card(candidate / "card.json"), read_card(folder / "card.json")
    if card.task == "input_check":
        raise NotLetIn("an input check is judged by its training: there is no contest to let a new one in by")
    for what in ("name", "task", "labels", "input", "window"):
        if getattr(card, what) != getattr(serving, what):
            raise NotLetIn(f"{candidate} has another {what} than {folder}: it is another model, not another version")
    if not (data / "manifest.jsonl").is_file() or data_fingerprint(data) != card.data_sha256:
        raise NotLetIn(f"{data} is not the data that {candidate} was judged on: prepare it with the same DATA")
    return candidate / there[-1] / "model.onnx", card


def give_calls(folder: Path, version: str, weight: float) -> Versions:
    """A version that is there answers this share of the calls (above 0, at most 1), the others what is left."""
    before = current(folder)
    others = _scaled({one: its for one, its in before.serving.items() if one != version}, 1 - weight)
    shadow = [one for one in before.shadow if one != version]
    return _shared(folder, version, Versions(serving={**others, version: weight if others else 1.0}, shadow=shadow))


def watch_only(folder: Path, version: str) -> Versions:
    """A version that is there is asked beside the others. Raises NotLetIn where no other answers."""
    before = current(folder)
    others = _scaled({one: its for one, its in before.serving.items() if one != version}, 1.0)
    if not others:
        raise NotLetIn(f"version {version} answers alone: let another one answer first")
    shadow = [*(one for one in before.shadow if one != version), version]
    return _shared(folder, version, Versions(serving=others, shadow=shadow))


def roll_back(folder: Path, version: str) -> Versions:
    """A version that is there answers alone."""
    return _shared(folder, version, Versions(serving={version: 1.0}))


def _shared(folder: Path, version: str, versions: Versions) -> Versions:
    """Raises UnknownVersion, with what would help, for a version that is not there."""
    if version not in present(folder):
        there = ", ".join(present(folder)) or "none"
        raise UnknownVersion(f"{folder} has no version {version}; it has {there}. A new one comes in by --candidate")
    share(folder, versions)
    return versions


def _scaled(weights: dict[str, float], total: float) -> dict[str, float]:
    """To that sum; none where it is 0."""
    whole = sum(weights.values())
    return {name: round(weight / whole * total, 6) for name, weight in weights.items()} if total > 0 else {}
