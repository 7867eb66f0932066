"""The Triton client (deadlines, retries, circuit breaker, validated outputs) and the model repository."""

from hepar.inference.combined_calls import CombinedCalls, Inference
from hepar.inference.model_cards import agreed_ensemble, read_cards
from hepar.inference.repository_watcher import ModelRepositoryWatcher, ModelSet
from hepar.inference.triton import TritonClient

__all__ = [
    "CombinedCalls",
    "Inference",
    "ModelRepositoryWatcher",
    "ModelSet",
    "TritonClient",
    "agreed_ensemble",
    "read_cards",
]
