"""The model cards beside the models: which networks there are and how to read what they say."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydantic import ValidationError

from hepar.contracts.cards import ModelCard


class BrokenCard(Exception):
    """A card.json that is not a model card; the message names the file."""


def read_cards(repository: Path, task: Literal["classification", "detection"]) -> dict[str, ModelCard]:
    """The cards of one task by model name, in name order.

    Raises BrokenCard for a card that cannot be read, is invalid, or names another model than its folder.
    """
    cards = {}
    for file in sorted(repository.glob("*/card.json")):
        try:
            card = ModelCard.model_validate_json(file.read_bytes())
        except (OSError, ValidationError) as error:
            raise BrokenCard(f"{file}: {error}") from error
        if card.name != file.parent.name:
            raise BrokenCard(f"{file}: names the model {card.name!r}")
        if card.task == task:
            cards[card.name] = card
    return cards
