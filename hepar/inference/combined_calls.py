"""Calls of the combined model: one call of Triton for the input check and all classifiers."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np

from hepar.core.combined_model import FILES, CombinedModel, find_combined_model, output_name
from hepar.core.deadlines import Deadline
from hepar.core.errors import HeparError
from hepar.core.file_stamps import file_stamps
from hepar.core.metrics import BREAKER_OPEN, MODEL_FAILURES
from hepar.inference.circuit_breaker import CircuitBreaker
from hepar.inference.outputs import ExpectedOutput, Tensor, has_expected_form, valid_images
from hepar.inference.repository_watcher import REFRESH_S
from hepar.inference.triton import InferenceResult, ModelCall, TritonClient
from hepar.inference.version_routing import VersionRouting

_log = logging.getLogger(__name__)
_LABEL = "combined"
"""In metrics and messages: the name in Triton changes with the parts."""
_OPEN_S = 30.0
_DEADLINE_SHARE = 1 / 3
"""Of the time that is left: where the combined model does not answer, the single models still can."""


class Inference(Protocol):
    """What calls a model. See `TritonClient.infer_batch`."""

    async def infer_batch(
        self, model: str, images: Tensor, expected: Mapping[str, ExpectedOutput], deadline: Deadline, version: str = ""
    ) -> list[InferenceResult | HeparError]: ...


@dataclass(frozen=True)
class _Loaded:
    """A combined model that Triton has.

    outputs: of all parts, by their names in it.  names: of an output in it, by model and the model's own name of it.
    """

    name: str
    versions: Mapping[str, str]
    outputs: Mapping[str, ExpectedOutput]
    names: Mapping[tuple[str, str], str]
    breaker: CircuitBreaker


class CombinedCalls:
    """Knows whether Triton has the combined model of exactly the files that the repository has now."""

    def __init__(self, triton: TritonClient, repository: Path) -> None:
        self._triton, self._repository = triton, repository
        self._stamps: dict[str, tuple[int, int]] = {}
        self._combined: CombinedModel | None = None
        self._loaded: _Loaded | None = None

    async def run(self) -> None:
        """Runs until it is cancelled."""
        while True:
            await self.refresh()
            await asyncio.sleep(REFRESH_S)

    async def refresh(self) -> None:
        """Applies the changes of the repository and of Triton since the last call."""
        stamps = file_stamps(self._repository, FILES)
        if stamps != self._stamps:
            self._combined = await asyncio.to_thread(find_combined_model, self._repository)
            self._stamps = stamps
        name = None if self._combined is None else self._combined.name
        if self._loaded is not None and self._loaded.name != name:
            self._triton.forget(self._loaded.name)
            BREAKER_OPEN.labels(_LABEL).set(0)
            self._loaded = None
        if self._loaded is None and self._combined is not None and await self._triton.ready(self._combined.name):
            self._loaded = _loaded(self._combined)
            _log.info("combined model", extra={"parts": sorted(self._loaded.versions)})

    def for_models(self, routings: Mapping[str, VersionRouting]) -> Inference:
        """What one request calls its models by: the combined model where it stands for all of them."""
        loaded = self._loaded
        if loaded is None or loaded.breaker.refuses or routings.keys() != loaded.versions.keys():
            return self._triton
        if any(routing.versions is not None for routing in routings.values()):
            return self._triton
        return _CombinedCall(self._triton, loaded)


class _CombinedCall:
    """Of one request. The first model that is called starts the call, and the others wait for the same one.

    A model whose answer is missing or invalid is called alone, with its own circuit breaker and error.
    """

    def __init__(self, triton: TritonClient, loaded: _Loaded) -> None:
        self._triton, self._loaded = triton, loaded
        self._answer: asyncio.Task[list[InferenceResult | HeparError]] | None = None

    async def infer_batch(
        self, model: str, images: Tensor, expected: Mapping[str, ExpectedOutput], deadline: Deadline, version: str = ""
    ) -> list[InferenceResult | HeparError]:
        if model not in self._loaded.versions or version:
            return await self._triton.infer_batch(model, images, expected, deadline, version)
        if self._answer is None:
            self._answer = asyncio.create_task(self._call(images, deadline))
        parts = [self._of_model(model, expected, result) for result in await self._answer]
        results = [part for part in parts if part is not None]
        if len(results) < len(images):
            return await self._triton.infer_batch(model, images, expected, deadline, version)
        return list(results)

    async def _call(self, images: Tensor, deadline: Deadline) -> list[InferenceResult | HeparError]:
        """Empty where the call failed."""
        loaded = self._loaded
        sooner = Deadline.after(deadline.remaining_s() * _DEADLINE_SHARE)
        call = ModelCall(loaded.name, loaded.outputs, sooner, measured_as=tuple(loaded.versions))
        try:
            with loaded.breaker.call(deadline):
                results = await self._triton.run(call, images)
                if error := next((result for result in results if isinstance(result, HeparError)), None):
                    raise error
                return results
        except HeparError as error:
            MODEL_FAILURES.labels(_LABEL).inc()
            _log.warning("combined model failed", extra={"reason": error.detail})
            return []
        finally:
            BREAKER_OPEN.labels(_LABEL).set(loaded.breaker.is_open)

    def _of_model(
        self, model: str, expected: Mapping[str, ExpectedOutput], result: InferenceResult | HeparError
    ) -> InferenceResult | None:
        if isinstance(result, HeparError):
            return None
        names = {name: self._loaded.names.get((model, name), "") for name in expected}
        outputs = {name: result.outputs.get(names[name], np.empty(0)) for name in expected}
        # `_call` has checked what it expects of the combined model.
        stricter = {name: each for name, each in expected.items() if each != self._loaded.outputs.get(names[name])}
        batches = {name: outputs[name][None] for name in stricter}
        if not all(has_expected_form(batches[name], 1, output) for name, output in stricter.items()):
            return None
        if not valid_images(batches, stricter, 1).all():
            return None
        return InferenceResult(outputs, self._loaded.versions[model], result.duration_ms)


def _loaded(combined: CombinedModel) -> _Loaded:
    outputs = [(part.model, name, shape) for part in combined.parts for name, shape in part.outputs.items()]
    return _Loaded(
        combined.name,
        {part.model: part.version for part in combined.parts},
        {output_name(model, name): ExpectedOutput(tuple(shape), "f") for model, name, shape in outputs},
        {(model, name): output_name(model, name) for model, name, _ in outputs},
        CircuitBreaker(_LABEL, failures_max=1, open_s=_OPEN_S),
    )
