"""Options of an analysis: the query parameters of the gateway and of the model services."""

from __future__ import annotations

import inspect
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Annotated, TypeVar

from fastapi import Depends, Query

from hepar.contracts.cards import FusionMethod, VotingMethod

_MODELS_MAX = 32
Options = TypeVar("Options")
_Models = Annotated[
    list[Annotated[str, Query(max_length=100)]] | None,
    Query(max_length=_MODELS_MAX, description="use only these models (repeat the parameter); all by default"),
]


@dataclass(frozen=True)
class VotingOptions:
    """Options of a classification."""

    vote: Annotated[
        VotingMethod | None, Query(description="how the votes are combined; by default as the model cards say")
    ] = None
    classifiers: _Models = None
    explain: Annotated[bool, Query(description="add the ensemble's activation map, as numbers and as an image")] = False
    explain_models: Annotated[bool, Query(description="add each model's activation map as well")] = False

    @property
    def method(self) -> str | None:
        return self.vote

    @property
    def models(self) -> list[str] | None:
        return self.classifiers

    @property
    def renders(self) -> bool:
        return self.explain or self.explain_models


@dataclass(frozen=True)
class FusionOptions:
    """Options of a detection."""

    fusion: Annotated[
        FusionMethod | None,
        Query(description="how the boxes of several detectors are combined; by default as the model cards say"),
    ] = None
    detectors: _Models = None
    annotate: Annotated[bool, Query(description="add the image with its boxes drawn")] = False
    outside_liver: Annotated[
        bool, Query(description="also return boxes outside the liver, marked with `inside_liver: false`")
    ] = False

    @property
    def method(self) -> str | None:
        return self.fusion

    @property
    def models(self) -> list[str] | None:
        return self.detectors

    @property
    def renders(self) -> bool:
        return self.annotate


def _coroutine_of(options: Callable[..., Options]) -> Callable[..., Awaitable[Options]]:
    """The same parameters as a coroutine: FastAPI runs any other dependency in a thread, for every request."""

    async def read_options(**parameters: object) -> Options:
        return options(**parameters)

    vars(read_options)["__signature__"] = inspect.signature(options)  # FastAPI reads it
    return read_options


VotingChoice = Annotated[VotingOptions, Depends(_coroutine_of(VotingOptions))]
FusionChoice = Annotated[FusionOptions, Depends(_coroutine_of(FusionOptions))]
