"""One asynchronous Triton client: deadlines, retries, health, model cards, checked answers."""

from hepar.inference.model_cards import agreed_ensemble, read_cards
from hepar.inference.repository_watcher import ModelRepositoryWatcher, ModelSet
from hepar.inference.triton import TritonClient

__all__ = ["ModelRepositoryWatcher", "ModelSet", "TritonClient", "agreed_ensemble", "read_cards"]
