"""What a caller may choose about an analysis: the same query parameters at the gateway and behind it."""

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
    Query(max_length=_MODELS_MAX, description="ask these alone (repeat the parameter); all where it is left out"),
]


@dataclass(frozen=True)
class VotingOptions:
    """vote: the ensemble's own method where None."""

    vote: Annotated[VotingMethod | None, Query(description="how the classifiers decide together")] = None
    classifiers: _Models = None
    explain: Annotated[bool, Query(description="add the ensemble's activation map, as numbers and as a picture")] = (
        False
    )
    explain_models: Annotated[bool, Query(description="add each model's activation map as well")] = False

    def query(self) -> list[tuple[str, str]]:
        """As parameters of the next hop."""
        chosen: list[tuple[str, str]] = [("vote", self.vote)] if self.vote else []
        chosen += [("classifiers", name) for name in self.classifiers or ()]
        return chosen + [(name, "true") for name in ("explain", "explain_models") if getattr(self, name)]


@dataclass(frozen=True)
class FusionOptions:
    """fusion: the ensemble's own method where None."""

    fusion: Annotated[FusionMethod | None, Query(description="how boxes of several detectors become one")] = None
    detectors: _Models = None
    annotate: Annotated[bool, Query(description="add the image with its boxes drawn")] = False

    def query(self) -> list[tuple[str, str]]:
        """As parameters of the next hop."""
        chosen: list[tuple[str, str]] = [("fusion", self.fusion)] if self.fusion else []
        chosen += [("detectors", name) for name in self.detectors or ()]
        return chosen + ([("annotate", "true")] if self.annotate else [])


def _chosen_as(options: Callable[..., Options]) -> Callable[..., Awaitable[Options]]:
    """The same parameters as a coroutine: FastAPI takes a thread for anything else, at every request."""

    async def choose(**chosen: object) -> Options:
        return options(**chosen)

    vars(choose)["__signature__"] = inspect.signature(options)  # FastAPI reads it
    return choose


VotingChoice = Annotated[VotingOptions, Depends(_chosen_as(VotingOptions))]
FusionChoice = Annotated[FusionOptions, Depends(_chosen_as(FusionOptions))]
