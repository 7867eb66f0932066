"""All classifiers on one image, at once, within one deadline."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import cast

import numpy as np

from classify_service.shadow import Shadow
from hepar.contracts.cards import Ensemble, ModelCard, VotingMethod
from hepar.contracts.models import ServedModel
from hepar.core.deadlines import Deadline
from hepar.core.errors import InvalidField, InvalidRequest
from hepar.core.metrics import CONFIDENCE, DECISIONS, DISAGREEMENT, VOTES
from hepar.core.request_context import stage
from hepar.ensemble.activation_maps import Map, ensemble_activation_map, evidence
from hepar.ensemble.voting import (
    Decision,
    Vote,
    calibrated_probabilities,
    disagreement,
    majority_vote,
    soft_vote,
)
from hepar.imaging import CtImage
from hepar.imaging.letterbox import LetterboxCache, LetterboxTransform
from hepar.inference import ModelRepositoryWatcher, ModelSet, TritonClient
from hepar.inference.triton import Expected, Tensor
from hepar.serving.drift_monitor import Watch
from hepar.serving.models import ask_all, chosen, served_models
from hepar.serving.options import VotingOptions
from hepar.serving.scope_check import ScopeCheck, ScopeResult

DEFAULT: VotingMethod = "soft_vote"
_LOGITS_MAX = 1e4


@dataclass(frozen=True)
class TimedVote:
    """activation: (labels, h, w) over the network's input, where `placement` says the image lies; None unless asked."""

    vote: Vote
    version: str
    duration_ms: float
    placement: LetterboxTransform
    activation: Tensor | None

    def activation_map_for(self, label: str) -> Map | None:
        if self.activation is None:
            return None
        return evidence(self.activation[self.vote.labels.index(label)], self.placement)


@dataclass(frozen=True)
class EnsembleResult:
    """The decision, the votes behind it, the result of the scope check, and the models that did not answer.

    entropy, mutual_information: in nats.  evidence: of the most probable label, where it was requested.
    """

    decision: Decision
    method: VotingMethod
    entropy: float
    mutual_information: float
    votes: list[TimedVote]
    missing: list[str]
    evidence: Map | None
    look: ScopeResult


class Classifiers:
    """The classifiers that the model repository has cards for, as it is now."""

    def __init__(self, triton: TritonClient, models: ModelRepositoryWatcher, check: ScopeCheck, quorum: int) -> None:
        self._triton = triton
        self._models = models
        self._check = check
        self._quorum = quorum
        self._watch = Watch("classification")
        self._shadow = Shadow()

    async def vote(self, image: CtImage, deadline: Deadline, options: VotingOptions) -> EnsembleResult:
        """Raises InvalidRequest for a model or a method that is not offered, and what `ask_all` raises."""
        models = self._models.current
        names = chosen(models.cards, options.classifiers, "classifiers")
        way = _way(models, options.vote)
        letterboxes = LetterboxCache(image.pixels)
        mapped = options.explain or options.explain_models

        async def ask(model: str) -> TimedVote:
            offer = models.offers[model]
            timed = await answered(model, *offer.pick())
            for version, card in offer.shadows.items():
                self._shadow.ask(timed.vote, version, answered(model, version, card))
            return timed

        async def answered(model: str, version: str, card: ModelCard) -> TimedVote:
            pixels, placement = letterboxes.to(card.input.height, card.input.width)
            labels = len(card.labels)
            expected = {"logits": Expected((labels,), "f", -_LOGITS_MAX, _LOGITS_MAX)}
            if mapped:
                expected["activation"] = Expected((labels, -1, -1), "f")
            answer = await self._triton.infer(model, pixels, expected, deadline, version)
            probabilities = calibrated_probabilities(answer.outputs["logits"], card.temperature)
            vote = Vote(model, tuple(card.labels), probabilities)
            return TimedVote(vote, answer.version, answer.duration_ms, placement, answer.outputs.get("activation"))

        with stage("models"):
            look, (votes, missing) = await asyncio.gather(
                self._check.look(letterboxes, deadline), ask_all(names, ask, self._quorum)
            )
        result = _counted(votes, missing + look.missing, way, look)
        _measure(result)
        if not look.out_of_scope and not missing and options.vote is None and not options.classifiers:
            self._watch.note(models, signals_of(image, result))
        return result

    async def served(self) -> list[ServedModel]:
        """These and their input check, and who answers now."""
        return await served_models(self._triton, dict(self._models.current.offers) | self._check.offers)

    async def readiness(self) -> dict[str, bool]:
        names = list(self._models.current.cards)
        ready = await self._triton.ready_models(names)
        return {"classifiers": 0 < min(self._quorum, len(names)) <= sum(ready.values())}


def signals_of(image: CtImage, result: EnsembleResult) -> dict[str, float]:
    """What is compared with the cards' reference: grey_mean 0..255, confidence 0..1, disagreement in nats."""
    return {
        "grey_mean": float(image.pixels.mean()),
        "confidence": result.decision.probability,
        "disagreement": result.mutual_information,
    }


def _measure(result: EnsembleResult) -> None:
    if result.look.out_of_scope:
        DECISIONS.labels("out_of_scope", "").inc()
        return
    decision = result.decision
    outcome = ("decided", decision.most_probable_label) if decision.decided else ("indeterminate", "")
    DECISIONS.labels(*outcome).inc()
    CONFIDENCE.observe(decision.probability)
    DISAGREEMENT.observe(result.mutual_information)
    for timed in result.votes:
        VOTES.labels(timed.vote.model, timed.version, timed.vote.label).inc()


def _way(models: ModelSet, method: VotingMethod | None) -> Ensemble:
    """The fitted one, or equal weights where the models were not fitted together. Raises InvalidRequest."""
    fitted = models.ensemble
    if fitted is not None:
        if method is not None and method not in fitted.methods:
            message = f"the models have no {method}; they have {', '.join(fitted.methods)}"
            raise InvalidRequest(message, InvalidField("query", "/vote", "unknown_method", message))
        return fitted.methods[method or fitted.default]
    if method == "weighted_vote":
        message = "these models were not fitted together: there are no weights to vote by"
        raise InvalidRequest(message, InvalidField("query", "/vote", "not_fitted", message))
    return Ensemble(
        method=method or DEFAULT,
        members=dict.fromkeys(models.cards, 1.0) or {"none": 1.0},
        decision_threshold=max((card.decision_threshold for card in models.cards.values()), default=0.0),
        metrics={},
    )


def _counted(timed: list[TimedVote], missing: list[str], way: Ensemble, look: ScopeResult) -> EnsembleResult:
    votes = [one.vote for one in timed]
    weights = way.members
    if sum(weights.get(vote.model, 0.0) for vote in votes) <= 0:  # those with a weight are the missing ones
        weights = dict.fromkeys((vote.model for vote in votes), 1.0)
    if way.method == "majority_vote":
        decision = majority_vote(votes, way.decision_threshold)
    else:
        decision = soft_vote(votes, way.decision_threshold, weights, way.temperature)
    entropy, mutual_information = disagreement(votes, weights)
    maps = {one.vote.model: one.activation_map_for(decision.most_probable_label) for one in timed}
    known = {model: values for model, values in maps.items() if values is not None}
    together = ensemble_activation_map(known, weights) if known else None
    method = cast("VotingMethod", way.method)
    return EnsembleResult(decision, method, entropy, mutual_information, timed, missing, together, look)


def rows(values: Map) -> list[list[float]]:
    """As the document has it."""
    rounded: list[list[float]] = np.round(values, 3).tolist()
    return rounded
