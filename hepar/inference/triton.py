"""Calls to Triton over gRPC. Its outputs are validated: shape, type and range."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from types import TracebackType
from typing import Any

import grpc
import numpy as np
from opentelemetry.trace import SpanKind
from tritonclient.grpc import InferInput, InferRequestedOutput
from tritonclient.grpc.aio import InferenceServerClient
from tritonclient.utils import InferenceServerException, triton_to_np_dtype

from hepar.core.deadlines import Deadline
from hepar.core.errors import BadUpstream, DeadlineExceeded, HeparError, Unavailable
from hepar.core.metrics import BREAKER_OPEN, MODEL_FAILURES, MODEL_SECONDS
from hepar.core.request_context import current_request_id
from hepar.core.tracing import span, trace_headers
from hepar.inference.circuit_breaker import CircuitBreaker
from hepar.inference.outputs import ExpectedOutput, Tensor, has_expected_form, valid_images

# A call that did not reach the model is repeated once, within a budget: a failure costs one token, a success gives a
# tenth back, and below half of the tokens nothing is repeated (gRPC proposal A6, "Client Retries").
_SERVICE_CONFIG = json.dumps(
    {
        "methodConfig": [
            {
                "name": [{}],
                "retryPolicy": {
                    "maxAttempts": 2,
                    "initialBackoff": "0.05s",
                    "maxBackoff": "0.1s",
                    "backoffMultiplier": 1,
                    "retryableStatusCodes": ["UNAVAILABLE"],
                },
            }
        ],
        "retryThrottling": {"maxTokens": 10, "tokenRatio": 0.1},
    }
)
# Reconnect within a second after a restart of the server; gRPC's default is up to two minutes.
_CHANNEL = [
    ("grpc.initial_reconnect_backoff_ms", 100),
    ("grpc.min_reconnect_backoff_ms", 100),
    ("grpc.max_reconnect_backoff_ms", 1000),
    ("grpc.max_send_message_length", -1),
    ("grpc.max_receive_message_length", 64 * 1024 * 1024),
    ("grpc.service_config", _SERVICE_CONFIG),
]
_PROBE_TIMEOUT_S = 1.0
_AXES_OF_A_BATCH = 4
BATCH_MAX = 8
"""Images of one call: the `max_batch_size` of the shipped configurations for CPUs, and the least that a model has."""
CALLS_IN_FLIGHT = 4
"""Of one batch of images: enough that an instance of a model is never idle between two calls."""


@dataclass(frozen=True)
class InferenceResult:
    """outputs: by name, without the batch axis.  version: of the model that answered.  duration_ms: of the call."""

    outputs: dict[str, Tensor]
    version: str
    duration_ms: float


@dataclass(frozen=True)
class ModelCall:
    """What `TritonClient.run` needs in addition to the images.

    measured_as: names of models in the metrics, by default the model's own.
    """

    model: str
    expected: Mapping[str, ExpectedOutput]
    deadline: Deadline
    version: str = ""
    measured_as: tuple[str, ...] = ()


class TritonClient:
    """One long-lived connection, with a circuit breaker per model. Use as an async context manager."""

    def __init__(self, address: str) -> None:
        self._client = InferenceServerClient(address, channel_args=_CHANNEL)
        self._batched: dict[str, bool] = {}
        self._breakers: dict[str, CircuitBreaker] = {}

    async def __aenter__(self) -> TritonClient:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._client.close()

    async def ready(self, model: str, version: str = "") -> bool:
        """Whether the model answers now. version: the newest by default. Takes at most a second."""
        try:
            return bool(await self._client.is_model_ready(model, version, client_timeout=_PROBE_TIMEOUT_S))
        except (InferenceServerException, grpc.RpcError):
            return False

    async def ready_models(self, names: list[str]) -> dict[str, bool]:
        """Whether each of the models answers now. Takes at most a second."""
        return dict(zip(names, await asyncio.gather(*map(self.ready, names)), strict=True))

    def forget(self, model: str) -> None:
        """Drops the cached metadata and circuit breakers of a model that changed or was removed."""
        self._batched.pop(model, None)
        for key in [key for key in self._breakers if key.partition(":")[0] == model]:
            del self._breakers[key]

    async def _takes_batch(self, model: str, deadline: Deadline) -> bool:
        """Whether the model's input has a batch axis. The server is asked once. Raises as `infer` does."""
        if model not in self._batched:
            try:
                metadata = await self._client.get_model_metadata(model, client_timeout=deadline.remaining_s())
            except InferenceServerException as error:
                raise _domain_error(model, error) from error
            if metadata is None or not metadata.inputs:
                raise BadUpstream(f"{model} has no input metadata")
            self._batched[model] = len(metadata.inputs[0].shape) == _AXES_OF_A_BATCH
        return self._batched[model]

    async def infer(
        self, model: str, image: Tensor, expected: Mapping[str, ExpectedOutput], deadline: Deadline, version: str = ""
    ) -> InferenceResult:
        """One image through one model: a batch of one.

        image: (h, w) uint8.  version: the newest by default.
        Raises Unavailable (at once while the model's circuit breaker is open), DeadlineExceeded, and BadUpstream for
        an output of the wrong shape or type, or with a value that is not finite or out of range.
        """
        (result,) = await self.infer_batch(model, image[None], expected, deadline, version)
        if isinstance(result, HeparError):
            raise result
        return result

    async def infer_batch(
        self, model: str, images: Tensor, expected: Mapping[str, ExpectedOutput], deadline: Deadline, version: str = ""
    ) -> list[InferenceResult | HeparError]:
        """Many images through one model: for each its result, or the error that `infer` raises.

        images: (n, h, w) uint8.  A graph with a batch axis gets BATCH_MAX images in a call, others one; of these calls
        CALLS_IN_FLIGHT run at a time. A call that did not reach the model is repeated once, within a budget.
        """
        key = f"{model}:{version}" if version else model  # a failing new version does not affect the old one
        breaker = self._breakers.setdefault(key, CircuitBreaker(model))
        results: list[InferenceResult | HeparError] = []
        try:
            with span(f"triton {model}", SpanKind.CLIENT, **{"hepar.model": model}), breaker.call(deadline):
                results = await self.run(ModelCall(model, expected, deadline, version), images)
                if error := next((result for result in results if isinstance(result, HeparError)), None):
                    raise error
        except HeparError as error:
            MODEL_FAILURES.labels(model).inc()
            return results or [error] * len(images)
        finally:
            BREAKER_OPEN.labels(key).set(breaker.is_open)
        return results

    async def run(self, call: ModelCall, images: Tensor) -> list[InferenceResult | HeparError]:
        """As `infer_batch`, without a circuit breaker. Raises as `infer` does where there is only one part."""
        batched = await self._takes_batch(call.model, call.deadline)
        size = BATCH_MAX if batched else 1
        parts = [images[start : start + size] for start in range(0, len(images), size)]
        if len(parts) == 1:
            return await self._run_part(call, images, batched=batched)
        slots = asyncio.Semaphore(CALLS_IN_FLIGHT)

        async def in_turn(part: Tensor) -> list[InferenceResult | HeparError]:
            async with slots:
                try:
                    return await self._run_part(call, part, batched=batched)
                except HeparError as error:
                    return [error] * len(part)

        answers = await asyncio.gather(*map(in_turn, parts))
        return [result for answer in answers for result in answer]

    async def _run_part(self, call: ModelCall, images: Tensor, *, batched: bool) -> list[InferenceResult | HeparError]:
        """One call. images: (n, h, w), with n = 1 for a graph without a batch axis."""
        model, expected = call.model, call.expected
        started = time.perf_counter()
        array = (images if batched else images[0])[..., None]
        tensor = InferInput("image", list(array.shape), "UINT8")
        tensor.set_data_from_numpy(array)
        try:
            response = await self._client.infer(
                model,
                [tensor],
                model_version=call.version,
                outputs=[InferRequestedOutput(name) for name in expected],
                request_id=current_request_id(),
                headers=trace_headers(),
                client_timeout=call.deadline.remaining_s(),
            )
        except InferenceServerException as error:
            self._batched.pop(model, None)  # after a restart the server may have another graph
            raise _domain_error(model, error) from error
        duration_s = time.perf_counter() - started
        if response is None:
            raise BadUpstream(f"{model} gave no answer")
        for name in call.measured_as or (model,):
            MODEL_SECONDS.labels(name).observe(duration_s)
        answer = response.get_response()
        outputs = _tensors(answer, batched=batched)
        for name, output in expected.items():
            if name not in outputs or not has_expected_form(outputs[name], len(images), output):
                raise BadUpstream(f"{model} returned an invalid output {name}")
        model_version = str(answer.model_version)
        return [
            InferenceResult({name: outputs[name][index] for name in expected}, model_version, duration_s * 1000)
            if valid
            else BadUpstream(f"{model} returned an output with an invalid value")
            for index, valid in enumerate(valid_images(outputs, expected, len(images)))
        ]


def _tensors(answer: Any, *, batched: bool) -> dict[str, Tensor]:  # noqa: ANN401  generated, without types
    """By name, with a batch axis. Without those whose data do not fill their shape."""
    tensors: dict[str, Tensor] = {}
    for output, content in zip(answer.outputs, answer.raw_output_contents, strict=False):
        with suppress(ValueError):  # NumPy's: a Triton that is about to die sent an output without data
            value = np.frombuffer(content, triton_to_np_dtype(output.datatype)).reshape(tuple(output.shape))
            tensors[output.name] = value if batched else value[None]
    return tensors


def _domain_error(model: str, error: InferenceServerException) -> HeparError:
    if error.status() == "StatusCode.DEADLINE_EXCEEDED":
        return DeadlineExceeded(f"{model} did not answer in time")
    return Unavailable(f"{model} is not available at the moment")
