"""Retries of calls to Triton: one per call, within a budget, against a gRPC server that refuses every call."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable

import grpc
import numpy as np
import pytest

from hepar.core.deadlines import Deadline
from hepar.core.errors import HeparError
from hepar.inference import TritonClient

CALLS = 200
EXTRA_CALLS_MAX = 0.1 * CALLS


class Refusing(grpc.GenericRpcHandler):
    """Aborts every call with a status, and counts the calls."""

    def __init__(self, status: grpc.StatusCode) -> None:
        self.calls = Counter[str]()
        self._status = status

    def service(self, handler_call_details: grpc.HandlerCallDetails) -> grpc.RpcMethodHandler[bytes, bytes]:
        async def abort(_request: bytes, context: grpc.aio.ServicerContext[bytes, bytes]) -> bytes:
            self.calls[handler_call_details.method.rpartition("/")[2]] += 1
            await context.abort(self._status, "refused")
            return b""

        return grpc.unary_unary_rpc_method_handler(abort)


async def calls_received(status: grpc.StatusCode, model_of: Callable[[int], str], calls: int) -> int:
    refusing = Refusing(status)
    server = grpc.aio.server()
    server.add_generic_rpc_handlers((refusing,))
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    try:
        async with TritonClient(f"127.0.0.1:{port}") as client:
            for number in range(calls):
                with pytest.raises(HeparError):
                    await client.infer(model_of(number), np.zeros((8, 8), np.uint8), {}, Deadline.after(10))
    finally:
        await server.stop(None)
    return refusing.calls.total()


def test_a_refused_call_is_repeated_once() -> None:
    assert asyncio.run(calls_received(grpc.StatusCode.UNAVAILABLE, lambda _: "a_model", 1)) == 2


def test_an_error_of_the_model_itself_is_not_repeated() -> None:
    assert asyncio.run(calls_received(grpc.StatusCode.INTERNAL, lambda _: "a_model", 1)) == 1


def test_a_broken_server_gets_at_most_a_tenth_more_calls() -> None:
    """Each call is of another model, so that no circuit breaker opens."""
    received = asyncio.run(calls_received(grpc.StatusCode.UNAVAILABLE, lambda number: f"model_{number}", CALLS))
    assert CALLS < received <= CALLS + EXTRA_CALLS_MAX
