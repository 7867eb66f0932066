"""One asynchronous Triton client: deadlines, retries, health, model cards, checked answers."""

from hepar.inference.cards import agreed_ensemble, read_cards
from hepar.inference.following import FollowedModels, ModelSet
from hepar.inference.triton import TritonClient

__all__ = ["FollowedModels", "ModelSet", "TritonClient", "agreed_ensemble", "read_cards"]
