"""One asynchronous Triton client: deadlines, health, model cards, checked answers."""

from hepar.inference.cards import read_cards
from hepar.inference.triton import TritonClient

__all__ = ["TritonClient", "read_cards"]
