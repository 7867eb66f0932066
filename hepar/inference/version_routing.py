"""The versions of a model that answer, and the card of each: `versions.json`, written by `training promote`."""

from __future__ import annotations

import random
from bisect import bisect_right
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from itertools import accumulate
from pathlib import Path

from pydantic import ValidationError

from hepar.contracts.cards import ModelCard, Versions
from hepar.contracts.views import View
from hepar.inference.model_cards import BrokenCard

NEWEST = ""


@dataclass(frozen=True)
class VersionRouting:
    """Versions of one model.

    card: the one in the model's folder.  versions, cards (by version): empty without a versions.json.
    """

    card: ModelCard
    versions: Versions | None = None
    cards: Mapping[str, ModelCard] = field(default_factory=dict)

    @property
    def required_versions(self) -> list[str]:
        """The versions that Triton must have loaded before this routing is used."""
        return [NEWEST] if self.versions is None else [*self.versions.serving, *self.versions.shadow]

    @property
    def views(self) -> set[View]:
        """Of all versions."""
        return {card.input.view for card in (self.card, *self.cards.values())}

    def choose_version(self, chance: Callable[[], float] = random.random) -> tuple[str, ModelCard]:
        """A serving version and its card, chosen at random by weight. chance: returns 0 to 1."""
        if self.versions is None:
            return NEWEST, self.card
        versions, weights = list(self.versions.serving), list(self.versions.serving.values())
        index = bisect_right(list(accumulate(weights)), chance() * sum(weights))
        version = versions[min(index, len(versions) - 1)]
        return version, self.cards[version]

    @property
    def shadow_versions(self) -> dict[str, ModelCard]:
        """Versions that get a copy of each request; their results are measured and not returned."""
        return {} if self.versions is None else {version: self.cards[version] for version in self.versions.shadow}


def read_version_routing(folder: Path, card: ModelCard) -> VersionRouting:
    """folder: of the model.  card: the one in that folder, used for versions without a card of their own.

    Raises BrokenCard for an invalid versions.json or version's card, and for a version that does not exist.
    """
    file = folder / "versions.json"
    if not file.is_file():
        return VersionRouting(card)
    try:
        versions = Versions.model_validate_json(file.read_bytes())
        cards = {version: _card(folder, version, card) for version in [*versions.serving, *versions.shadow]}
    except (OSError, ValidationError) as error:
        raise BrokenCard(f"{file}: {error}") from error
    return VersionRouting(card, versions, cards)


def _card(folder: Path, version: str, card: ModelCard) -> ModelCard:
    if not (folder / version).is_dir():
        raise BrokenCard(f"{folder} has no version {version}")
    own = folder / version / "card.json"
    found = ModelCard.model_validate_json(own.read_bytes()) if own.is_file() else card
    if (found.name, found.task, found.labels) != (card.name, card.task, card.labels):
        raise BrokenCard(f"{own}: is not of the same model and labels as {folder / 'card.json'}")
    return found
