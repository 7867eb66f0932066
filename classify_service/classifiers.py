"""Classification by all classifiers of the model repository."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache, partial
from typing import cast

import numpy as np
from numpy.typing import NDArray

from classify_service.shadow import ShadowVersions
from hepar.contracts.analyses import Classification, Explanation, ModelVote, Outcome
from hepar.contracts.cards import Ensemble, ModelCard, VotingMethod
from hepar.core.errors import HeparError, InvalidField, InvalidRequest
from hepar.core.metrics import CONFIDENCE, DECISIONS, DISAGREEMENT, VOTES
from hepar.core.request_context import current_request_id
from hepar.ensemble.activation_maps import ActivationMap, as_rows, ensemble_activation_map, map_on_image
from hepar.ensemble.liver_pooling import cell_shares, logits_in_liver
from hepar.ensemble.voting import (
    Decision,
    Thresholds,
    Vote,
    calibrated_probabilities,
    disagreement,
    majority_vote,
    soft_vote,
)
from hepar.imaging.annotation import base64_text, overlay_png
from hepar.imaging.geometry import Orientation
from hepar.imaging.letterbox import LetterboxTransform
from hepar.imaging.prepared import PreparedImage, Preview
from hepar.inference import ModelSet
from hepar.inference.outputs import ExpectedOutput, Tensor
from hepar.inference.triton import InferenceResult
from hepar.serving.decode_workers import image_facts
from hepar.serving.model_service import BatchRequest, ImageAnswers, ModelBackend, ModelService
from hepar.serving.options import VotingOptions
from hepar.serving.scope_check import ScopeResult

DEFAULT_METHOD: VotingMethod = "soft_vote"
_LOGITS_MAX = 1e4
Liver = NDArray[np.bool_]
"""(h, w): the segmenter's mask of the liver, over its input."""
LiverShares = Callable[[int, int], NDArray[np.float64]]
"""`cell_shares` of one liver, by height and width of the activation map."""


@dataclass(frozen=True)
class ClassifierOutput:
    """Output of one classifier.

    logits: (labels,).  activation: (labels, h, w) over the network's input, None unless requested or needed.
    transform: where the image lies in that input.  orientation: how the image was turned for the networks.
    """

    card: ModelCard
    version: str
    duration_ms: float
    logits: Tensor
    activation: Tensor | None
    transform: LetterboxTransform
    orientation: Orientation

    @property
    def label(self) -> str:
        """The most probable label."""
        return self.card.labels[int(self.logits.argmax())]

    def pools_in(self, liver: Liver) -> bool:
        """Whether it can vote by the evidence in the liver: its input and the segmenter's have the same shape."""
        height, width = liver.shape
        same_shape = self.card.input.height * width == self.card.input.width * height
        return self.card.liver_pooling is not None and self.activation is not None and same_shape

    def vote(self, liver: LiverShares | None) -> Vote:
        """liver: to pool the evidence in; None for the whole image."""
        logits, temperature = self.logits, self.card.temperature
        pooling = self.card.liver_pooling
        if liver is not None and pooling is not None and self.activation is not None:
            shares = liver(*self.activation.shape[1:])
            logits, temperature = logits_in_liver(self.activation, shares, pooling), pooling.temperature
        return Vote(self.card.name, tuple(self.card.labels), calibrated_probabilities(logits, temperature))

    def activation_map(self, label: str, liver: LiverShares | None) -> ActivationMap | None:
        """Over the image as sent. liver: evidence outside of it did not count; None for the whole image."""
        if self.activation is None:
            return None
        values = self.activation[self.card.labels.index(label)]
        if liver is not None:
            values = np.where(liver(*values.shape) > 0, values, 0)
        return map_on_image(values, self.transform, self.orientation)


