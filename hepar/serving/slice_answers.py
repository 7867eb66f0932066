"""Which models answered about the slices of a volume, and which did not."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Protocol, TypeVar

from hepar.contracts.cards import ModelCard
from hepar.contracts.study_results import ModelVersion
from hepar.serving.model_service import ImageAnswers, Options


class VersionedOutput(Protocol):
    """Output of one model."""

    @property
    def card(self) -> ModelCard: ...

    @property
    def version(self) -> str: ...


Versioned = TypeVar("Versioned", bound=VersionedOutput)


def answered_versions(answers: Iterable[ImageAnswers[Options, Versioned]]) -> list[ModelVersion]:
    """Of all models whose output was used for any slice, input check and segmenter among them; sorted by name."""
    found = sorted({version for answer in answers for version in _versions(answer)})
    return [ModelVersion(model=model, version=version) for model, version in found]


def _versions(answer: ImageAnswers[Options, Versioned]) -> Iterator[tuple[str, str]]:
    for output in answer.outputs:
        yield output.card.name, output.version
    scope = answer.scope.scope
    for model in (scope.input_check, scope.liver) if scope else ():
        if model is not None:
            yield model.model, model.version


def missing_models(answers: Sequence[ImageAnswers[Options, Versioned]]) -> list[str]:
    """Names of the models that did not answer for at least one slice."""
    return sorted({name for answer in answers for name in answer.missing})
