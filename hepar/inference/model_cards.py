"""The model cards beside the models: which networks there are and how to read what they say."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from pydantic import ValidationError

from hepar.contracts.cards import Ensembles, ModelCard, Task


class BrokenCard(Exception):
    """A card.json that is not a model card; the message names the file."""


def read_cards(repository: Path, task: Task) -> dict[str, ModelCard]:
    """The cards of one task by model name, in name order.

    Raises BrokenCard for a card that cannot be read, is invalid, names another model than its folder, or has other
    labels than its fellows: they could not vote together.
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
    """What the cards of one task say of their ensemble, where all say the same and it has just these members.

    None where a model joined or left since it was fitted: then the services decide by equal weights.
    """
    said = [card.ensemble for card in cards.values()]
    first = said[0] if said else None
    if first is None or any(other != first for other in said) or first.members != set(cards):
        return None
    return first