class Classifiers(ModelService[VotingOptions, ClassifierOutput, Classification]):
    """Classifies images by a vote of all classifiers."""

    task = "classification"
    models_parameter = "classifiers"
    method_parameter = "vote"

    def __init__(self, backend: ModelBackend) -> None:
        super().__init__(backend)
        self._shadow_versions = ShadowVersions()

    def unfitted_ensemble(self, models: ModelSet, method: str | None) -> Ensemble:
        """Equal weights, and the highest decision threshold of the models."""
        if method == "weighted_vote":
            message = "these models were not fitted together: there are no weights to vote by"
            raise InvalidRequest(message, InvalidField("query", "/vote", "not_fitted", message))
        return Ensemble(
            method=cast("VotingMethod", method or DEFAULT_METHOD),
            members=dict.fromkeys(models.cards, 1.0) or {"none": 1.0},
            decision_threshold=max((card.decision_threshold for card in models.cards.values()), default=0.0),
            metrics={},
        )

    async def call_model(self, model: str, request: BatchRequest[VotingOptions]) -> list[ClassifierOutput | HeparError]:
        """Shadow versions get the same images afterwards; nothing waits for them."""
        routing = request.models.routings[model]
        outputs = await self._call_version(*routing.choose_version(), request)
        for version, card in routing.shadow_versions.items():
            self._shadow_versions.compare(outputs, version, self._call_version(version, card, request))
        return outputs

    async def _call_version(
        self, version: str, card: ModelCard, request: BatchRequest[VotingOptions]
    ) -> list[ClassifierOutput | HeparError]:
        view, labels = card.input.view, len(card.labels)
        expected = {"logits": ExpectedOutput((labels,), "f", -_LOGITS_MAX, _LOGITS_MAX)}
        if request.options.renders or card.liver_pooling is not None:
            expected["activation"] = ExpectedOutput((labels, -1, -1), "f")
        images, pixels = request.batch.images, request.batch.stacks[view]
        results = await request.inference.infer_batch(card.name, pixels, expected, request.deadline, version)
        return [
            ClassifierOutput(
                card,
                result.version,
                result.duration_ms,
                result.outputs["logits"],
                result.outputs.get("activation"),
                image.inputs[view].transform,
                image.geometry.orientation,
            )
            if isinstance(result, InferenceResult)
            else result
            for image, result in zip(images, results, strict=True)
        ]

    def combine(self, answers: ImageAnswers[VotingOptions, ClassifierOutput]) -> Classification:
        request, outputs, scope = answers.request, answers.outputs, answers.scope
        method = cast("VotingMethod", request.ensemble.method)
        if scope.out_of_scope:
            return _out_of_scope(method, request.image, scope, answers.missing)
        liver = _common_liver(outputs, scope)
        ensemble = request.ensemble if liver is None else request.ensemble.of_liver_votes
        votes = [output.vote(liver) for output in outputs]
        weights = _weights(ensemble, votes)
        decision = _decision(ensemble, votes, weights)
        label = decision.most_probable_label
        entropy, mutual_information = disagreement(votes, weights)
        preview, options = request.image.preview, request.options
        maps = {output.card.name: output.activation_map(label, liver) for output in outputs if options.renders}
        return Classification(
            outcome=_outcome(decision),
            label=decision.label,
            tumour=decision.tumour,
            tumour_probability=decision.tumour_probability,
            type_probabilities=decision.type_probabilities,
            most_probable_label=label,
            probability=decision.probability,
            probabilities=decision.probabilities,
            scope=scope.scope,
            method=method,
            agreeing_models=decision.agreeing_models,
            voting_models=len(votes),
            entropy=round(entropy, 4),
            mutual_information=round(mutual_information, 4),
            votes=[
                _model_vote(
                    output,
                    vote,
                    _explanation(label, maps[vote.model], preview, vote.model) if options.explain_models else None,
                )
                for output, vote in zip(outputs, votes, strict=True)
            ],
            missing_models=answers.missing,
            explanation=_ensemble_explanation(label, maps, weights, preview) if options.explain else None,
            image=image_facts(request.image),
            request_id=current_request_id(),
        )

    def record_metrics(self, result: Classification) -> None:
        DECISIONS.labels(result.outcome, result.label or "").inc()
        if result.probability is not None and result.mutual_information is not None:
            CONFIDENCE.observe(result.probability)
            DISAGREEMENT.observe(result.mutual_information)
        for vote in result.votes:
            VOTES.labels(vote.model, vote.version, vote.label).inc()

    def drift_signals(self, image: PreparedImage, result: Classification) -> dict[str, float]:
        """grey_mean: 0 to 255.  confidence: 0 to 1.  disagreement: in nats."""
        return {
            "grey_mean": image.grey_mean,
            "confidence": result.probability or 0.0,
            "disagreement": result.mutual_information or 0.0,
        }


def _common_liver(outputs: Sequence[ClassifierOutput], scope: ScopeResult) -> LiverShares | None:
    """The liver that all votes are from; None where one of them can only be from the whole image."""
    if scope.segmented is None or not scope.segmented.masks.liver_seen:
        return None
    liver = scope.segmented.masks.liver
    return cache(partial(cell_shares, liver)) if all(output.pools_in(liver) for output in outputs) else None


def _weights(ensemble: Ensemble, votes: Sequence[Vote]) -> Mapping[str, float]:
    """By model; equal where all models with a weight are missing."""
    if sum(ensemble.members.get(vote.model, 0.0) for vote in votes) > 0:
        return ensemble.members
    return dict.fromkeys((vote.model for vote in votes), 1.0)


def _decision(ensemble: Ensemble, votes: Sequence[Vote], weights: Mapping[str, float]) -> Decision:
    thresholds = Thresholds.of(ensemble)
    if ensemble.method == "majority_vote":
        return majority_vote(votes, thresholds)
    return soft_vote(votes, thresholds, weights, ensemble.temperature)


def _outcome(decision: Decision) -> Outcome:
    if decision.label is not None:
        return "decided"
    return "type_undecided" if decision.tumour else "indeterminate"


def _out_of_scope(method: VotingMethod, image: PreparedImage, scope: ScopeResult, missing: list[str]) -> Classification:
    return Classification(
        outcome="out_of_scope",
        label=None,
        tumour=None,
        tumour_probability=None,
        type_probabilities={},
        most_probable_label=None,
        probability=None,
        probabilities={},
        scope=scope.scope,
        method=method,
        agreeing_models=0,
        voting_models=0,
        entropy=None,
        mutual_information=None,
        votes=[],
        missing_models=missing,
        image=image_facts(image),
        request_id=current_request_id(),
    )


def _model_vote(output: ClassifierOutput, vote: Vote, explanation: Explanation | None) -> ModelVote:
    return ModelVote(
        model=vote.model,
        version=output.version,
        label=vote.label,
        probabilities=dict(zip(vote.labels, vote.probabilities.tolist(), strict=True)),
        duration_ms=round(output.duration_ms, 1),
        explanation=explanation,
    )


def _ensemble_explanation(
    label: str, maps: Mapping[str, ActivationMap | None], weights: Mapping[str, float], preview: Preview | None
) -> Explanation | None:
    available = {model: values for model, values in maps.items() if values is not None}
    combined = ensemble_activation_map(available, weights) if available else None
    return _explanation(label, combined, preview, "ensemble")


def _explanation(label: str, values: ActivationMap | None, preview: Preview | None, source: str) -> Explanation | None:
    if values is None or preview is None:
        return None
    picture = overlay_png(preview, values, f"{source}: activation map for {label}")
    return Explanation(label=label, activation_map=as_rows(values), overlay_png=base64_text(picture))
