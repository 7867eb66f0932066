"""Base of the model services: an image and options in, a result out."""

from __future__ import annotations

import asyncio
from abc import ABC, abstractmethod
from collections.abc import AsyncIterator, Iterable, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from typing import ClassVar, Generic, Protocol, TypeVar

from hepar.contracts.cards import Ensemble, Task
from hepar.contracts.models import ServedModel
from hepar.contracts.problems import Problem
from hepar.contracts.views import View
from hepar.core.deadlines import Deadline
from hepar.core.errors import HeparError, InvalidField, InvalidRequest
from hepar.core.request_context import stage
from hepar.imaging.prepared import ImageBatch, PreparedImage
from hepar.inference import CombinedCalls, Inference, ModelRepositoryWatcher, ModelSet, TritonClient
from hepar.serving.batches import Groups, results_as_ready
from hepar.serving.decode_workers import ImageDecoder
from hepar.serving.drift_monitor import DriftMonitor
from hepar.serving.quorum import call_models
from hepar.serving.scope_check import ScopeCheck, ScopeModels, ScopeResult
from hepar.serving.segmenter import SegmenterOutput
from hepar.serving.slices import Slices
from hepar.web.uploads import ImageBytes


class ModelOptions(Protocol):
    """What a request may choose."""

    @property
    def method(self) -> str | None:
        """The decision method; None for the ensemble's default."""
        ...

    @property
    def models(self) -> list[str] | None:
        """Names of the models to use; None for all."""
        ...

    @property
    def renders(self) -> bool:
        """Whether the result contains a rendered image."""
        ...


Options = TypeVar("Options", bound=ModelOptions)
Output = TypeVar("Output")
Result = TypeVar("Result")


@dataclass(frozen=True)
class ModelBackend:
    """What a model service works with. quorum: models that must answer."""

    triton: TritonClient
    combined: CombinedCalls
    models: ModelRepositoryWatcher
    scope_check: ScopeCheck
    decoder: ImageDecoder
    quorum: int


@dataclass(frozen=True)
class ImageRequest(Generic[Options]):
    """One image with all that its result depends on. models: as they were when the request came."""

    image: PreparedImage
    options: Options
    models: ModelSet
    ensemble: Ensemble
    deadline: Deadline


@dataclass(frozen=True)
class BatchRequest(Generic[Options]):
    """Images that are analysed together. inference: calls the models.  models: as they were when the request came."""

    batch: ImageBatch
    inference: Inference
    options: Options
    models: ModelSet
    ensemble: Ensemble
    deadline: Deadline

    def of_image(self, image: PreparedImage) -> ImageRequest[Options]:
        return ImageRequest(image, self.options, self.models, self.ensemble, self.deadline)


@dataclass(frozen=True)
class ImageAnswers(Generic[Options, Output]):
    """What the models answered about one image.

    outputs: empty where the image is out of scope, as the networks' output means nothing then.  missing: models that
    did not answer.
    """

    request: ImageRequest[Options]
    outputs: Sequence[Output]
    scope: ScopeResult
    missing: list[str]


@dataclass(frozen=True)
class _Plan(Generic[Options]):
    """What a request is answered with. names: of the models that are called."""

    options: Options
    models: ModelSet
    names: list[str]
    ensemble: Ensemble
    scope_models: ScopeModels

    @property
    def views(self) -> AbstractSet[View]:
        return self.models.views | self.scope_models.views


def batch_of_one(image: PreparedImage) -> ImageBatch:
    """Copies no pixels, so the event loop may do it."""
    return ImageBatch((image,), {view: prepared.pixels[None] for view, prepared in image.inputs.items()})


