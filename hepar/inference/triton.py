"""Calls to Triton over gRPC. Its outputs are validated: shape, type and range."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Mapping
from dataclasses import dataclass
from types import TracebackType
from typing import Any

import grpc
import numpy as np
from numpy.typing import NDArray
from opentelemetry.trace import SpanKind
from tritonclient.grpc import InferInput, InferRequestedOutput
from tritonclient.grpc.aio import InferenceServerClient
from tritonclient.utils import InferenceServerException

from hepar.core.deadlines import Deadline
from hepar.core.errors import BadUpstream, DeadlineExceeded, HeparError, Unavailable
from hepar.core.metrics import BREAKER_OPEN, MODEL_FAILURES, MODEL_SECONDS
from hepar.core.request_context import current_request_id
from hepar.core.tracing import span, trace_headers
from hepar.inference.circuit_breaker import CircuitBreaker

Tensor = NDArray[Any]
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


@dataclass(frozen=True)
class ExpectedOutput:
    """What an output must be.

    shape: without the batch axis, -1 for any length.  kind: 'f' (float), 'i' (integer) or 'u' (unsigned).  low, high:
    allowed range.
    """

    shape: tuple[int, ...]
    kind: str
    low: float = -1e6
    high: float = 1e6


@dataclass(frozen=True)
class InferenceResult:
    """outputs: by name, without the batch axis.  version: of the model that answered.  duration_ms: of the call."""

    outputs: dict[str, Tensor]
    version: str
    duration_ms: float


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
        """Whether the model's input has a batch axis. The server is asked once."""
        if model not in self._batched:
            metadata = await self._client.get_model_metadata(model, client_timeout=deadline.remaining_s())
            if metadata is None or not metadata.inputs:
                raise BadUpstream(f"{model} has no input metadata")
            self._batched[model] = len(metadata.inputs[0].shape) == _AXES_OF_A_BATCH
        return self._batched[model]

    async def infer(
        self, model: str, image: Tensor, expected: Mapping[str, ExpectedOutput], deadline: Deadline, version: str = ""
    ) -> InferenceResult:
        """One image through one model.

        image: (h, w) uint8.  version: the newest by default.  A call that did not reach the model is repeated once,
        within a budget.
        Raises Unavailable (at once while the model's circuit breaker is open), DeadlineExceeded, and BadUpstream for
        an output of the wrong shape or type, or with a value that is not finite or out of range.
        """
        key = f"{model}:{version}" if version else model  # a failing new version does not affect the old one
        breaker = self._breakers.setdefault(key, CircuitBreaker(model))
        breaker_open = BREAKER_OPEN.labels(key)
        try:
            with span(f"triton {model}", SpanKind.CLIENT, **{"hepar.model": model}), breaker.call(deadline):
                result = await self._infer_once(model, image, expected, deadline, version)
        except HeparError:
            MODEL_FAILURES.labels(model).inc()
            raise
        finally:
            breaker_open.set(breaker.is_open)
        MODEL_SECONDS.labels(model).observe(result.duration_ms / 1000)
        return result

    async def _infer_once(
        self, model: str, image: Tensor, expected: Mapping[str, ExpectedOutput], deadline: Deadline, version: str
    ) -> InferenceResult:
        started = time.perf_counter()
        try:
            batched = await self._takes_batch(model, deadline)
            array = image[None, :, :, None] if batched else image[:, :, None]
            tensor = InferInput("image", list(array.shape), "UINT8")
            tensor.set_data_from_numpy(array)
            response = await self._client.infer(
                model,
                [tensor],
                model_version=version,
                outputs=[InferRequestedOutput(name) for name in expected],
                request_id=current_request_id(),
                headers=trace_headers(),
                client_timeout=deadline.remaining_s(),
            )
        except InferenceServerException as error:
            self._batched.pop(model, None)  # after a restart the server may have another graph
            raise _domain_error(model, error) from error
        duration_ms = (time.perf_counter() - started) * 1000
        if response is None:
            raise BadUpstream(f"{model} gave no answer")
        outputs = {
            name: _validated(model, name, response.as_numpy(name), output, batched=batched)
            for name, output in expected.items()
        }
        return InferenceResult(outputs, str(response.get_response().model_version), duration_ms)


def _domain_error(model: str, error: InferenceServerException) -> HeparError:
    if error.status() == "StatusCode.DEADLINE_EXCEEDED":
        return DeadlineExceeded(f"{model} did not answer in time")
    return Unavailable(f"{model} is not available at the moment")


def _validated(
    model: str, name: str, value: Tensor | None, expected: ExpectedOutput, *, batched: bool = True
) -> Tensor:
    if value is not None and not batched:
        value = value[None]
    if value is None or not _is_valid(value, expected):
        raise BadUpstream(f"{model} returned an invalid output {name}")
    return np.asarray(value[0])


def _is_valid(value: Tensor, expected: ExpectedOutput) -> bool:
    """value: with a batch axis, whose length must be one."""
    shape = (1, *expected.shape)
    if value.ndim != len(shape) or value.dtype.kind != expected.kind:
        return False
    if any(wanted not in (-1, actual) for wanted, actual in zip(shape, value.shape, strict=True)):
        return False
    if not np.isfinite(value).all():
        return False
    return not value.size or bool(expected.low <= value.min() and value.max() <= expected.high)
