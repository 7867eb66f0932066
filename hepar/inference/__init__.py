"""One asynchronous Triton client: deadlines, health, model cards, checked answers."""

from hepar.inference.cards import agreed_ensemble, read_cards
from hepar.inference.triton import TritonClient

__all__ = ["TritonClient", "agreed_ensemble", "read_cards"]
