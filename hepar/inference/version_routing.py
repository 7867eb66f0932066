"""Which versions of a model answer, and with what card each: `versions.json`, written by `training promote`."""

from __future__ import annotations

import random
from bisect import bisect_right
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from itertools import accumulate
from pathlib import Path

from pydantic import ValidationError

from hepar.contracts.cards import ModelCard, Versions
from hepar.inference.model_cards import BrokenCard

NEWEST = ""


@dataclass(frozen=True)
class VersionRouting:
    """Of one model. card: beside its configuration.  versions, cards by version: none without a versions.json."""

    card: ModelCard
    versions: Versions | None = None
    cards: Mapping[str, ModelCard] = field(default_factory=dict)

    @property
    def needed(self) -> list[str]:
        """The versions that must be loaded before this may be taken up."""
        return [NEWEST] if self.versions is None else [*self.versions.serving, *self.versions.shadow]

    def pick(self, chance: Callable[[], float] = random.random) -> tuple[str, ModelCard]:
        """A serving version, each as often as its weight says. chance: gives 0 to 1."""
        if self.versions is None:
            return NEWEST, self.card
        versions, weights = list(self.versions.serving), list(self.versions.serving.values())
        reached = bisect_right(list(accumulate(weights)), chance() * sum(weights))
        version = versions[min(reached, len(versions) - 1)]
        return version, self.cards[version]

    @property
    def shadows(self) -> dict[str, ModelCard]:
        """Versions that are asked beside, and whose answers nobody is given."""
        return {} if self.versions is None else {version: self.cards[version] for version in self.versions.shadow}


def read_version_routing(folder: Path, card: ModelCard) -> VersionRouting:
    """folder: of the model. card: the one beside its configuration, for versions without one of their own.

    Raises BrokenCard for a versions.json or a version's card that cannot be read, and for a version that is not there.
    """
    file = folder / "versions.json"
    if not file.is_file():
        return VersionRouting(card)
    try:
        versions = Versions.model_validate_json(file.read_bytes())
        cards = {one: _card(folder, one, card) for one in [*versions.serving, *versions.shadow]}
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
