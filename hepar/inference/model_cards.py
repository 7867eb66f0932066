"""Reading the model cards of a repository."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from pydantic import ValidationError

from hepar.contracts.cards import Ensembles, ModelCard, Task


class BrokenCard(Exception):
    """A card.json that is not a valid model card; the message names the file."""


def read_cards(repository: Path, task: Task) -> dict[str, ModelCard]:
    """The cards of one task by model name, sorted by name.

    Raises BrokenCard for a card that cannot be read, is invalid, names another model than its folder, or has other
    labels than the other cards of the task, as these models could not vote together.
    """
    cards: dict[str, ModelCard] = {}
    for file in sorted(repository.glob("*/card.json")):
        try:
            card = ModelCard.model_validate_json(file.read_bytes())
        except (OSError, ValidationError) as error:
            raise BrokenCard(f"{file}: {error}") from error
        if card.name != file.parent.name:
            raise BrokenCard(f"{file}: names the model {card.name!r}")
        if card.task != task:
            continue
        first = next(iter(cards.values()), card)
        if set(card.labels) != set(first.labels):
            raise BrokenCard(f"{file}: has other labels than {first.name}")
        cards[card.name] = card
    return cards


def agreed_ensemble(cards: Mapping[str, ModelCard]) -> Ensembles | None:
    """The ensemble of the cards of one task, if all cards hold the same one and its members are exactly these models.

    None where a model joined or left since the ensemble was fitted: the services then use equal weights.
    """
    ensembles = [card.ensemble for card in cards.values()]
    first = ensembles[0] if ensembles else None
    if first is None or any(other != first for other in ensembles) or first.members != set(cards):
        return None
    return first
