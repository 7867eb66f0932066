"""LitServe with a worker process for each processor: `litserve_server MODELS PORT`."""

# No postponed annotations: LitServe reads those of the methods as they are.

import os
import sys
from pathlib import Path

import litserve
from fastapi import Request
from PIL import Image

from bench.peers.work import Answer, Network, classify, networks, read_png, tuned_options


class Classification(litserve.LitAPI):
    models: list[Network]

    def setup(self, device: str) -> None:
        del device  # the processor
        self.models = networks(Path(sys.argv[1]), "classification", tuned_options())

    def decode_request(self, request: Request) -> Image.Image:
        return read_png(request["image"].file.read())

    def predict(self, x: Image.Image) -> Answer:
        return classify(self.models, x)

    def encode_response(self, output: Answer) -> Answer:
        return output


if __name__ == "__main__":
    server = litserve.LitServer(
        Classification(api_path="/classify"), accelerator="cpu", workers_per_device=os.cpu_count() or 1, timeout=60
    )
    server.run(
        host="127.0.0.1", port=int(sys.argv[2]), log_level="warning", access_log=False, generate_client_file=False
    )
