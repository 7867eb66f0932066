"""Answers of a Triton that dies: outputs whose data do not fill the shape that they state, from a gRPC server."""

from __future__ import annotations

import asyncio
from typing import Any

import grpc
import numpy as np
import pytest
from tritonclient.grpc import service_pb2

from hepar.core.deadlines import Deadline
from hepar.core.errors import BadUpstream, HeparError
from hepar.inference import TritonClient
from hepar.inference.outputs import ExpectedOutput
from hepar.inference.triton import InferenceResult

MESSAGES: Any = service_pb2  # generated; its classes are made when it is imported
LOGITS = np.array([1, 2, 3], np.float32)


class Answering(grpc.GenericRpcHandler):
    """A model with a batch axis whose output `logits` states the shape (1, 3) and has the given data."""

    def __init__(self, data: list[bytes]) -> None:
        metadata = MESSAGES.ModelMetadataResponse(name="a_model")
        metadata.inputs.add(name="image", datatype="UINT8", shape=[-1, 8, 8, 1])
        answer = MESSAGES.ModelInferResponse(model_name="a_model", model_version="1", raw_output_contents=data)
        answer.outputs.add(name="logits", datatype="FP32", shape=[1, 3])
        self._answers = {"ModelMetadata": metadata, "ModelInfer": answer}

    def service(self, handler_call_details: grpc.HandlerCallDetails) -> grpc.RpcMethodHandler[bytes, bytes]:
        async def reply(_request: bytes, _context: grpc.aio.ServicerContext[bytes, bytes]) -> bytes:
            return bytes(self._answers[handler_call_details.method.rpartition("/")[2]].SerializeToString())

        return grpc.unary_unary_rpc_method_handler(reply)


async def result_of(data: list[bytes]) -> InferenceResult | HeparError:
    server = grpc.aio.server()
    server.add_generic_rpc_handlers((Answering(data),))
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    try:
        async with TritonClient(f"127.0.0.1:{port}") as client:
            image, expected = np.zeros((1, 8, 8), np.uint8), {"logits": ExpectedOutput((3,), "f")}
            (result,) = await client.infer_batch("a_model", image, expected, Deadline.after(10))
    finally:
        await server.stop(None)
    return result


def test_a_whole_output_is_read() -> None:
    result = asyncio.run(result_of([LOGITS.tobytes()]))
    assert isinstance(result, InferenceResult)
    assert result.outputs["logits"].tolist() == LOGITS.tolist()


@pytest.mark.parametrize("data", [[], [b""], [LOGITS.tobytes()[:8]], [LOGITS.tobytes()[:-1]], [LOGITS.tobytes() * 2]])
def test_truncated_data_are_an_error_of_the_model(data: list[bytes]) -> None:
    result = asyncio.run(result_of(data))
    assert isinstance(result, BadUpstream)
    assert "a_model returned an invalid output logits" in str(result)
