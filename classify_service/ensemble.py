"""All classifiers on one image, at once, within one deadline."""

from __future__ import annotations

from dataclasses import dataclass

from hepar.contracts.cards import ModelCard
from hepar.ensemble.voting import Verdict, Vote, calibrated_probabilities, majority_vote, soft_vote
from hepar.imaging import CtImage
from hepar.imaging.fitting import fit
from hepar.inference import TritonClient, agreed_ensemble
from hepar.inference.triton import Expected
from hepar.service.deadlines import Deadline
from hepar.service.models import ask_all


@dataclass(frozen=True)
class TimedVote:
    vote: Vote
    version: str
    duration_ms: float


@dataclass(frozen=True)
class Ballot:
    """The verdict, the votes behind it, and the models that should have voted and did not."""

    verdict: Verdict
    votes: list[TimedVote]
    missing: list[str]


class Ensemble:
    """The classifiers that the model repository has cards for."""

    def __init__(self, triton: TritonClient, cards: dict[str, ModelCard], quorum: int) -> None:
        self._triton = triton
        self._cards = cards
        self._fitted = agreed_ensemble(cards)
        self._quorum = quorum

    async def vote(self, image: CtImage, deadline: Deadline) -> Ballot:
        """Raises Unavailable, DeadlineExceeded or BadUpstream when fewer models answer than the quorum."""

        async def ask(model: str) -> TimedVote:
            card = self._cards[model]
            pixels, _ = fit(image.pixels, card.input.height, card.input.width)
            expected = {"logits": Expected((len(card.labels),), "f")}
            answer = await self._triton.infer(model, pixels, expected, deadline)
            probabilities = calibrated_probabilities(answer.outputs["logits"], card.temperature)
            return TimedVote(Vote(model, tuple(card.labels), probabilities), answer.version, answer.duration_ms)

        votes, missing = await ask_all(list(self._cards), ask, self._quorum)
        return Ballot(self._decided([timed.vote for timed in votes]), votes, missing)

    def _decided(self, votes: list[Vote]) -> Verdict:
        fitted = self._fitted
        if fitted is None:
            return soft_vote(votes, max(self._cards[vote.model].decision_threshold for vote in votes))
        if fitted.method == "majority_vote":
            return majority_vote(votes, fitted.decision_threshold)
        if sum(fitted.members[vote.model] for vote in votes) <= 0:  # those with a weight are the missing ones
            return soft_vote(votes, fitted.decision_threshold, temperature=fitted.temperature)
        return soft_vote(votes, fitted.decision_threshold, fitted.members, fitted.temperature)

    async def readiness(self) -> dict[str, bool]:
        ready = await self._triton.ready_models(list(self._cards))
        return {"classifiers": sum(ready.values()) >= self._quorum}
