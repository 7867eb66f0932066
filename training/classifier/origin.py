"""Where the weights of a classifier come from besides its training data, for its model card."""

from __future__ import annotations

import hashlib
from pathlib import Path

from training.configuration import ClassifierArchitecture
from training.teacher.lessons import Lessons


def origin(architecture: ClassifierArchitecture, lessons: Lessons | None) -> str:
    """Sentences about the start and the teacher of a training; empty without either."""
    sentences = []
    if architecture.weights and architecture.widths:
        digest = hashlib.sha256(Path(architecture.weights).read_bytes()).hexdigest()
        sentences.append(f"Started from the network with the fingerprint {digest[:16]}")
    elif architecture.weights:
        sentences.append(f"Backbone started from {architecture.weights}")
    if lessons is not None:
        sentences.append(f"Also learnt from a teacher, which is not part of the network: {lessons.provenance}")
    return ". ".join(sentences)
