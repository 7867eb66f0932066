"""Options of an analysis."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from .contracts.cards import FusionMethod, VotingMethod


@dataclass(frozen=True)
class Options:
    """Query parameters of an analysis; docs/inference.md describes each. frame: of a multi-frame object, from 1."""

    vote: VotingMethod | None = None
    classifiers: Sequence[str] = ()
    explain: bool = False
    explain_models: bool = False
    fusion: FusionMethod | None = None
    detectors: Sequence[str] = ()
    annotate: bool = False
    frame: int | None = None

    def query(self) -> list[tuple[str, str]]:
        values = {name: getattr(self, name) for name in ("vote", "fusion", "frame")}
        pairs = [(name, str(value)) for name, value in values.items() if value is not None]
        pairs += [(name, "true") for name in ("explain", "explain_models", "annotate") if getattr(self, name)]
        pairs += [("classifiers", model) for model in self.classifiers]
        return pairs + [("detectors", model) for model in self.detectors]


DEFAULT_OPTIONS = Options()
