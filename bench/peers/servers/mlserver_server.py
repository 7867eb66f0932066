"""MLServer with a worker process for each processor: `mlserver_server MODELS PORT`. Runs in .venv-peers-mlserver.

The image is base64 in a request of the V2 protocol; the answer is JSON in a string of the response.
"""

from __future__ import annotations

import asyncio
import json
import os
import socket
import sys
import tempfile
from pathlib import Path

from mlserver import MLModel, MLServer, ModelSettings, Settings
from mlserver.codecs import Base64Codec, StringCodec
from mlserver.types import InferenceRequest, InferenceResponse

from bench.peers.work import Network, classify, networks, read_png, tuned_options


class Classification(MLModel):
    models: list[Network]

    async def load(self) -> bool:
        self.models = networks(Path(self.settings.parameters.uri), "classification", tuned_options())
        return True

    async def predict(self, payload: InferenceRequest) -> InferenceResponse:
        (content,) = Base64Codec.decode_input(payload.inputs[0])
        answer = json.dumps(classify(self.models, read_png(content)))
        return InferenceResponse(model_name=self.name, outputs=[StringCodec.encode_output("answer", [answer])])


async def main(models: str, port: int) -> None:
    with tempfile.TemporaryDirectory() as metrics:
        await serve(models, port, metrics)


async def serve(models: str, port: int, metrics: str) -> None:
    settings = Settings(
        host="127.0.0.1",
        http_port=port,
        grpc_port=_free_port(),
        metrics_port=_free_port(),
        parallel_workers=os.cpu_count(),
        metrics_dir=metrics,
        debug=False,
    )
    server = MLServer(settings)
    model = ModelSettings(
        name="classify", implementation="bench.peers.servers.mlserver_server.Classification", parameters={"uri": models}
    )
    await server.start([model])


def _free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], int(sys.argv[2])))