class ModelService(ABC, Generic[Options, Output, Result]):
    """Calls all models of one task for each image, at once and within one deadline, and combines their outputs."""

    task: ClassVar[Task]
    models_parameter: ClassVar[str]
    """Query parameter that selects models."""
    method_parameter: ClassVar[str]
    """Query parameter that selects the decision method."""

    def __init__(self, backend: ModelBackend) -> None:
        self._backend = backend
        self._drift = DriftMonitor(self.task)

    @abstractmethod
    def unfitted_ensemble(self, models: ModelSet, method: str | None) -> Ensemble:
        """The decision method for models that were not fitted together. Raises InvalidRequest."""

    @abstractmethod
    async def call_model(self, model: str, request: BatchRequest[Options]) -> list[Output | HeparError]:
        """For each image the model's output, or what `TritonClient.infer` raises."""

    @abstractmethod
    def combine(self, answers: ImageAnswers[Options, Output]) -> Result:
        """Runs in a thread."""

    @abstractmethod
    def record_metrics(self, result: Result) -> None:
        """Called once per image."""

    @abstractmethod
    def drift_signals(self, image: PreparedImage, result: Result) -> dict[str, float]:
        """What is compared with the reference in the model cards, by signal."""

    async def analyse(
        self, content: ImageBytes, options: Options, deadline: Deadline, account: str, frame: int | None = None
    ) -> Result:
        """content: an image file.  account: whose.  frame: of a multi-frame DICOM object, from 0.

        Raises InvalidRequest for an unknown model or method, and what `ImageDecoder.decode` and `call_models` raise.
        """
        plan = self._plan(options)
        image = await self._decoded(plan, content, deadline, account, frame)
        (result,) = await self._analysed(plan, [image], deadline)
        if isinstance(result, HeparError):
            raise result
        return result

    async def analyse_slices(
        self, slices: Slices, options: Options, deadline: Deadline
    ) -> list[ImageAnswers[Options, Output]]:
        """What the models answered about each slice, as for images of their own. Raises the first slice's error."""
        plan = self._plan(options)
        batch = await asyncio.to_thread(slices.prepared, plan.views)
        segmented = slices.segmented(batch, plan.scope_models.segmenter)
        answers: list[ImageAnswers[Options, Output]] = []
        for answer in await self._call_models(plan, batch, deadline, segmented):
            if isinstance(answer, HeparError):
                raise answer
            answers.append(answer)
        return answers

    async def _decoded(
        self, plan: _Plan[Options], content: ImageBytes, deadline: Deadline, account: str, frame: int | None = None
    ) -> PreparedImage:
        renders = plan.options.renders
        return await self._backend.decoder.decode(
            content, frame, account=account, deadline=deadline, views=plan.views, with_preview=renders
        )

    async def _analysed(
        self, plan: _Plan[Options], images: Sequence[PreparedImage], deadline: Deadline
    ) -> list[Result | HeparError]:
        """For each image its result, or what `analyse` raises."""
        batch = batch_of_one(images[0]) if len(images) == 1 else await asyncio.to_thread(ImageBatch.of, images)
        answers = await self._call_models(plan, batch, deadline)
        results: list[Result | HeparError] = await asyncio.to_thread(
            lambda: [answer if isinstance(answer, HeparError) else self.combine(answer) for answer in answers]
        )
        is_default = plan.options.method is None and not plan.options.models
        for image, answer, result in zip(images, answers, results, strict=True):
            if isinstance(answer, HeparError) or isinstance(result, HeparError):
                continue
            self.record_metrics(result)
            if is_default and not answer.scope.out_of_scope and not answer.missing:
                self._drift.record(plan.models, self.drift_signals(image, result))
        return results

    async def _call_models(
        self,
        plan: _Plan[Options],
        batch: ImageBatch,
        deadline: Deadline,
        segmented: Sequence[SegmenterOutput] | None = None,
    ) -> list[ImageAnswers[Options, Output] | HeparError]:
        """For each image. segmented: see `ScopeCheck.check`."""
        called = {name: plan.models.routings[name] for name in plan.names} | plan.scope_models.input_check_routing
        inference = self._backend.combined.for_models(called)
        request = BatchRequest(batch, inference, plan.options, plan.models, plan.ensemble, deadline)
        with stage("models"):
            scopes, answered = await asyncio.gather(
                self._backend.scope_check.check(batch, plan.scope_models, deadline, inference, segmented),
                call_models(plan.names, lambda model: self.call_model(model, request), self._backend.quorum),
            )
        return [
            answers
            if isinstance(answers, HeparError)
            else ImageAnswers(
                request.of_image(image),
                [] if scope.out_of_scope else answers.outputs,
                scope,
                answers.missing + scope.missing,
            )
            for image, scope, answers in zip(batch.images, scopes, answered, strict=True)
        ]

    def _plan(self, options: Options) -> _Plan[Options]:
        """Raises InvalidRequest for an unknown model or method."""
        models = self._backend.models.current
        names = self._selected_models(models.cards, options)
        return _Plan(options, models, names, self._ensemble(models, options), self._backend.scope_check.models)

    def analyse_batch(
        self, images: Sequence[ImageBytes | HeparError], options: Options, deadline: Deadline, account: str
    ) -> AsyncIterator[tuple[int, Result | Problem]]:
        """The index and the result of each image, as they become ready. Raises InvalidRequest as `analyse` does.

        All images meet the same models, those of when the request came.
        """
        plan = self._plan(options)
        groups = Groups[PreparedImage, Result](lambda images: self._analysed(plan, images, deadline))

        async def result_of(content: ImageBytes) -> Result:
            return await groups.result_of(await self._decoded(plan, content, deadline, account))

        return results_as_ready(images, result_of)

    async def served_models(self) -> list[ServedModel]:
        """The models, their input check and the segmenter, sorted by name. Takes at most a second."""
        routings = dict(self._backend.models.current.routings) | self._backend.scope_check.models.routings
        ready = await self._backend.triton.ready_models(sorted(routings))
        return [
            ServedModel(card=routings[name].card, serving=ready[name], versions=routings[name].versions)
            for name in sorted(routings)
        ]

    async def readiness(self) -> dict[str, bool]:
        """Whether enough models answer now for a result."""
        names = list(self._backend.models.current.cards)
        ready = await self._backend.triton.ready_models(names)
        required = min(self._backend.quorum, len(names))
        return {self.models_parameter: 0 < required <= sum(ready.values())}

    def _selected_models(self, available: Iterable[str], options: Options) -> list[str]:
        """Raises InvalidRequest for an unknown name."""
        names, wanted = list(available), set(options.models or ())
        if unknown := sorted(wanted - set(names)):
            message = f"there is no model {', '.join(unknown)}; there are {', '.join(names)}"
            raise InvalidRequest(message, InvalidField("query", f"/{self.models_parameter}", "unknown_model", message))
        return [name for name in names if not wanted or name in wanted]

    def _ensemble(self, models: ModelSet, options: Options) -> Ensemble:
        """Raises InvalidRequest for a method that was not fitted."""
        fitted, method = models.ensemble, options.method
        if fitted is None:
            return self.unfitted_ensemble(models, method)
        methods = {str(name): ensemble for name, ensemble in fitted.methods.items()}
        if method is not None and method not in methods:
            message = f"the models have no {method}; they have {', '.join(fitted.methods)}"
            raise InvalidRequest(message, InvalidField("query", f"/{self.method_parameter}", "unknown_method", message))
        return methods[method or fitted.default]
